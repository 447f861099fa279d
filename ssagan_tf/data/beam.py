"""`writer.prepare` as an Apache Beam pipeline (extra `beam`): the same set, made by many machines.

The functions that read a clip, arrange the set and write a shard are the same.
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
from ssagan_tf.data.sharding import Sharding, arrange
from ssagan_tf.data.spool import ClipMetadata, SpooledClip
from ssagan_tf.data.writer import (
    check_output,
    is_interrupted,
    list_usable,
    shard_of,
    write_shard,
)
from ssagan_tf.errors import DataError, missing_extra
from ssagan_tf.files import errors_of_writing
from ssagan_tf.options import PrepareOptions, require
from ssagan_tf.remote import AnyPath, RemotePath, as_path

ClipPosition = tuple[int, int]  # of a clip among all: number of its item, number in the item


def prepare(options: PrepareOptions, arguments: Sequence[str] = ()) -> DatasetInfo:
    """Writes a prepared set, byte by byte what `writer.prepare` writes.

    Source and output are folders, or addresses, that all workers see.

    Args:
      options: What to read and where to write; `workers` is the runner's to say.
      arguments: Beam's own, such as `--runner=FlinkRunner`.

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
        where = upload.folder_of(output) if isinstance(output, RemotePath) else output
        raise DataError(
            f"{where} holds what an interrupted prepare has finished; go on with that, or name "
            "another --output"
        )
    try:
        import apache_beam as beam
    except ImportError as error:
        raise missing_extra(error, "beam") from error
    listing = list_usable(options)
    made = isinstance(output, Path) and not output.exists()
    if isinstance(output, Path):
        with errors_of_writing(output):
            output.mkdir(parents=True, exist_ok=True)
    else:
        upload.clear(output)
    try:
        with beam.Pipeline(argv=list(arguments)) as pipeline:
            _build(beam, pipeline, options, listing, output)
    except Exception as error:  # runners wrap what was raised in kinds of their own
        if made:
            with contextlib.suppress(OSError):
                output.rmdir()
        raise DataError(f"the pipeline failed: {_why(error)}") from error
    return read_info(output)


def _why(error: BaseException) -> str:
    """The line of a pipeline's error that tells most: of ours, else the last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours = [
        line for line in lines if re.search(r"(NoUsableClipsError|DataError|StoreError): ", line)
    ]
    if ours:
        return re.sub(r".*?(NoUsableClipsError|DataError|StoreError): ", "", ours[0])
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
    metadata = clips | "metadata" >> beam.Map(lambda one: one[:2])
    arrangement = (
        pipeline
        | "once" >> beam.Create([None])
        | "arrange"
        >> beam.Map(_arrange, beam.pvalue.AsIter(metadata), tuple(listing.skipped), options)
    )
    places = arrangement | "places" >> beam.Map(_places)
    shards = (
        clips
        | "to shards" >> beam.FlatMap(_to_shard, beam.pvalue.AsSingleton(places))
        | "by shard" >> beam.GroupByKey()
        | "write" >> beam.Map(_write, output, options.resolution)
    )
    _ = arrangement | "describe" >> beam.Map(
        _describe, beam.pvalue.AsIter(shards), options, listing.layout, output
    )


def _read(
    numbered: tuple[int, layouts.Item], options: PrepareOptions
) -> Iterator[tuple[ClipPosition, ClipMetadata | Skipped, Sequence[bytes]]]:
    """The clips of an item, once it is known that all of it can be read."""
    number, item = numbered
    with tempfile.TemporaryDirectory() as folder:
        for index, one in enumerate(spool_item(item, options, f"{folder}/item")):
            if isinstance(one, SpooledClip):
                yield (number, index), one.metadata(), one.load()
            else:
                yield (number, index), one, ()


def _arrange(
    _: None,
    found: Iterable[tuple[ClipPosition, ClipMetadata | Skipped]],
    skipped: Sequence[Skipped],
    options: PrepareOptions,
) -> Sharding[ClipMetadata]:
    in_order = [one for _, one in sorted(found, key=lambda one: one[0])]
    clips = [one for one in in_order if isinstance(one, ClipMetadata)]
    left_out = [one for one in in_order if isinstance(one, Skipped)]
    return arrange(clips, [*skipped, *left_out], options)


def _places(arrangement: Sharding[ClipMetadata]) -> dict[str, tuple[str, int]]:
    """Shard and place in it of each clip."""
    return {
        clip.name: (shard, place)
        for split in SPLITS
        for shard, clips in arrangement.shards[split].items()
        for place, clip in enumerate(clips)
    }


def _to_shard(
    clip: tuple[ClipPosition, ClipMetadata | Skipped, Sequence[bytes]],
    places: dict[str, tuple[str, int]],
) -> Iterator[tuple[str, tuple[int, ClipMetadata, Sequence[bytes]]]]:
    _, metadata, frames = clip
    if isinstance(metadata, ClipMetadata) and metadata.name in places:
        shard, place = places[metadata.name]
        yield shard, (place, metadata, frames)


def _write(
    shard: tuple[str, Iterable[tuple[int, ClipMetadata, Sequence[bytes]]]],
    output: AnyPath,
    resolution: int,
) -> Shard:
    name, clips = shard
    ordered = sorted(clips, key=lambda clip: clip[0])
    path = output / name
    write_shard(path, (clip[1:] for clip in ordered), resolution)
    return shard_of(path, [metadata for _, metadata, _ in ordered])


def _describe(
    arrangement: Sharding[ClipMetadata],
    shards: Iterable[Shard],
    options: PrepareOptions,
    layout: str,
    output: AnyPath,
) -> None:
    arrangement.info(options, layout, {shard.name: shard for shard in shards}).write(output)
