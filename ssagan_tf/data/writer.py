"""From footage to a prepared set: reads, arranges, writes TFRecord shards; goes on after a kill.

The clips read are spooled to disk first, as the order of the records can be drawn only when all
are known. What is written depends on the source and the settings only, not on the number of
workers, nor on how often the work was interrupted.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ssagan_tf.data import inspection, layouts, spool, upload
from ssagan_tf.data.dataset_info import (
    FILE_NAME,
    SPLITS,
    DatasetInfo,
    Shard,
    Skipped,
    open_set,
    read_info,
)
from ssagan_tf.data.layouts.folders import VIDEOS, suffix_of
from ssagan_tf.data.output_folder import (
    KEPT,
    SPOOL,
    holds_a_set,
    holds_something,
    is_ours,
    keep_or_clear,
)
from ssagan_tf.data.reading import read_all
from ssagan_tf.data.sharding import NoUsableClipsError, arrange, no_usable_clips, settings_of
from ssagan_tf.data.spool import PART, ClipMetadata, SpooledClip
from ssagan_tf.errors import DataError, require_extra
from ssagan_tf.files import (
    LOCK_FILE,
    errors_of_writing,
    locked_folder,
    refuse_links,
    replacing_file,
    sha256_of,
)
from ssagan_tf.options import OptionError, PrepareOptions, original_names, require
from ssagan_tf.progress import Report
from ssagan_tf.remote import AnyPath, RemotePath, StoreError, as_path, why_unreachable
from ssagan_tf.startup import load_tensorflow

VERSION = 1  # of what is written for given settings and files
_PLAN = "plan"  # in the spool: of which settings and files its content is


def prepare(options: PrepareOptions, report: Report = lambda *_: None) -> DatasetInfo:
    """Writes a prepared set; `dataset_info.json` comes last and marks it as whole.

    What an interrupted `prepare` of the same settings and files has finished is used; what one of
    others left in the output is removed, and nothing else.

    Args:
      options: What to read and where to write.
      report: Called as the work goes on.

    Raises:
      OptionError: A setting is missing or does not fit the source.
      DataError: There is no usable clip, or the output cannot be written, holds something, or is
        being written by another process.
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
    if options.inspect:
        require_extra("evaluate", "matplotlib")
    output = as_path(options.output)
    check_output(options, output)
    work = _prepare_there if isinstance(output, RemotePath) else _prepare_here
    return functools.partial(work, options, output)


def check_output(options: PrepareOptions, output: AnyPath) -> None:
    """Checks that a set may be written into a folder.

    Raises:
      OptionError: It is a file, or cannot be reached.
      DataError: It holds something that is not the rest of an interrupted `prepare`.
    """
    if why := why_unreachable(output):
        raise OptionError("output", options.output, why)
    if not output.is_dir():
        if output.exists():
            raise OptionError("output", options.output, "is a file, not a folder")
        return
    if isinstance(output, RemotePath):
        upload.check(output, settings_of(options))
        return
    interrupted = is_interrupted(output)
    if interrupted:
        with errors_of_writing(output):
            ours = [path for path in output.iterdir() if path.name == SPOOL or is_ours(path.name)]
        refuse_links(ours, ", which no interrupted prepare leaves; remove it")
    if os.path.exists(output / FILE_NAME):
        if not interrupted or open_set(output).info.settings != settings_of(options):
            raise holds_a_set(output)
        return
    with errors_of_writing(output):
        if not interrupted and any(output.iterdir()):
            raise holds_something(output)


def is_interrupted(output: AnyPath) -> bool:
    """Whether an earlier `prepare` into this folder did not come to its end."""
    if isinstance(output, RemotePath):
        return upload.is_begun(output)
    return os.path.isdir(output / SPOOL)


def list_usable(options: PrepareOptions) -> layouts.Listing:
    """What there is to read.

    Raises:
      OptionError: The layout cannot be told, or the list cannot be read.
      NoUsableClipsError: Nothing of the source is a clip to be.
    """
    listing = layouts.list_items(options)
    if not listing.items:
        raise no_usable_clips(options, listing.skipped)
    return listing


def _prepare_here(options: PrepareOptions, output: Path, report: Report) -> DatasetInfo:
    if (output / FILE_NAME).exists():  # killed when only its spool was left to be removed
        _remove_spool(output)
        return open_set(output).info
    listing = list_usable(options)
    return _prepare_listed(options, listing, _digest(options, listing), output, report)


def _prepare_there(options: PrepareOptions, output: RemotePath, report: Report) -> DatasetInfo:
    listing = list_usable(options)
    digest = _digest(options, listing)
    with upload.workplace(output, digest) as folder:
        if (folder / FILE_NAME).exists():  # interrupted when it was sent
            _remove_spool(folder)
            try:
                open_set(folder)
            except DataError:  # somebody has tidied up there
                shutil.rmtree(folder)
        if (folder / FILE_NAME).exists():
            info = read_info(folder)
        else:
            info = _prepare_listed(options, listing, digest, folder, report)
        upload.send(folder, output, report)
    return info


