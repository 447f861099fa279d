"""The tables of a report, as Markdown and for a terminal: they follow from the metrics' entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ssagan_tf.evaluation import markdown
from ssagan_tf.evaluation.baselines import BASELINES
from ssagan_tf.evaluation.bootstrap import Estimate
from ssagan_tf.evaluation.metrics.metric import Metric, ReportSection
from ssagan_tf.evaluation.published_results import TABLE_4_NOTE, reported_rows
from ssagan_tf.evaluation.real_clips import REAL
from ssagan_tf.evaluation.results import Table

_PUBLISHED_AT = {128: (3,), 64: (4,)}  # tables of the paper by the size of their frames


def main_table(table: Table, side: int) -> list[str]:
    """The metrics over the protocol's frames, with the rows that the paper reports.

    Args:
      table: The estimates.
      side: Side of the frames in pixels; published rows are those of this size, or all.
    """
    metrics = [metric for metric in table.scores.metrics if metric.over_protocol_frames]
    rows = [[each.row.name, *_cells(metrics, each.protocol)] for each in table.rows]
    tables = _PUBLISHED_AT.get(side, (3, 4))
    rows += [
        [
            f"*{row['name']} (reported: Table {row['table']}, {row['data']})*",
            *(f"*{format_number(row.get(metric.key), metric.format)}*" for metric in metrics),
        ]
        for row in reported_rows()
        if row["table"] in tables
    ]
    lines = [
        *markdown.table(["", *(metric.column for metric in metrics)], rows),
        "",
        "*Reported* rows are copied from the paper; compare them only with rows of protocol "
        "`paper` for the same data and frame size." + (f" {TABLE_4_NOTE}" if 4 in tables else ""),
    ]
    if table.scores.protocol.first_frame == 1:
        lines.append("Rows that copy frame 1 from the input exactly have no PSNR here.")
    return lines


def section_tables(table: Table) -> list[str]:
    """Every section: its table, how many clips count, and the paired differences."""
    lines = []
    for section, metrics in _sections(table).items():
        lines += ["", f"## {section.title}", "", section.description, ""]
        rows = [
            [each.row.name, *_cells(metrics, {**each.later, **each.others})] for each in table.rows
        ]
        if any(metric.has_real_row for metric in metrics):
            rows.insert(0, [REAL, *_cells(metrics, table.real)])
        lines += markdown.table(["", *(metric.column for metric in metrics)], rows)
        counts = [f"{m.title} {_clips_that_count(table, m)}" for m in metrics if m.can_be_nan]
        if counts:
            total = len(table.scores.names)
            lines += ["", f"Clips that count, of {total}: {'; '.join(counts)}."]
        lines += _differences(table, metrics)
    return lines


def terminal_lines(table: Table) -> list[str]:
    """The same tables for a terminal: names and values, over the protocol's frames."""
    rows = {each.row.name: {**each.protocol, **each.others} for each in table.rows}
    width = max(map(len, rows))
    lines = []
    for metrics in _sections(table).values():
        real = {REAL: table.real} if any(metric.has_real_row for metric in metrics) else {}
        for name, estimates in {**real, **rows}.items():
            cells = [
                f"{metric.key} {format_number(estimates[metric.key].value, metric.format)}"
                for metric in metrics
                if metric.key in estimates
            ]
            lines.append(f"{name:<{width}}  {'  '.join(cells)}")
    return lines


def format_number(value: float | None, spec: str) -> str:
    """A number in a table; a dash if there is none."""
    return "–" if value is None else f"{value:{spec}}"


def _sections(table: Table) -> dict[ReportSection, list[Metric]]:
    """The metrics by section, in their order."""
    sections: dict[ReportSection, list[Metric]] = {}
    for metric in table.scores.metrics:
        sections.setdefault(metric.section, []).append(metric)
    return sections


def _clips_that_count(table: Table, metric: Metric) -> str:
    """How many; for each row, if they differ."""
    counts = {each.row.name: each.others[metric.key].clips for each in table.rows}
    if len(set(counts.values())) == 1:
        return str(next(iter(counts.values())))
    return f"({', '.join(f'{name} {count}' for name, count in counts.items())})"


def _differences(table: Table, metrics: Sequence[Metric]) -> list[str]:
    """Differences between each system and the rows after it; empty if there are none."""
    pairs = [line for line in table.differences() if line[0].row.name not in BASELINES]
    if not pairs:
        return []
    frames = ", over frames 2 to 32" if any(m.over_protocol_frames for m in metrics) else ""
    return [
        *("", "### Paired differences", ""),
        f"First row minus second{frames}, on the same resamples. Bold: the interval excludes 0.",
        "",
        *markdown.table(
            ["", *(metric.difference_column for metric in metrics)],
            [
                [f"{a.row.name} − {b.row.name}", *_cells(metrics, estimates, difference=True)]
                for a, b, estimates in pairs
            ],
        ),
    ]


def _cells(
    metrics: Sequence[Metric], estimates: Mapping[str, Estimate], difference: bool = False
) -> list[str]:
    """A cell per metric: value, [interval] and (spread); empty if there is no estimate."""
    cells = []
    for metric in metrics:
        estimate = estimates.get(metric.key)
        if estimate is None:
            cells.append("")
            continue
        spec = ("+" if difference else "") + metric.format
        cell = format_number(estimate.value, spec)
        if estimate.interval:
            low, high = estimate.interval
            if difference and low * high > 0:
                cell = f"**{cell}**"
            cell += f" [{low:{spec}}, {high:{spec}}]"
        if estimate.spread:
            low, high = estimate.spread
            cell += f" ({low:{spec}} – {high:{spec}})"
        cells.append(cell)
    return cells
