"""Reads footage in worker processes. The clips are spooled to disk, so that memory stays bounded.

A file of the spool has its name once it is whole, so what was read before a kill is not read again.
Nothing here imports TensorFlow at the top, as the workers have no use for it.
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
from ssagan_tf.remote import StoreError

IN_FLIGHT = 32  # items per worker handed out beyond the one waited for
_PER_FOLDER = 1000


def read_item(
    item: layouts.Item, options: PrepareOptions
) -> Iterator[tuple[ClipMetadata, tuple[bytes, ...]] | Skipped]:
    """Reads the clips of an item: what they are, and their frames as JPEGs.

    Raises:
      layouts.Unusable: Nothing of the item is to be used, not even what came before.
      StoreError: The store it lies in fails; another time it may be read.
    """
    clips = item.clips(options)
    while True:
        try:
            clip = next(clips, None)
        except StoreError:
            raise
        except Exception as error:  # whatever a file does to its decoder, the others go on
            known = isinstance(error, DataError)
            reason = str(error) if known else f"unreadable: {error!r}"
            raise layouts.Unusable(Skipped(item.name, reason)) from error
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
    """Reads in worker processes; the results come in the order of the items.

    Args:
      items: What to read; what the spool has of them already is not read again.
      options: How, and with how many `workers`.
      folder: The spool, which takes a file per item.

    Raises:
      DataError: A worker died.
      OSError: The spool cannot be written, or as StoreError the source read.
    """
    jobs = ((item, options, _place(folder, index)) for index, item in enumerate(items))
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
            "a worker process died, perhaps for want of memory; try fewer --workers"
        ) from error
    except BaseException:  # Ctrl-C: a long video is not waited for
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
    """A worker would wait for ever for the next item of a parent that was killed."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _place(folder: Path, index: int) -> str:
    """Not too many files in a folder."""
    return str(folder / f"{index // _PER_FOLDER:05d}" / f"{index % _PER_FOLDER:03d}")


def spool_item(
    item: layouts.Item, options: PrepareOptions, path: str
) -> list[SpooledClip | Skipped]:
    """Reads the clips of an item into a file, unless that is done.

    Raises:
      OSError: It cannot be written, or as StoreError read. Nothing else is raised.
    """
    if os.path.exists(path):
        try:
            return spool.load(path)
        except DataError as error:
            print(f"{error}; what it was of is read again", flush=True)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with spool.writing(path) as file:
        try:
            for one in read_item(item, options):
                file.add(one)
        except layouts.Unusable as error:
            file.restart()
            file.add(error.skipped)
    return file.results
