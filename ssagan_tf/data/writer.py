"""From footage to a prepared set: reads in parallel, splits, shuffles, writes TFRecord shards.

The clips read are spooled to disk, so that memory stays bounded and the order of the records
can be drawn when all are known. What is written depends on the source and the settings only,
not on the number of workers.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import multiprocessing
import os
import pickle
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from ssagan_tf.data import sources
from ssagan_tf.data.info import FILE_NAME, SHARD_PATTERN, SPLITS, DatasetInfo, Shard, Skipped, Split
from ssagan_tf.errors import DataError
from ssagan_tf.files import replacing_file
from ssagan_tf.options import FRAMES, OptionError, PrepareOptions
from ssagan_tf.startup import load_tensorflow

SHARD_CLIPS, SHARD_BYTES = 256, 128 << 20  # at most, but for a single larger clip
FEW_SHARDS, FEW_CLIPS = 4, 16  # at least 4 shards, as long as they hold 16 clips each
IN_FLIGHT = 32  # items per worker handed out beyond the one waited for
_SPOOL = ".spool"
_NOT_SETTINGS = ("output", "workers")  # the content does not depend on them

Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


def prepare(options: PrepareOptions, report: Report = lambda *_: None) -> DatasetInfo:
    """Writes a prepared set; `dataset_info.json` comes last and marks it as whole.

    Args:
      options: What to read and where to write.
      report: Called as the work goes on.

    Raises:
      OptionError: A setting is missing or does not fit the source.
      DataError: There is no usable clip, or the output cannot be written or holds a set already.
    """
    output = _check_output(options)
    listing = sources.list_items(options)
    if not listing.items:
        raise _nothing(options, listing.skipped)
    made = not output.exists()
    try:
        output.mkdir(parents=True, exist_ok=True)
        _remove_ours(output)
        try:
            return _prepare(options, output, listing, report)
        except BaseException:
            _remove_ours(output)
            if made:
                with contextlib.suppress(OSError):
                    output.rmdir()
            raise
        finally:
            shutil.rmtree(output / _SPOOL, ignore_errors=True)
    except OSError as error:
        raise DataError(f"cannot write into {output}: {error.strerror or error}") from error


def _prepare(
    options: PrepareOptions, output: Path, listing: sources.Listing, report: Report
) -> DatasetInfo:
    clips: list[_Spooled] = []
    skipped = list(listing.skipped)
    spool = output / _SPOOL
    spool.mkdir()
    with contextlib.closing(_read_all(listing.items, options, spool)) as results:
        for done, result in enumerate(results):
            report(f"reading {listing.layout}", done, len(listing.items))
            if isinstance(result, Skipped):
                skipped.append(result)
            else:
                clips += result
    report(f"reading {listing.layout}", len(listing.items), len(listing.items))

    in_split = _divide(clips, options)
    if not clips or (not in_split["train"] and options.test_fraction < 1):
        raise _nothing(options, skipped)
    written = 0
    splits = {}
    for split in SPLITS:
        ordered = sorted(in_split[split], key=lambda clip: _draw(options.seed, clip.name))
        shards = []
        for name, part in _shards(split, ordered):
            shards.append(_write_shard(output / name, part, options.resolution))
            written += len(part)
            report("writing shards", written, len(clips))
        splits[split] = Split(len(ordered), len({clip.video for clip in ordered}), tuple(shards))

    settings = dataclasses.asdict(options)
    info = DatasetInfo(
        resolution=options.resolution,
        frames=FRAMES,
        layout=listing.layout,
        fit="stretch" if options.fit == "auto" else options.fit,
        settings={k: v for k, v in settings.items() if k not in _NOT_SETTINGS},
        splits=splits,
        skipped=tuple(skipped),
    )
    info.write(output)
    return info


def _check_output(options: PrepareOptions) -> Path:
    if not options.output:
        raise OptionError("output", "", "give the folder to write")
    output = Path(options.output)
    if output.exists() and not output.is_dir():
        raise OptionError("output", options.output, "is a file, not a folder")
    if (output / FILE_NAME).exists():
        raise DataError(
            f"{output} holds a prepared set already; choose another --output or remove it"
        )
    return output


def _remove_ours(output: Path) -> None:
    """Removes what an interrupted `prepare` left, and nothing else."""
    shutil.rmtree(output / _SPOOL, ignore_errors=True)
    for path in output.iterdir():
        # Temporary names end in the final one.
        if SHARD_PATTERN.fullmatch(path.name) or (
            path.name.startswith(".tmp-") and SHARD_PATTERN.search(path.name)
        ):
            path.unlink()


def _nothing(options: PrepareOptions, skipped: Sequence[Skipped]) -> DataError:
    first = "; ".join(f"{item.item}: {item.reason}" for item in skipped[:3])
    more = f"; and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    source = options.source or options.layout
    return DataError(f"{source} holds no usable clip to train on ({first or 'empty'}{more})")


# Reading.


@dataclasses.dataclass(frozen=True)
class _Spooled:
    """A clip whose frames wait in a file."""

    name: str
    video: str
    split: str | None
    start: int
    bytes: int
    path: str
    offset: int


def _read_all(
    items: Sequence[sources.Item], options: PrepareOptions, spool: Path
) -> Iterator[list[_Spooled] | Skipped]:
    """Reads in worker processes; the results come in the order of the items."""
    jobs = ((item, options, str(spool / f"{index:08d}")) for index, item in enumerate(items))
    workers = min(options.workers or os.cpu_count() or 1, len(items))
    if workers == 1:
        yield from (_read(*job) for job in jobs)
        return
    before = set(multiprocessing.active_children())
    # Spawned, as TensorFlow's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_ignore_interrupts
    )
    waiting: collections.deque[Future] = collections.deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(_read, *job))
            if len(waiting) > IN_FLIGHT * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DataError(
            "a worker process died, perhaps for want of memory; try fewer --workers"
        ) from error
    except BaseException:  # Ctrl-C: a long video is not waited for
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers


def _read(item: sources.Item, options: PrepareOptions, path: str) -> list[_Spooled] | Skipped:
    """Spools the clips of an item. Only errors of writing are raised."""
    clips = []
    try:
        with open(path, "wb") as file:
            for clip in item.clips(options):
                size = sum(map(len, clip.frames))
                clips.append(
                    _Spooled(clip.name, clip.video, item.split, clip.start, size, path, file.tell())
                )
                pickle.dump(clip.frames, file)
    except DataError as error:
        os.unlink(path)
        return Skipped(item.name, str(error))
    return clips


# Split, order, shards.


def _draw(seed: int, name: str) -> bytes:
    """A random number of a name: the order drawn for one depends on no other."""
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def _divide(clips: Iterable[_Spooled], options: PrepareOptions) -> dict[str, list[_Spooled]]:
    """Into train and test: as the source says, or video by video."""
    clips = list(clips)
    videos = {clip.video for clip in clips if clip.split is None}
    number = round(options.test_fraction * len(videos))
    if 0 < options.test_fraction < 1:  # some for each, for training first
        number = min(max(number, 1), max(len(videos) - 1, 0))
    drawn = sorted(videos, key=lambda video: _draw(options.seed, f"split/{video}"))[:number]
    test = frozenset(drawn)
    parts: dict[str, list[_Spooled]] = {split: [] for split in SPLITS}
    for clip in clips:
        parts[clip.split or ("test" if clip.video in test else "train")].append(clip)
    return parts


def _shards(split: str, clips: Sequence[_Spooled]) -> Iterator[tuple[str, Sequence[_Spooled]]]:
    """Cuts into shards of about the same number of clips."""
    if not clips:
        return
    number = max(
        1,
        -(-len(clips) // SHARD_CLIPS),
        -(-sum(clip.bytes for clip in clips) // SHARD_BYTES),
        min(FEW_SHARDS, len(clips) // FEW_CLIPS),
    )
    number = min(number, len(clips))
    bounds = [len(clips) * index // number for index in range(number + 1)]
    for index in range(number):
        name = f"{split}-{index:05d}-of-{number:05d}.tfrecord"
        yield name, clips[bounds[index] : bounds[index + 1]]


def _write_shard(path: Path, clips: Sequence[_Spooled], resolution: int) -> Shard:
    # Loaded here: what is wrong with settings and footage is told at once.
    load_tensorflow()
    import tensorflow as tf

    from ssagan_tf.data import schema

    with replacing_file(path) as temporary:
        try:
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                for clip in clips:
                    with open(clip.path, "rb") as file:
                        file.seek(clip.offset)
                        frames = pickle.load(file)
                    writer.write(
                        schema.encode_clip(
                            frames,
                            name=clip.name,
                            video=clip.video,
                            start=clip.start,
                            resolution=resolution,
                        )
                    )
        except tf.errors.OpError as error:
            raise DataError(f"cannot write {path}: {error.message}") from error
        checksum = hashlib.sha256()
        with open(temporary, "rb") as file:
            while block := file.read(1 << 20):
                checksum.update(block)
        size = temporary.stat().st_size
    return Shard(path.name, len(clips), size, checksum.hexdigest())
