"""Makes a prepared set from footage: reads clips, assigns them to shards, writes TFRecords.

Clips are spooled to disk first, as records can be shuffled only when all of them are known. An
interrupted run resumes. The output depends on source and settings only, not on the number of
workers or interruptions.
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
    RESUME,
    SPOOL,
    already_prepared,
    clear_if_changed,
    is_output_file,
)
from ssagan_tf.data.reading import READER_VERSION, read_all
from ssagan_tf.data.sharding import NoUsableClipsError, no_usable_clips, settings_of, shard_clips
from ssagan_tf.data.spool import PART, ClipMetadata, SpooledClip
from ssagan_tf.errors import DataError, require_extra
from ssagan_tf.files import (
    LOCK_FILE,
    errors_of_writing,
    locked_folder,
    not_empty_error,
    refuse_links,
    replacing_file,
    sha256_of,
)
from ssagan_tf.options import OptionError, PrepareOptions, original_names, require
from ssagan_tf.progress import ProgressCallback
from ssagan_tf.remote import AnyPath, RemotePath, RemoteStorageError, as_path, why_unreachable
from ssagan_tf.startup import load_tensorflow

_DIGEST_FILE = "plan"  # in the spool: digest of the settings and source files it is made from


def prepare(options: PrepareOptions, report: ProgressCallback = lambda *_: None) -> DatasetInfo:
    """Writes a prepared set; `dataset_info.json` comes last and marks it as complete.

    Resumes an interrupted `prepare` with the same settings and source files. Leftovers of
    one with others are removed; no other files are.

    Args:
      options: What to read and where to write.
      report: Called with the progress.

    Raises:
      OptionError: A setting is missing or does not fit the source.
      DataError: There is no usable clip, or the output cannot be written, contains other files, or
        is in use by another process.
    """
    return plan(options)(report)


def plan(options: PrepareOptions) -> Callable[[ProgressCallback], DatasetInfo]:
    """Checks settings, source and output before any work is done.

    Returns:
      A function that does the work of `prepare`.

    Raises:
      OptionError: A setting is missing or does not fit the source.
      DataError: The output contains files that no interrupted `prepare` left.
    """
    layouts.check_source(options)
    require(options, "output")
    if options.inspect:
        require_extra("evaluate", "matplotlib")
    output = as_path(options.output)
    check_output(options, output)
    work = _prepare_remote if isinstance(output, RemotePath) else _prepare_local
    return functools.partial(work, options, output)


def check_output(options: PrepareOptions, output: AnyPath) -> None:
    """Checks that a set may be written into a folder.

    Raises:
      OptionError: It is a file, or cannot be reached.
      DataError: It contains files that no interrupted `prepare` left.
    """
    if why := why_unreachable(output):
        raise OptionError("output", options.output, why)
    if not output.is_dir():
        if output.exists():
            raise OptionError("output", options.output, "is not a directory")
        return
    if isinstance(output, RemotePath):
        upload.check_output(output, settings_of(options))
        return
    interrupted = is_interrupted(output)
    if interrupted:
        with errors_of_writing(output):
            leftovers = [p for p in output.iterdir() if p.name == SPOOL or is_output_file(p.name)]
        refuse_links(leftovers, ", which no interrupted prepare leaves; remove it")
    if os.path.exists(output / FILE_NAME):
        if not interrupted or open_set(output).info.settings != settings_of(options):
            raise already_prepared(output)
        return
    with errors_of_writing(output):
        if not interrupted and any(output.iterdir()):
            raise not_empty_error(output)


def is_interrupted(output: AnyPath) -> bool:
    """Returns whether an earlier `prepare` with this output was interrupted."""
    if isinstance(output, RemotePath):
        return upload.is_interrupted(output)
    return os.path.isdir(output / SPOOL)


def list_usable(options: PrepareOptions) -> layouts.Listing:
    """Lists what there is to read.

    Raises:
      OptionError: The layout cannot be detected, or the list cannot be read.
      NoUsableClipsError: Nothing in the source can become a clip.
    """
    listing = layouts.list_items(options)
    if not listing.items:
        raise no_usable_clips(options, listing.skipped)
    return listing


def _prepare_local(options: PrepareOptions, output: Path, report: ProgressCallback) -> DatasetInfo:
    if (output / FILE_NAME).exists():  # killed while the spool was being removed
        _remove_spool(output)
        return open_set(output).info
    listing = list_usable(options)
    return _prepare_listed(options, listing, _digest(options, listing), output, report)


def _prepare_remote(
    options: PrepareOptions, output: RemotePath, report: ProgressCallback
) -> DatasetInfo:
    listing = list_usable(options)
    digest = _digest(options, listing)
    with upload.staging_folder(output, digest) as folder:
        if (folder / FILE_NAME).exists():  # the upload was interrupted
            _remove_spool(folder)
            try:
                open_set(folder)
            except DataError:  # the temporary folder was cleaned up
                shutil.rmtree(folder)
        if (folder / FILE_NAME).exists():
            info = read_info(folder)
        else:
            info = _prepare_listed(options, listing, digest, folder, report)
        upload.upload_set(folder, output, report)
    return info


def _prepare_listed(
    options: PrepareOptions,
    listing: layouts.Listing,
    digest: str,
    output: Path,
    report: ProgressCallback,
) -> DatasetInfo:
    created = not output.exists()
    with errors_of_writing(output):
        output.mkdir(parents=True, exist_ok=True)
        # Created before any other file and removed after all of them: it marks unfinished work.
        with locked_folder(output / SPOOL):
            if (output / FILE_NAME).exists():  # from another process, while this one was listing
                _remove_spool(output)
                raise DataError(f"{output} now contains a prepared set; choose another --output")
            try:
                with _errors_of_reading():
                    _clear_outdated(output, digest)
                    _discard_unusable(output)
                    info = _write(options, output, listing, report)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(RESUME) from None
            except BaseException as error:
                if not isinstance(error, NoUsableClipsError) and _has_spooled(output):
                    _raise_resumable(error, output)
                _clear(output)
                _remove_spool(output)
                if created:
                    with contextlib.suppress(OSError):
                        output.rmdir()
                raise
        _remove_spool(output)
        return info


def _write(
    options: PrepareOptions, output: Path, listing: layouts.Listing, report: ProgressCallback
) -> DatasetInfo:
    clips: list[SpooledClip] = []
    skipped = list(listing.skipped)
    what, items = f"reading {listing.layout}", listing.items
    with contextlib.closing(read_all(items, options, output / SPOOL)) as results:
        for done, result in enumerate(results):
            report(what, done, len(items))
            for clip in result:
                (skipped if isinstance(clip, Skipped) else clips).append(clip)
    report(what, len(items), len(items))

    sharding = shard_clips(clips, skipped, options)
    total = sum(len(sharding.clips(split)) for split in SPLITS)
    written: dict[str, Shard] = {}
    for split in SPLITS:
        for name, in_shard in sharding.shards[split].items():
            path = output / name
            if not path.exists():  # it gets its name when it is complete
                write_shard(path, ((clip, clip.load()) for clip in in_shard), options.resolution)
            written[name] = describe_shard(path, in_shard)
            report("writing shards", sum(shard.clips for shard in written.values()), total)
    if options.inspect:
        inspection.draw(output, {split: sharding.clips(split) for split in SPLITS}, options)
    info = sharding.info(options, listing.layout, written)
    info.write(output)
    return info


def _digest(options: PrepareOptions, listing: layouts.Listing) -> str:
    """Digest of what the spool depends on: this version's reader, settings, and source files."""
    settings = original_names(settings_of(options))  # so that renaming one changes nothing
    digest = hashlib.sha256(json.dumps([READER_VERSION, settings]).encode())
    for item in listing.items:
        digest.update(repr((item.name, item.video, item.split)).encode())
        for path in item.paths:
            file = as_path(path)
            if isinstance(file, RemotePath) and suffix_of(path) not in VIDEOS:
                digest.update(path.encode())  # a stat would take a request for each image
                continue
            try:
                stat = file.stat()
            except RemoteStorageError as error:
                raise DataError(f"cannot read {path}: {error.strerror}") from error
            except OSError:  # reported when it is read
                continue
            digest.update(os.fsencode(f"{path} {stat.st_size} {stat.st_mtime_ns}"))
    return digest.hexdigest()


