"""Tables of reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """The lines of a table whose first column names things and whose others are numbers.

    Names, which may come from others, end no cell and begin no HTML.
    """
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return [f"| {' | '.join(map(_cell, line))} |" for line in lines]


def _cell(value: Any) -> str:
    return " ".join(str(value).replace("|", "&#124;").replace("<", "&lt;").splitlines())
