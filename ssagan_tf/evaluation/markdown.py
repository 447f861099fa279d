"""Markdown for reports. Text in it may be untrusted: names of clips, folders and systems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Returns the lines of a table: names in the first column, numbers in the others."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return [f"| {' | '.join(map(_cell, line))} |" for line in lines]


def bullets(items: Sequence[str], limit: int | None = None) -> list[str]:
    """Returns the lines of a list; with a limit, of its first items and the number of others."""
    lines = [f"- {escaped(item)}" for item in items[:limit]]
    if len(items) > len(lines):
        lines.append(f"- and {len(items) - len(lines)} more")
    return lines


def escaped(text: str) -> str:
    """A text on one line that does not begin HTML."""
    return " ".join(text.replace("<", "&lt;").splitlines())


def _cell(value: Any) -> str:
    return escaped(str(value)).replace("|", "&#124;")