def _clear_outdated(output: Path, digest: str) -> None:
    """Removes leftovers of another digest, and temporary files."""
    clear_if_changed(output / SPOOL / _DIGEST_FILE, digest, functools.partial(_clear, output))
    for path in output.glob(".tmp-*"):
        if is_output_file(path.name):
            path.unlink()


def _discard_unusable(output: Path) -> None:
    """Removes spool files that are damaged or from another version; their items are read again."""
    if lines := spool.discard_unusable(output / SPOOL):
        more = f", and {len(lines) - 1} more" if len(lines) > 1 else ""
        print(f"{lines[0]}{more}; reading the footage again", flush=True)


def _clear(output: Path) -> None:
    """Removes what an interrupted `prepare` left, except the spool's lock."""
    (output / FILE_NAME).unlink(missing_ok=True)  # first, as it marks a complete set
    for path in output.iterdir():
        if is_output_file(path.name):
            path.unlink()
    for path in (output / SPOOL).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK_FILE:
            path.unlink()


@contextlib.contextmanager
def _errors_of_reading() -> Iterator[None]:
    """Reports failing storage of the source as an error of reading, not of writing."""
    try:
        yield
    except RemoteStorageError as error:
        raise DataError(f"cannot read {error.filename}: {error.strerror}") from error


def _has_spooled(output: Path) -> bool:
    return any(path.suffix != PART for path in (output / SPOOL).glob("*/*"))


def _raise_resumable(error: BaseException, output: Path) -> None:
    """Raises an error about data or disk with the advice to resume, another as it is."""
    if isinstance(error, DataError):
        raise DataError(f"{error}; {RESUME}") from error
    if isinstance(error, OSError):
        why = error.strerror or error
        raise DataError(f"cannot write {output}: {why}; {RESUME}") from error
    raise error


def _remove_spool(output: Path) -> None:
    shutil.rmtree(output / SPOOL, ignore_errors=True)


def describe_shard(path: AnyPath, clips: Sequence[ClipMetadata]) -> Shard:
    """Returns the description of a written shard, which has these clips in order."""
    drifts = tuple(clip.drift for clip in clips if clip.drift is not None)
    return Shard(path.name, len(clips), path.stat().st_size, sha256_of(path), drifts)


def write_shard(
    path: AnyPath, clips: Iterable[tuple[ClipMetadata, Sequence[bytes]]], resolution: int
) -> None:
    """Writes a shard atomically.

    Args:
      path: Its file.
      clips: Metadata of each clip, and its frames as JPEGs.
      resolution: Height and width of the frames in pixels.

    Raises:
      DataError: It cannot be written.
    """
    # Loaded late, so that errors in settings and footage are reported at once.
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
