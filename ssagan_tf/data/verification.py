"""Verifies a prepared set: counts, checksums and every record."""

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
    shard_problem,
)
from ssagan_tf.data.frame_decoding import decode_frames
from ssagan_tf.data.tfrecord_format import FOOTER, HEADER, find_records, read_records
from ssagan_tf.files import sha256_of
from ssagan_tf.options import FRAMES
from ssagan_tf.progress import ProgressCallback
from ssagan_tf.remote import AnyPath, as_path
from ssagan_tf.startup import load_tensorflow

_AHEAD = 8  # records per thread that are read ahead


@dataclasses.dataclass(frozen=True)
class Verification:
    """Number of clips and shards of a set, and a line for each problem."""

    clips: int
    shards: int
    problems: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Clip:
    """A valid record. `where` is its file and index."""

    where: str
    split: str
    name: str
    video: str


@dataclasses.dataclass(frozen=True)
class _OrderedMap:
    """Maps in threads, in order, over values that do not fit in memory together."""

    pool: ThreadPoolExecutor
    ahead: int

    def __call__(self, call: Callable[[Any], Any], values: Iterable[Any]) -> Iterator[Any]:
        waiting: collections.deque[Future] = collections.deque()
        for value in values:
            waiting.append(self.pool.submit(call, value))
            if len(waiting) > self.ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def verify_set(
    folder: str | os.PathLike[str], workers: int = 0, report: ProgressCallback = lambda *_: None
) -> Verification:
    """Checks a prepared set, and collects all problems.

    Args:
      folder: Folder of the set.
      workers: Threads that check records; 0: one per core. Decoding releases the GIL.
      report: Called with the progress in clips.

    Raises:
      DataError: It is not a prepared set, or its description cannot be read.
    """
    folder = as_path(folder)
    info = read_info(folder)
    load_tensorflow()
    problems = list(_unknown_shards(folder, info))
    clips: list[_Clip] = []
    total = sum(split.clips for split in info.splits.values())
    workers = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        threaded_map = _OrderedMap(pool, _AHEAD * workers)
        for split in SPLITS:
            before = len(clips)
            for shard in info.splits[split].shards:
                try:
                    for clip in _check_shard(folder, shard, split, info.resolution, threaded_map):
                        if isinstance(clip, _Clip):
                            clips.append(clip)
                            report("checking records", min(len(clips), total), total)
                        else:
                            problems.append(clip)
                except OSError as error:
                    why = error.strerror or error
                    problems.append(f"cannot read {folder / shard.name}: {why}")
            problems += _check_counts(info, split, clips[before:])
    problems += _check_names(clips)
    shards = sum(len(split.shards) for split in info.splits.values())
    return Verification(len(clips), shards, tuple(problems))


def _unknown_shards(folder: AnyPath, info: DatasetInfo) -> Iterator[str]:
    known = {shard.name for split in SPLITS for shard in info.splits[split].shards}
    for name in sorted(path.name for path in folder.iterdir()):
        if SHARD_PATTERN.fullmatch(name) and name not in known:
            yield f"{folder / name} does not belong to the set"


def _check_shard(
    folder: AnyPath, shard: Shard, split: str, side: int, threaded_map: _OrderedMap
) -> Iterator[_Clip | str]:
    path = folder / shard.name
    if problem := shard_problem(folder, shard):
        yield problem
        if not path.is_file():
            return
    elif sha256_of(path) == shard.sha256:
        records = ((content, True) for content in _contents(path))
        try:
            yield from _check_records(path, records, shard.clips, split, side, threaded_map)
        except ValueError as error:  # prepare wrote it like this
            yield f"{path}: {error}"
        return
    else:
        yield f"{path} is corrupt: its checksum does not match"
    # To find the damage, each record is compared with its own checksum, which takes longer.
    records = (
        (record.framed[HEADER.size : -FOOTER.size], record.intact) for record in read_records(path)
    )
    yield from _check_records(path, records, shard.clips, split, side, threaded_map)


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
    threaded_map: _OrderedMap,
) -> Iterator[_Clip | str]:
    def check(numbered: tuple[int, tuple[bytes, bool]]) -> _Clip | str:
        number, (content, intact) = numbered
        where = f"{path}: record {number}"
        return _check_record(where, content, side, split) if intact else f"{where} is damaged"

    count = 0
    for result in threaded_map(check, enumerate(records)):
        count += 1
        yield result
    if count != expected:
        yield f"{path} has {count} records, expected {expected}"


def _check_record(where: str, content: bytes, side: int, split: str) -> _Clip | str:
    from ssagan_tf.data import schema

    try:
        name, video, frames = schema.parse_clip(content)
    except ValueError as error:
        return f"{where} is {error}"
    if len(frames) != FRAMES:
        return f"{where}, {name}: {len(frames)} frames, expected {FRAMES}"
    try:
        for _ in decode_frames(frames, side):
            pass
    except ValueError as error:
        return f"{where}, {name}: {error}"
    return _Clip(where, split, name, video)


def _check_counts(info: DatasetInfo, split: str, clips: list[_Clip]) -> Iterator[str]:
    expected = info.splits[split]
    in_shards = sum(shard.clips for shard in expected.shards)
    if expected.clips != in_shards:
        yield f"split {split}: {in_shards} clips in its shards, expected {expected.clips}"
    videos = len({clip.video for clip in clips})
    if len(clips) == expected.clips and videos != expected.videos:
        yield f"split {split}: clips from {videos} videos, expected {expected.videos}"


def _check_names(clips: list[_Clip]) -> Iterator[str]:
    by_name: dict[str, _Clip] = {}
    splits: dict[str, set[str]] = {}
    for clip in clips:
        if (first := by_name.setdefault(clip.name, clip)) is not clip:
            yield f"{clip.where}: duplicate of {clip.name}, which is also {first.where}"
        splits.setdefault(clip.video, set()).add(clip.split)
    for video, in_splits in splits.items():
        if len(in_splits) > 1:
            yield f"clips of {video} are in both {' and '.join(sorted(in_splits))}"
