"""From footage to a prepared set: splits and shuffles what was read, writes TFRecord shards.

The clips read are spooled to disk first, as the order of the records can be drawn only when all
are known. What is written depends on the source and the settings only, not on the number of
workers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ssagan_tf.data import layouts
from ssagan_tf.data.info import (
    FILE_NAME,
    SHARD_PATTERN,
    SPLITS,
    DatasetInfo,
    Shard,
    Skipped,
    Split,
    open_set,
)
from ssagan_tf.data.layouts import splits
from ssagan_tf.data.reading import Spooled, read_all
from ssagan_tf.errors import DataError
from ssagan_tf.files import errors_of_writing, replacing_file, sha256_of
from ssagan_tf.options import FRAMES, OptionError, PrepareOptions, require
from ssagan_tf.startup import load_tensorflow

SHARD_CLIPS, SHARD_BYTES = 256, 128 << 20  # at most, but for a single larger clip
FEW_SHARDS, FEW_CLIPS = 4, 16  # at least 4 shards, as long as they hold 16 clips each
_SPOOL = ".spool"
_NOT_SETTINGS = ("output", "workers")  # the content does not depend on them

Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


def prepare(options: PrepareOptions, report: Report = lambda *_: None) -> DatasetInfo:
    """Writes a prepared set; `dataset_info.json` comes last and marks it as whole.

    What an interrupted `prepare` left in the output is removed, and nothing else.

    Args:
      options: What to read and where to write.
      report: Called as the work goes on.

    Raises:
      OptionError: A setting is missing or does not fit the source.
      DataError: There is no usable clip, or the output cannot be written or holds something.
    """
    return plan(options)(report)


def plan(options: PrepareOptions) -> Callable[[Report], DatasetInfo]:
    """Checks what can be told before any work: settings, source and output.

    Returns:
      The work of `prepare`, to be called.

    Raises:
      OptionError: A setting is missing or impossible.
      DataError: The output holds something that is not the rest of an interrupted `prepare`.
    """
    layouts.check_source(options)
    require(options, "output")
    _check_output(options, Path(options.output))
    return functools.partial(_prepare, options, Path(options.output))


def _check_output(options: PrepareOptions, output: Path) -> None:
    if not os.path.isdir(output):
        if os.path.exists(output):
            raise OptionError("output", options.output, "is a file, not a folder")
        return
    interrupted = os.path.isdir(output / _SPOOL)
    if os.path.exists(output / FILE_NAME):
        if not interrupted or open_set(output).info.settings != _settings(options):
            raise DataError(
                f"{output} holds a prepared set already; choose another --output or remove it"
            )
        return
    with errors_of_writing(output):
        if not interrupted and any(output.iterdir()):
            raise DataError(
                f"the folder {output} holds something already; name another or empty it"
            )


def _prepare(options: PrepareOptions, output: Path, report: Report) -> DatasetInfo:
    if (output / FILE_NAME).exists():  # killed when only its spool was left to be removed
        _remove_spool(output)
        return open_set(output).info
    listing = layouts.list_items(options)
    if not listing.items:
        raise _nothing(options, listing.skipped)
    made = not output.exists()
    with errors_of_writing(output):
        output.mkdir(parents=True, exist_ok=True)
        try:
            _remove_ours(output)
            info = _write(options, output, listing, report)
        except BaseException:
            _remove_ours(output)
            if made:
                with contextlib.suppress(OSError):
                    output.rmdir()
            raise
        _remove_spool(output)
        return info


def _write(
    options: PrepareOptions, output: Path, listing: layouts.Listing, report: Report
) -> DatasetInfo:
    clips: list[Spooled] = []
    skipped = list(listing.skipped)
    spool = output / _SPOOL
    spool.mkdir()  # before any other file, and removed after all: the mark of unfinished work
    with contextlib.closing(read_all(listing.items, options, spool)) as results:
        for done, result in enumerate(results):
            report(f"reading {listing.layout}", done, len(listing.items))
            if isinstance(result, Skipped):
                skipped.append(result)
            else:
                clips += result
    report(f"reading {listing.layout}", len(listing.items), len(listing.items))

    in_split = splits.divide(clips, options)
    if not clips or (not in_split["train"] and options.test_fraction < 1):
        raise _nothing(options, skipped)
    written = 0
    written_splits = {}
    for split in SPLITS:
        ordered = sorted(in_split[split], key=lambda clip: splits.draw(options.seed, clip.name))
        shards = []
        for name, part in _shards(split, ordered):
            shards.append(_write_shard(output / name, part, options.resolution))
            written += len(part)
            report("writing shards", written, len(clips))
        written_splits[split] = Split(
            len(ordered), len({clip.video for clip in ordered}), tuple(shards)
        )

    info = DatasetInfo(
        resolution=options.resolution,
        frames=FRAMES,
        layout=listing.layout,
        fit=layouts.fit_of(options),
        settings=_settings(options),
        splits=written_splits,
        skipped=tuple(skipped),
    )
    info.write(output)
    return info


def _settings(options: PrepareOptions) -> dict[str, Any]:
    """The settings that the content depends on."""
    settings = dataclasses.asdict(options)
    return {name: value for name, value in settings.items() if name not in _NOT_SETTINGS}


def _remove_ours(output: Path) -> None:
    """Removes what an interrupted `prepare` left, and nothing else; without a spool, nothing."""
    if not (output / _SPOOL).is_dir():
        return
    (output / FILE_NAME).unlink(missing_ok=True)  # first: where it is, the set is whole
    for path in output.iterdir():
        # Temporary names end in the final one.
        name = re.sub(r"^\.tmp-\d+-", "", path.name)
        if SHARD_PATTERN.fullmatch(name) or name == FILE_NAME:
            path.unlink()
    _remove_spool(output)


def _remove_spool(output: Path) -> None:
    """The last thing to go, and the folder itself goes last."""
    shutil.rmtree(output / _SPOOL, ignore_errors=True)


def _nothing(options: PrepareOptions, skipped: Sequence[Skipped]) -> DataError:
    first = "; ".join(f"{item.item}: {item.reason}" for item in skipped[:3])
    more = f"; and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    source = options.source or options.layout
    return DataError(
        f"{source} holds no usable clip to train on ({first or 'empty'}{more}); give videos or "
        f"runs of {FRAMES} numbered pictures, or name another --layout"
    )


def _shards(split: str, clips: Sequence[Spooled]) -> Iterator[tuple[str, Sequence[Spooled]]]:
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


def _write_shard(path: Path, clips: Sequence[Spooled], resolution: int) -> Shard:
    # Loaded here: what is wrong with settings and footage is told at once.
    load_tensorflow()
    import tensorflow as tf

    from ssagan_tf.data import schema

    with replacing_file(path) as temporary:
        try:
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                for clip in clips:
                    writer.write(
                        schema.encode_clip(
                            clip.load(),
                            name=clip.name,
                            video=clip.video,
                            start=clip.start,
                            resolution=resolution,
                        )
                    )
        except tf.errors.OpError as error:
            raise DataError(f"cannot write {path}: {error.message}") from error
        checksum = sha256_of(temporary)
        size = temporary.stat().st_size
    return Shard(path.name, len(clips), size, checksum)
