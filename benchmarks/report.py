"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ssagan_tf.processor import ONEDNN_LIMIT

HEAD = """# Benchmark results

Written by `python -m benchmarks.run`. Each figure is the median over all repetitions of all rounds.
In each round every implementation runs in a fresh process, one after the other; one that takes over
ten times as long as the first is measured in a single round. Compare figures within a table only:
the machine is shared and its speed varies, so seconds from different tables may not be comparable.

- **time ratio**, **memory ratio**: relative to the first row of the comparison.
- **extra memory**: peak memory beyond what the process held once weights, inputs and graph had been
  created. **peak**: peak memory of the whole process.
- **GFLOP**: counted for the implementation's own algorithm (`python -m benchmarks.flops`).
- **share of floor**: the time that the first row's operations would take at the speed of
  TensorFlow's matrix products, measured in the same rounds, divided by the measured time.
"""

Row = dict[str, Any]
Column = tuple[str, Callable[[Row], Any], Callable[[Any], str]]
NAMES = {"tensorflow": "TensorFlow", "torch": "PyTorch"}


def markdown(parts: list[dict[str, Any]]) -> str:
    """Returns the report of measured parts, given as in results.json."""
    machines = {str(part["environment"]): part["environment"] for part in parts}
    lines = [HEAD]
    if len(machines) == 1:
        lines += [*_machine(next(iter(machines.values()))), ""]
    for part in parts:
        lines += [f"## {part['title']}", "", part["note"], ""]
        if len(machines) > 1:
            lines += [*_machine(part["environment"]), ""]
        table = _stages if part["rows"][0]["case"]["work"] == "photo" else _table
        lines += [*table(part["rows"]), "", _measured(part), ""]
    return "\n".join(lines)


def _machine(environment: dict[str, Any]) -> list[str]:
    versions = environment["versions"]
    named = [f"{name} {version or '(none)'}" for name, version in versions.items()]
    limit = environment.get(ONEDNN_LIMIT)
    return [
        f"Machine: {environment['processor']}, "
        + (f"oneDNN limited by {ONEDNN_LIMIT}={limit}, " if limit else "")
        + f"cores: {environment['cores']}, "
        f"{environment['memory_gib']} GiB, {environment['system']}.",
        f"Versions: {', '.join(named)}.",
    ]


def _measured(part: dict[str, Any]) -> str:
    times = "once" if part["rounds"] == 1 else f"in {part['rounds']} rounds"
    return " ".join([*_rates(part["rates"]), f"Measured {times} on {part['date']}."])


def _rates(rates: list[dict[str, Any]]) -> list[str]:
    if not rates:
        return []
    speeds = [
        f"{NAMES[rate['framework']]} {rate['precision']} "
        + (rate["error"] if "error" in rate else f"{rate['rate'] / 1e9:.0f} GFLOP/s")
        for rate in rates
    ]
    return [f"Matrix products: {', '.join(speeds)}."]


def _table(rows: list[Row]) -> list[str]:
    columns = [column for column in _COLUMNS if any(column[1](row) for row in rows)]
    if all(row.get("time_ratio", 1.0) == 1.0 for row in rows):  # a single implementation
        columns = [column for column in columns if not column[0].endswith("ratio")]
    if rows[0]["case"]["work"] == "learning":  # errors are shown in place of seconds
        times = {"fastest to slowest", "per clip", "time ratio"}
        times |= set() if any("error" in row for row in rows) else {"seconds"}
        columns = [column for column in columns if column[0] not in times]
    head = [name for name, _, _ in columns]
    ruler = [":--" if column[2] is str else "--:" for column in columns]
    return [_joined(line) for line in (head, ruler, *(_cells(row, columns) for row in rows))]


def _stages(rows: list[Row]) -> list[str]:
    """A line per stage, a column per row."""
    errors = [f"{row['label']}: {row['error']}" for row in rows if "error" in row]
    measured = [row for row in rows if "stages" in row]
    if not measured:
        return errors
    table = [["seconds", *(row["label"] for row in measured)], [":--", *("--:" for _ in measured)]]
    for name in measured[0]["stages"]:
        table.append([name, *(_seconds(row["stages"][name]) for row in measured)])
    table.append(
        ["**from start to end**", *(f"**{_seconds(row['seconds'])}**" for row in measured)]
    )
    table.append(["fastest to slowest", *(_spread(row) or "" for row in measured)])
    table.append(["processor time", *(_seconds(row["cpu_seconds"]) for row in measured)])
    table.append(["peak, MiB", *(f"{row['peak_mib']:.0f}" for row in measured)])
    return [*(_joined(cells) for cells in table), *(["", *errors] if errors else [])]


def _cells(row: Row, columns: list[Column]) -> list[str]:
    cells = []
    for name, value, shown in columns:
        found = value(row)
        if name == "seconds" and "error" in row:
            cells.append(row["error"].replace("|", "\\|"))
        else:
            cells.append("" if found is None else shown(found))
    return cells


def _joined(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _per_clip(row: Row) -> float | None:
    if row["batch"] == 1 or "seconds" not in row:
        return None
    return row["seconds"] / row["batch"]


def _spread(row: Row) -> str | None:
    if "seconds" not in row or len(row["times"]) == 1:
        return None
    return f"{_seconds(row['least_seconds'])} to {_seconds(row['most_seconds'])}"


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}" if value >= 0.01 else f"{value:.5f}"


def _gigas(operations: int) -> str:
    value = operations / 1e9
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


_COLUMNS: list[Column] = [
    ("", lambda row: row["label"], str),
    ("implementation", lambda row: row["implementation"], str),
    ("seconds", lambda row: row.get("seconds", "error" in row), _seconds),
    ("fastest to slowest", _spread, lambda text: text),
    ("per clip", _per_clip, _seconds),
    ("time ratio", lambda row: row.get("time_ratio"), "{:.2f}".format),
    ("extra memory, MiB", lambda row: row.get("extra_mib"), "{:.0f}".format),
    ("memory ratio", lambda row: row.get("memory_ratio"), "{:.2f}".format),
    ("peak, MiB", lambda row: row.get("peak_mib"), "{:.0f}".format),
    ("content loss", lambda row: row.get("content_loss"), "{:.4f}".format),
    ("GFLOP", lambda row: row["operations"], _gigas),
    ("share of floor", lambda row: row.get("share_of_floor"), "{:.0%}".format),
]
