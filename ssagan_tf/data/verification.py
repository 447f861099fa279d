"""Whether a prepared set is as it was written: counts, checksums and every record."""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ssagan_tf.data.dataset_info import (
    SHARD_PATTERN,
    SPLITS,
    DatasetInfo,
    Shard,
    read_info,
    shard_fault,
)
from ssagan_tf.data.frame_decoding import decode_frames
from ssagan_tf.data.tfrecord_format import FOOTER, HEADER, find_records, read_records
from ssagan_tf.files import sha256_of
from ssagan_tf.options import FRAMES
from ssagan_tf.progress import Report
from ssagan_tf.remote import AnyPath, as_path
from ssagan_tf.startup import load_tensorflow

_AHEAD = 8  # records per thread that are read before they are checked


@dataclasses.dataclass(frozen=True)
class Found:
    """What a set holds, and what is wrong with it, a line each."""

    clips: int
    shards: int
    problems: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Clip:
    """A record that is a clip."""

    where: str
    split: str
    name: str
    video: str


@dataclasses.dataclass(frozen=True)
class _Ahead:
    """Maps in threads, in order, over something that does not fit in memory."""

    pool: ThreadPoolExecutor
    length: int

    def over(self, call: Callable[[Any], Any], values: Iterable[Any]) -> Iterator[Any]:
        waiting: collections.deque[Future] = collections.deque()
        for value in values:
            waiting.append(self.pool.submit(call, value))
            if len(waiting) > self.length:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def verify_set(
    folder: str | os.PathLike[str], workers: int = 0, report: Report = lambda *_: None
) -> Found:
    """Checks a prepared set; goes on after whatever it finds.

    Args:
      folder: Of the set.
      workers: Threads that check records; 0: one per core. Decoding is done outside of Python.
      report: Told of the progress, in clips.

    Raises:
      DataError: It is no prepared set, or its description cannot be read.
    """
    folder = as_path(folder)
    info = read_info(folder)
    load_tensorflow()
    problems = list(_foreign(folder, info))
    clips: list[_Clip] = []
    total = sum(split.clips for split in info.splits.values())
    workers = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        run = _Ahead(pool, _AHEAD * workers)
        for split in SPLITS:
            before = len(clips)
            for shard in info.splits[split].shards:
                try:
                    for one in _check_shard(folder, shard, split, info.resolution, run):
                        if isinstance(one, _Clip):
                            clips.append(one)
                            report("checking records", min(len(clips), total), total)
                        else:
                            problems.append(one)
                except OSError as error:
                    why = error.strerror or error
                    problems.append(f"{folder / shard.name} cannot be read: {why}")
            problems += _check_counts(info, split, clips[before:])
    problems += _check_names(clips)
    return Found(len(clips), sum(len(s.shards) for s in info.splits.values()), tuple(problems))


def _foreign(folder: AnyPath, info: DatasetInfo) -> Iterator[str]:
    known = {shard.name for split in SPLITS for shard in info.splits[split].shards}
    for name in sorted(path.name for path in folder.iterdir()):
        if SHARD_PATTERN.fullmatch(name) and name not in known:
            yield f"{folder / name} is no part of the set"


def _check_shard(
    folder: AnyPath, shard: Shard, split: str, side: int, run: _Ahead
) -> Iterator[_Clip | str]:
    path = folder / shard.name
    if fault := shard_fault(folder, shard):
        yield fault
        if not path.is_file():
            return
    elif sha256_of(path) == shard.sha256:
        records = ((content, True) for content in _contents(path))
        try:
            yield from _check_records(path, records, shard.clips, split, side, run)
        except ValueError as error:  # it was written so
            yield f"{path}: {error}"
        return
    else:
        yield f"{path} is not as it was written: its checksum is another"
    # Something is wrong in it: each record is held against its own checksum, which takes longer.
    damaged = (
        (record.framed[HEADER.size : -FOOTER.size], record.whole) for record in read_records(path)
    )
    yield from _check_records(path, damaged, shard.clips, split, side, run)


def _contents(path: AnyPath) -> Iterator[bytes]:
    """The records of a file whose checksum is right."""
    with path.open("rb") as file:
        for offset, length in find_records(path):
            file.seek(offset)
            yield file.read(length)


def _check_records(
    path: AnyPath,
    records: Iterator[tuple[bytes, bool]],
    expected: int,
    split: str,
    side: int,
    run: _Ahead,
) -> Iterator[_Clip | str]:
    def check(numbered: tuple[int, tuple[bytes, bool]]) -> _Clip | str:
        number, (content, whole) = numbered
        where = f"{path}: record {number}"
        return _check_record(where, content, side, split) if whole else f"{where} is damaged"

    count = 0
    for one in run.over(check, enumerate(records)):
        count += 1
        yield one
    if count != expected:
        yield f"{path} has {count} records instead of {expected}"


def _check_record(where: str, content: bytes, side: int, split: str) -> _Clip | str:
    from ssagan_tf.data import schema

    try:
        name, of_video, frames = schema.parse_clip(content)
    except ValueError as error:
        return f"{where} is {error}"
    if len(frames) != FRAMES:
        return f"{where}, {name}: {len(frames)} frames instead of {FRAMES}"
    try:
        for _ in decode_frames(frames, side):
            pass
    except ValueError as error:
        return f"{where}, {name}: {error}"
    return _Clip(where, split, name, of_video)


def _check_counts(info: DatasetInfo, split: str, clips: list[_Clip]) -> Iterator[str]:
    said = info.splits[split]
    in_shards = sum(shard.clips for shard in said.shards)
    if said.clips != in_shards:
        yield f"split {split}: {said.clips} clips are said to be in it, in its shards {in_shards}"
    videos = len({clip.video for clip in clips})
    if len(clips) == said.clips and videos != said.videos:
        yield f"split {split}: its clips are of {videos} videos instead of {said.videos}"


def _check_names(clips: list[_Clip]) -> Iterator[str]:
    by_name: dict[str, _Clip] = {}
    splits: dict[str, set[str]] = {}
    for clip in clips:
        if (first := by_name.setdefault(clip.name, clip)) is not clip:
            yield f"{clip.where}: {clip.name} is there twice, first as {first.where}"
        splits.setdefault(clip.video, set()).add(clip.split)
    for video_name, of in splits.items():
        if len(of) > 1:
            yield f"clips of {video_name} are in {' and in '.join(sorted(of))}"
