"""`writer.prepare` as an Apache Beam pipeline (extra `beam`), for many machines.

The functions that read clips, assign them to shards and write a shard are the same.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ssagan_tf.data import layouts, upload
from ssagan_tf.data.dataset_info import SPLITS, DatasetInfo, Shard, Skipped, read_info
from ssagan_tf.data.reading import spool_item
from ssagan_tf.data.sharding import Sharding, shard_clips
from ssagan_tf.data.spool import ClipMetadata, SpooledClip
from ssagan_tf.data.writer import (
    check_output,
    describe_shard,
    is_interrupted,
    list_usable,
    write_shard,
)
from ssagan_tf.errors import DataError, missing_extra
from ssagan_tf.files import errors_of_writing
from ssagan_tf.options import PrepareOptions, require
from ssagan_tf.remote import AnyPath, RemotePath, as_path

ClipPosition = tuple[int, int]  # index of its item, and in the item


def prepare(options: PrepareOptions, arguments: Sequence[str] = ()) -> DatasetInfo:
    """Writes a prepared set with the same bytes as `writer.prepare`.

    Source and output are folders or addresses that all workers can access.

    Args:
      options: What to read and where to write; `workers` is ignored, as the runner decides.
      arguments: Beam's arguments, such as `--runner=FlinkRunner`.

    Raises:
      OptionError: A setting is missing or does not fit the source.
      DataError: Beam is not installed, there is no usable clip, the output cannot be written, or
        the pipeline failed.
    """
    layouts.check_source(options)
    require(options, "output")
    output = as_path(options.output)
    check_output(options, output)
    if is_interrupted(output):
        where = upload.staging_path(output) if isinstance(output, RemotePath) else output
        raise DataError(
            f"{where} contains the unfinished work of prepare; resume that, or choose another "
            "--output"
        )
    try:
        import apache_beam as beam
    except ImportError as error:
        raise missing_extra(error, "beam") from error
    listing = list_usable(options)
    created = isinstance(output, Path) and not output.exists()
    if isinstance(output, Path):
        with errors_of_writing(output):
            output.mkdir(parents=True, exist_ok=True)
    else:
        upload.clear(output)
    try:
        with beam.Pipeline(argv=list(arguments)) as pipeline:
            _build(beam, pipeline, options, listing, output)
    except Exception as error:  # runners wrap exceptions in their own
        if created:
            with contextlib.suppress(OSError):
                output.rmdir()
        raise DataError(f"the pipeline failed: {_why(error)}") from error
    return read_info(output)


def _why(error: BaseException) -> str:
    """The most informative line of a pipeline's error: one of this package, else the last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kinds = r"(NoUsableClipsError|DataError|RemoteStorageError): "
    ours = [line for line in lines if re.search(kinds, line)]
    if ours:
        return re.sub(f".*?{kinds}", "", ours[0])
    return lines[-1] if lines else type(error).__name__


def _build(
    beam: Any,
    pipeline: Any,
    options: PrepareOptions,
    listing: layouts.Listing,
    output: AnyPath,
) -> None:
    clips = (
        pipeline
        | "items" >> beam.Create(list(enumerate(listing.items)))
        | "spread" >> beam.Reshuffle()
        | "read" >> beam.FlatMap(_read, options)
    )
    metadata = clips | "metadata" >> beam.Map(lambda clip: clip[:2])
    sharding = (
        pipeline
        | "once" >> beam.Create([None])
        | "assign"
        >> beam.Map(_shard_clips, beam.pvalue.AsIter(metadata), tuple(listing.skipped), options)
    )
    positions = sharding | "positions" >> beam.Map(_positions)
    shards = (
        clips
        | "to shards" >> beam.FlatMap(_to_shard, beam.pvalue.AsSingleton(positions))
        | "by shard" >> beam.GroupByKey()
        | "write" >> beam.Map(_write, output, options.resolution)
    )
    _ = sharding | "describe" >> beam.Map(
        _describe, beam.pvalue.AsIter(shards), options, listing.layout, output
    )


def _read(
    numbered: tuple[int, layouts.Item], options: PrepareOptions
) -> Iterator[tuple[ClipPosition, ClipMetadata | Skipped, Sequence[bytes]]]:
    """The clips of an item, once it is known that all of it can be read."""
    number, item = numbered
    with tempfile.TemporaryDirectory() as folder:
        for index, clip in enumerate(spool_item(item, options, f"{folder}/item")):
            if isinstance(clip, SpooledClip):
                yield (number, index), clip.metadata(), clip.load()
            else:
                yield (number, index), clip, ()


def _shard_clips(
    _: None,
    found: Iterable[tuple[ClipPosition, ClipMetadata | Skipped]],
    skipped: Sequence[Skipped],
    options: PrepareOptions,
) -> Sharding[ClipMetadata]:
    in_order = [clip for _, clip in sorted(found, key=lambda positioned: positioned[0])]
    clips = [clip for clip in in_order if isinstance(clip, ClipMetadata)]
    also_skipped = [clip for clip in in_order if isinstance(clip, Skipped)]
    return shard_clips(clips, [*skipped, *also_skipped], options)


def _positions(sharding: Sharding[ClipMetadata]) -> dict[str, tuple[str, int]]:
    """The shard of each clip by name, and its index there."""
    return {
        clip.name: (shard, index)
        for split in SPLITS
        for shard, clips in sharding.shards[split].items()
        for index, clip in enumerate(clips)
    }


def _to_shard(
    clip: tuple[ClipPosition, ClipMetadata | Skipped, Sequence[bytes]],
    positions: dict[str, tuple[str, int]],
) -> Iterator[tuple[str, tuple[int, ClipMetadata, Sequence[bytes]]]]:
    _, metadata, frames = clip
    if isinstance(metadata, ClipMetadata) and metadata.name in positions:
        shard, index = positions[metadata.name]
        yield shard, (index, metadata, frames)


def _write(
    shard: tuple[str, Iterable[tuple[int, ClipMetadata, Sequence[bytes]]]],
    output: AnyPath,
    resolution: int,
) -> Shard:
    name, clips = shard
    ordered = sorted(clips, key=lambda clip: clip[0])
    path = output / name
    write_shard(path, (clip[1:] for clip in ordered), resolution)
    return describe_shard(path, [metadata for _, metadata, _ in ordered])


def _describe(
    sharding: Sharding[ClipMetadata],
    shards: Iterable[Shard],
    options: PrepareOptions,
    layout: str,
    output: AnyPath,
) -> None:
    sharding.info(options, layout, {shard.name: shard for shard in shards}).write(output)