def _prepare_listed(
    options: PrepareOptions, listing: layouts.Listing, digest: str, output: Path, report: Report
) -> DatasetInfo:
    made = not output.exists()
    with errors_of_writing(output):
        output.mkdir(parents=True, exist_ok=True)
        # Made before any other file and removed after all: the mark of unfinished work.
        with locked_folder(output / SPOOL):
            if (output / FILE_NAME).exists():  # by another process, while this one was listing
                _remove_spool(output)
                raise DataError(f"{output} holds a prepared set by now; choose another --output")
            try:
                with _errors_of_reading():
                    _keep_or_clear(output, digest)
                    _discard_others(output)
                    info = _write(options, output, listing, report)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(KEPT) from None
            except BaseException as error:
                if not isinstance(error, NoUsableClipsError) and _has_finished(output):
                    _keep(error, output)
                _clear(output)
                _remove_spool(output)
                if made:
                    with contextlib.suppress(OSError):
                        output.rmdir()
                raise
        _remove_spool(output)
        return info


def _write(
    options: PrepareOptions, output: Path, listing: layouts.Listing, report: Report
) -> DatasetInfo:
    clips: list[SpooledClip] = []
    skipped = list(listing.skipped)
    what, items = f"reading {listing.layout}", listing.items
    with contextlib.closing(read_all(items, options, output / SPOOL)) as results:
        for done, result in enumerate(results):
            report(what, done, len(items))
            for one in result:
                (skipped if isinstance(one, Skipped) else clips).append(one)
    report(what, len(items), len(items))

    arrangement = arrange(clips, skipped, options)
    total = sum(len(arrangement.clips(split)) for split in SPLITS)
    written: dict[str, Shard] = {}
    for split in SPLITS:
        for name, part in arrangement.shards[split].items():
            path = output / name
            if not path.exists():  # it has this name once it is whole
                write_shard(path, ((clip, clip.load()) for clip in part), options.resolution)
            written[name] = shard_of(path, part)
            report("writing shards", sum(shard.clips for shard in written.values()), total)
    if options.inspect:
        inspection.draw(output, {split: arrangement.clips(split) for split in SPLITS}, options)
    info = arrangement.info(options, listing.layout, written)
    info.write(output)
    return info


def _digest(options: PrepareOptions, listing: layouts.Listing) -> str:
    """What the content of the spool depends on: the settings, and the files that are read."""
    digest = hashlib.sha256(json.dumps([VERSION, original_names(settings_of(options))]).encode())
    for item in listing.items:
        digest.update(repr((item.name, item.video, item.split)).encode())
        for path in item.paths:
            there = as_path(path)
            if isinstance(there, RemotePath) and suffix_of(path) not in VIDEOS:
                digest.update(path.encode())  # to ask would take a request for each picture
                continue
            try:
                stat = there.stat()
            except StoreError as error:
                raise DataError(f"cannot read {path}: {error.strerror}") from error
            except OSError:  # shows when it is read
                continue
            digest.update(os.fsencode(f"{path} {stat.st_size} {stat.st_mtime_ns}"))
    return digest.hexdigest()


def _keep_or_clear(output: Path, digest: str) -> None:
    """Leaves there what was finished of the same settings and files, and nothing else of ours."""
    keep_or_clear(output / SPOOL / _PLAN, digest, functools.partial(_clear, output))
    for path in output.glob(".tmp-*"):
        if is_ours(path.name):
            path.unlink()


def _discard_others(output: Path) -> None:
    """Says what of the spool another version wrote, or a fault damaged: it is read again."""
    if lines := spool.discard_others(output / SPOOL):
        more = f", and {len(lines) - 1} more" if len(lines) > 1 else ""
        print(f"{lines[0]}{more}; what they were of is read again", flush=True)


def _clear(output: Path) -> None:
    """Removes what an interrupted `prepare` left, and nothing else; the spool's lock stays."""
    (output / FILE_NAME).unlink(missing_ok=True)  # first: where it is, the set is whole
    for path in output.iterdir():
        if is_ours(path.name):
            path.unlink()
    for path in (output / SPOOL).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK_FILE:
            path.unlink()


@contextlib.contextmanager
def _errors_of_reading() -> Iterator[None]:
    """A source's store that fails is not an output that cannot be written."""
    try:
        yield
    except StoreError as error:
        raise DataError(f"cannot read {error.filename}: {error.strerror}") from error


def _has_finished(output: Path) -> bool:
    return any(path.suffix != PART for path in (output / SPOOL).glob("*/*"))


def _keep(error: BaseException, output: Path) -> None:
    """Raises an error that says how to go on, where the error is one of the data or the disk."""
    if isinstance(error, DataError):
        raise DataError(f"{error}; {KEPT}") from error
    if isinstance(error, OSError):
        why = error.strerror or error
        raise DataError(f"cannot write {output}: {why}; {KEPT}") from error
    raise error


def _remove_spool(output: Path) -> None:
    """The last thing to go, and the folder itself goes last."""
    shutil.rmtree(output / SPOOL, ignore_errors=True)


def shard_of(path: AnyPath, clips: Sequence[ClipMetadata]) -> Shard:
    """The description of a shard that was written, of its clips in order."""
    drifts = tuple(clip.drift for clip in clips if clip.drift is not None)
    return Shard(path.name, len(clips), path.stat().st_size, sha256_of(path), drifts)


def write_shard(
    path: AnyPath, clips: Iterable[tuple[ClipMetadata, Sequence[bytes]]], resolution: int
) -> None:
    """Writes a shard as a whole or not at all.

    Args:
      path: Its file.
      clips: What they are, and their frames as JPEGs.
      resolution: Side of the frames.

    Raises:
      DataError: It cannot be written.
    """
    # Loaded here: what is wrong with settings and footage is told at once.
    load_tensorflow()
    import tensorflow as tf

    from ssagan_tf.data import schema

    with replacing_file(path) as temporary:
        try:
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                for clip, frames in clips:
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
