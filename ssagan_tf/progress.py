"""Progress of long work: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from ssagan_tf.safe_names import escaped

SECONDS_BETWEEN_LINES = 10.0

Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much: `Progress.update` is one."""


class _NoteColumn(ProgressColumn):
    """What a narrow terminal has no room for is cut off, and not the numbers."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["note"], no_wrap=True, overflow="ellipsis")


class Progress:
    """Shows how far `total` pieces of work are, with a note and the time that is left.

    Args:
      what: The work, such as `train`.
      total: Number of pieces, or None if nobody knows.
      done: Pieces done before this began (a resumed run).
    """

    def __init__(self, what: str, total: int | None, done: int = 0):
        self._what, self._total = what, total
        self._first = self._done = done
        self._note = ""
        self._console = Console()
        self._bar: Bar | None = None
        self._began = self._printed_at = time.monotonic()

    def __enter__(self) -> Progress:
        if _can_animate(self._console):
            self._bar = Bar(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(table_column=Column(no_wrap=True)),
                _NoteColumn(),
                TimeRemainingColumn(table_column=Column(no_wrap=True)),
                console=self._console,
            )
            self._task = self._bar.add_task(
                self._what, total=self._total, completed=self._done, note=""
            )
            self._bar.start()
        return self

    def advance(self, pieces: int = 1, note: str | None = None) -> None:
        """Counts pieces as done; `note` (such as the losses) replaces the last one."""
        self._note = self._note if note is None else escaped(note)
        self.update(self._what, self._done + pieces, self._total)

    def update(self, what: str, done: int, total: int | None) -> None:
        """Says how far which work is; work of several stages calls this itself."""
        if what != self._what:
            self._first, self._began = done, time.monotonic()
        self._what, self._done, self._total = what, done, total
        if self._bar is not None:
            self._bar.update(
                self._task, description=what, completed=done, total=total, note=self._note
            )
        elif time.monotonic() - self._printed_at >= SECONDS_BETWEEN_LINES or (
            self._note and done == total
        ):
            self._printed_at = time.monotonic()
            print(self._line(), flush=True)

    def print(self, line: str) -> None:
        """Prints a line above the bar."""
        line = escaped(line)
        if self._bar is not None:
            self._bar.console.print(
                line, highlight=False, markup=False, emoji=False, soft_wrap=True
            )
        else:
            print(line, flush=True)

    def _line(self) -> str:
        parts = [f"{self._what}: {self._done}" + (f"/{self._total}" if self._total else "")]
        if self._note:
            parts.append(self._note)
        if self._total and self._done < self._total:
            pace = (time.monotonic() - self._began) / max(self._done - self._first, 1)
            minutes, seconds = divmod(round(pace * (self._total - self._done)), 60)
            parts.append(f"{minutes}:{seconds:02d} left")
        return " · ".join(parts)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _can_animate(console: Console) -> bool:
    if console.is_dumb_terminal or not console.is_terminal:
        return False
    # FORCE_COLOR makes pipes into terminals.
    return console.file is not sys.stdout or sys.stdout.isatty()
