"""Reads footage in worker processes, and spools the clips to disk, which bounds memory.

A spool file gets its name when it is complete, so what was read before a kill is not read again.
Nothing here imports TensorFlow, as the workers do not need it.
"""

from __future__ import annotations

import collections
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from ssagan_tf import terminal
from ssagan_tf.data import layouts, spool
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.spool import ClipMetadata, SpooledClip
from ssagan_tf.errors import DataError
from ssagan_tf.options import PrepareOptions
from ssagan_tf.remote import RemoteStorageError

READER_VERSION = 2  # raise it whenever the same footage gives other clips or pixels
IN_FLIGHT = 32  # items per worker that are submitted ahead
_FILES_PER_FOLDER = 1000


def read_item(
    item: layouts.Item, options: PrepareOptions
) -> Iterator[tuple[ClipMetadata, tuple[bytes, ...]] | Skipped]:
    """Reads the clips of an item, and yields their metadata and their frames as JPEGs.

    Raises:
      layouts.UnusableItemError: The item is broken; clips that it yielded before must not be used.
      RemoteStorageError: Its storage fails, perhaps temporarily.
    """
    clips = item.clips(options)
    while True:
        try:
            clip = next(clips, None)
        except RemoteStorageError:
            raise
        except Exception as error:  # whatever a decoder raises, other items can be read
            known = isinstance(error, DataError)
            reason = str(error) if known else f"unreadable: {error!r}"
            raise layouts.UnusableItemError(Skipped(item.name, reason)) from error
        if clip is None:
            return
        if isinstance(clip, Skipped):
            yield clip
            continue
        metadata = ClipMetadata(
            name=clip.name,
            video=clip.video,
            split=item.split,
            start=clip.start,
            bytes=sum(map(len, clip.frames)),
            motion=clip.motion,
            hashes=clip.hashes,
            drift=clip.drift,
        )
        yield metadata, clip.frames


def read_all(
    items: Sequence[layouts.Item], options: PrepareOptions, folder: Path
) -> Iterator[list[SpooledClip | Skipped]]:
    """Reads items in worker processes, and yields the results in their order.

    Args:
      items: What to read; items that are in the spool are not read again.
      options: How to read, and with how many `workers`.
      folder: The spool, which gets a file per item.

    Raises:
      DataError: A worker died.
      OSError: The spool cannot be written, or as RemoteStorageError, the source cannot be read.
    """
    jobs = ((item, options, _spool_path(folder, index)) for index, item in enumerate(items))
    workers = min(options.workers or os.cpu_count() or 1, len(items))
    if workers == 1:
        yield from (spool_item(*job) for job in jobs)
        return
    before = set(multiprocessing.active_children())
    # Spawned, as TensorFlow's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    waiting: collections.deque[Future] = collections.deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(spool_item, *job))
            if len(waiting) > IN_FLIGHT * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DataError(
            "a worker process died, perhaps out of memory; try fewer --workers"
        ) from error
    except BaseException:  # on Ctrl-C, do not wait until long videos are read
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    terminal.harden_streams()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """Otherwise a worker would wait forever for the next item of a killed parent."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _spool_path(folder: Path, index: int) -> str:
    """In subfolders of a limited number of files."""
    subfolder, number = divmod(index, _FILES_PER_FOLDER)
    return str(folder / f"{subfolder:05d}" / f"{number:03d}")


def spool_item(
    item: layouts.Item, options: PrepareOptions, path: str
) -> list[SpooledClip | Skipped]:
    """Reads the clips of an item into a file, unless it exists.

    Raises:
      OSError: It cannot be written, or as RemoteStorageError, the item cannot be read. Nothing
        else is raised.
    """
    if os.path.exists(path):
        try:
            return spool.load(path)
        except DataError as error:
            print(f"{error}; reading the footage again", flush=True)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with spool.writing(path) as file:
        try:
            for clip in read_item(item, options):
                file.add(clip)
        except layouts.UnusableItemError as error:
            file.restart()
            file.add(error.skipped)
    return file.results
