"""Reads footage in worker processes. The clips are spooled to disk, so that memory stays bounded.

Nothing here imports TensorFlow at the top, as the workers have no use for it.
"""

from __future__ import annotations

import collections
import dataclasses
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from ssagan_tf.data import layouts
from ssagan_tf.data.info import Skipped
from ssagan_tf.errors import DataError
from ssagan_tf.options import PrepareOptions

IN_FLIGHT = 32  # items per worker handed out beyond the one waited for


@dataclasses.dataclass(frozen=True)
class Spooled:
    """A clip whose frames wait in a file."""

    name: str
    video: str
    split: str | None
    start: int
    bytes: int
    path: str
    offset: int

    def load(self) -> tuple[bytes, ...]:
        """The frames, as JPEGs."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            return pickle.load(file)


def read_all(
    items: Sequence[layouts.Item], options: PrepareOptions, spool: Path
) -> Iterator[list[Spooled] | Skipped]:
    """Reads in worker processes; the results come in the order of the items.

    Args:
      items: What to read.
      options: How, and with how many `workers`.
      spool: Folder that takes a file per item.

    Raises:
      DataError: A worker died.
      OSError: The spool cannot be written.
    """
    jobs = ((item, options, str(spool / f"{index:08d}")) for index, item in enumerate(items))
    workers = min(options.workers or os.cpu_count() or 1, len(items))
    if workers == 1:
        yield from (_read(*job) for job in jobs)
        return
    before = set(multiprocessing.active_children())
    # Spawned, as TensorFlow's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start_worker
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


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """A worker would wait for ever for the next item of a parent that was killed."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _read(item: layouts.Item, options: PrepareOptions, path: str) -> list[Spooled] | Skipped:
    """Spools the clips of an item. Only errors of writing are raised."""
    spooled = []
    clips = item.clips(options)
    with open(path, "wb") as file:
        while True:
            try:
                clip = next(clips, None)
            except Exception as error:  # whatever a file does to its decoder, the others go on
                os.unlink(path)
                known = isinstance(error, DataError)
                return Skipped(item.name, str(error) if known else f"unreadable: {error!r}")
            if clip is None:
                return spooled
            size = sum(map(len, clip.frames))
            spooled.append(
                Spooled(clip.name, clip.video, item.split, clip.start, size, path, file.tell())
            )
            pickle.dump(clip.frames, file)
