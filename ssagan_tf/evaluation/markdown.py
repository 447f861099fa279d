"""Tables of reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """The lines of a table whose first column names things and whose others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return [
        f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in line)} |" for line in lines
    ]
