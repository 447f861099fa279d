"""Adds up the time of the stages of a program, by wrapping its functions from outside."""

from __future__ import annotations

import collections
import contextlib
import functools
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")
_END = object()


class Stopwatch:
    """Seconds by stage. What a stage within another one takes counts for the inner one only.

    Attributes:
      seconds: Wall-clock time by name of the stage.
    """

    def __init__(self) -> None:
        self.seconds: collections.Counter[str] = collections.Counter()
        self._within = threading.local()  # seconds of the stages within the current one

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times what happens in this context."""
        beside = getattr(self._within, "seconds", 0.0)
        self._within.seconds, start = 0.0, time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self.seconds[name] += took - self._within.seconds
            self._within.seconds = beside + took

    def wrap(self, owner: Any, *attributes: str, name: str) -> None:
        """Replaces functions of a module or class by ones that are timed."""
        for attribute in attributes:
            setattr(owner, attribute, self.timed(getattr(owner, attribute), name))

    def timed(self, function: Any, name: str) -> Any:
        """Returns the function, timed."""

        @functools.wraps(function)
        def run(*arguments: Any, **settings: Any) -> Any:
            with self.stage(name):
                return function(*arguments, **settings)

        return run

    def each(self, items: Iterable[Item], name: str) -> Iterator[Item]:
        """Yields the items; times how long each takes to come."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                item = next(iterator, _END)
            if item is _END:
                return
            yield item
