"""Progress of long work: a bar on a terminal, an occasional line of text elsewhere."""

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

ProgressCallback = Callable[[str, int, int], None]
"""Called with the stage, the finished steps and their total, such as `Progress.update`."""


class _NoteColumn(ProgressColumn):
    """The note, which is shortened on a narrow terminal, unlike the numbers."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["note"], no_wrap=True, overflow="ellipsis")


class Progress:
    """Shows the progress of `total` steps, with a note and the remaining time.

    Args:
      stage: Name of the work, such as `train`.
      total: Number of steps; None if unknown.
      done: Steps finished before (of a resumed run).
    """

    def __init__(self, stage: str, total: int | None, done: int = 0):
        self._stage, self._total = stage, total
        self._initial = self._done = done
        self._note = ""
        self._console = Console()
        self._bar: Bar | None = None
        self._started = self._printed_at = time.monotonic()

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
                self._stage, total=self._total, completed=self._done, note=""
            )
            self._bar.start()
        return self

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """Counts further steps as finished; a `note` (such as the losses) replaces the last one."""
        self._note = self._note if note is None else escaped(note)
        self.update(self._stage, self._done + steps, self._total)

    def update(self, stage: str, done: int, total: int | None) -> None:
        """Sets stage, finished steps and total; for work of several stages."""
        if stage != self._stage:
            self._initial, self._started = done, time.monotonic()
        self._stage, self._done, self._total = stage, done, total
        if self._bar is not None:
            self._bar.update(
                self._task, description=stage, completed=done, total=total, note=self._note
            )
        elif time.monotonic() - self._printed_at >= SECONDS_BETWEEN_LINES or (
            self._note and done == total
        ):
            self._printed_at = time.monotonic()
            print(self._line(), flush=True)

    def print(self, line: str) -> None:
        """Prints a line, above the bar if there is one."""
        line = escaped(line)
        if self._bar is not None:
            self._bar.console.print(
                line, highlight=False, markup=False, emoji=False, soft_wrap=True
            )
        else:
            print(line, flush=True)

    def _line(self) -> str:
        parts = [f"{self._stage}: {self._done}" + (f"/{self._total}" if self._total else "")]
        if self._note:
            parts.append(self._note)
        if self._total and self._done < self._total:
            pace = (time.monotonic() - self._started) / max(self._done - self._initial, 1)
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
    # With FORCE_COLOR, rich takes pipes for terminals.
    return console.file is not sys.stdout or sys.stdout.isatty()
