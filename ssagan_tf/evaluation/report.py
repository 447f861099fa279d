"""The report of an evaluation: metrics.json, clips.csv, report.md and its pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ssagan_tf import video
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.evaluation import comparison_video, markdown, plots, results
from ssagan_tf.evaluation.bootstrap import Estimate
from ssagan_tf.evaluation.metrics.metric import LIKENESS, MOVEMENT, Metric, ReportSection
from ssagan_tf.evaluation.published_results import TABLE_4_NOTE, reported_rows
from ssagan_tf.evaluation.real_clips import RealClips
from ssagan_tf.evaluation.results import Table
from ssagan_tf.evaluation.systems import System, clip_of
from ssagan_tf.options import BASELINES
from ssagan_tf.pixels import to_uint8

METRICS, REPORT, CLIPS, CURVES, FILM = (
    "metrics.json",
    "report.md",
    "clips.csv",
    "curves.png",
    "compare.mp4",
)
FEW_VIDEOS = 20
LOOPS = 2
_NAMED = 20  # left-out clips listed in the report
_REAL = "real"
_PICKS = ("best", "median", "worst")


class Report:
    """Writes everything into a folder.

    Args:
      folder: Where to.
      table: The numbers.
      conditions: All that they depend on, in words.
      left_out: Clips that are missing or broken, and so in no row.
      skipped: What the data holds that is no clip.
    """

    def __init__(
        self,
        folder: Path,
        table: Table,
        conditions: dict[str, str],
        left_out: Sequence[str],
        skipped: Sequence[Skipped],
    ):
        self._folder, self._table, self._conditions = folder, table, conditions
        self._left_out, self._skipped = left_out, skipped
        self._gammas: dict[str, dict[str, float]] = {}
        self._pictures: list[tuple[str, str]] = []  # caption, path
        self._made: dict[int, dict[str, np.ndarray]] = {}

    def add_gammas(self, row: str, gammas: dict[str, float]) -> None:
        """γ of every attention module of a row's generator."""
        if gammas:
            self._gammas[row] = gammas

    def add_picture(self, caption: str, path: Path) -> None:
        """A picture that was written into the folder."""
        self._pictures.append((caption, path.relative_to(self._folder).as_posix()))

    def draw_clips(
        self, systems: Sequence[System], real: RealClips, batch: int, fps: float
    ) -> None:
        """Strips of the best, median and worst clip of each system; a film of the first one's."""
        shown = [s for s in systems if s.name not in BASELINES]
        for system in shown:
            for pick, position in self._picks(system.name).items():
                clips = self._clips(systems, real, position, batch)
                path = self._folder / "strips" / f"{system.name}_{pick}.png"
                video.write_image(path, video.contact_strip(list(clips.items())))
                name = real.names[position]
                self.add_picture(f"{system.name}: {pick} clip by MSE, {name}", path)
        picks = self._picks(shown[0].name)
        rows = [
            (f"{real.names[p]} ({pick})", self._clips(systems, real, p, batch))
            for pick, p in picks.items()
        ]
        comparison_video.write_film(
            self._folder / FILM, comparison_video.side_by_side(rows), fps, LOOPS
        )

    def write(self) -> None:
        """Writes the numbers, the curves and the report itself."""
        content = results.to_json(self._table, self._conditions, self._gammas)
        content["left_out"] = list(self._left_out)
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        (self._folder / METRICS).write_text(text + "\n", encoding="utf-8")
        with (self._folder / CLIPS).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(results.clips_csv(self._table.scores))
        plots.draw_curves(self._folder / CURVES, self._table.scores)
        (self._folder / REPORT).write_text("\n".join(self._lines()) + "\n", encoding="utf-8")

    def _picks(self, row: str) -> dict[str, int]:
        """Positions of the best, median and worst clip by MSE; of few clips, each once."""
        [values] = [x.values["mse"] for x in self._table.scores.rows if x.name == row]
        order = np.argsort(
            values[:, self._table.scores.protocol.frames].mean(axis=1), kind="stable"
        )
        places = (0, (len(order) - 1) // 2, len(order) - 1)
        picks: dict[str, int] = {}
        for pick, place in zip(_PICKS, places, strict=True):
            if int(order[place]) not in picks.values():
                picks[pick] = int(order[place])
        return picks

    def _clips(
        self, systems: Sequence[System], real: RealClips, position: int, batch: int
    ) -> dict[str, np.ndarray]:
        """The clips of all rows, made again; the same ones are shown more than once."""
        if position not in self._made:
            clips = {s.name: to_uint8(clip_of(s, real, position, batch)) for s in systems}
            self._made[position] = {"real": real.clip(position), **clips}
        return self._made[position]

    def _lines(self) -> list[str]:
        scores = self._table.scores
        lines = [
            f"# Evaluation, protocol `{scores.protocol.name}`",
            "",
            f"{len(scores.names)} clips of {self._table.videos} videos. Brackets: "
            f"{results.INTERVALS.format(self._table.seed)}.",
        ]
        if self._table.videos < FEW_VIDEOS:
            lines.append(
                f"With {self._table.videos} videos the intervals are rough, and rather too narrow."
            )
        if "direction" in self._conditions:
            lines.append("Each clip is the better one of two mirrored directions, by its MSE.")
        lines += ["", *self._main_table(), "", "## Frames 2 to 32, and movement", ""]
        lines += ["Without the input itself; movement is of all frames.", ""]
        beside = self._measures(LIKENESS, MOVEMENT)
        lines += self._rows_of(beside)
        lines += self._differences(beside)
        for (section,) in _tables(scores.measures)[1:]:
            lines += self._section(section)
        lines += ["", "## Over the frames", "", f"![curves]({CURVES})"]
        if self._gammas:
            lines += ["", "## γ of the attention modules", ""]
            layers = list(dict.fromkeys(x for of in self._gammas.values() for x in of))
            rows = [
                [layer, *(_number(of.get(layer), ".4g") for of in self._gammas.values())]
                for layer in layers
            ]
            lines += markdown.table(["after", *self._gammas], rows)
        if self._pictures:
            lines += ["", "## Clips", "", f"Side by side, moving: [{FILM}]({FILM})."]
        for caption, path in self._pictures:
            lines += ["", f"{caption}", "", f"![{caption}]({path})"]
        lines += ["", "## What the numbers are", ""]
        lines += markdown.table(["", ""], [[k, v] for k, v in self._conditions.items()])
        lines += ["", "Rows:", ""]
        lines += [f"- {each.row.name}: {each.row.about}" for each in self._table.rows]
        return [*lines, *self._what_stands_still(), *self._what_is_missing()]

    def _measures(self, *sections: ReportSection) -> list[Metric]:
        return [measure for measure in self._table.scores.measures if measure.section in sections]

    def _section(self, section: ReportSection) -> list[str]:
        """The table of a section, how many clips count, and the differences."""
        measures = self._measures(section)
        lines = ["", f"## {section.title}", "", section.about, "", *self._rows_of(measures)]
        counts = [f"{m.title} {self._clips_that_count(m)}" for m in measures if m.partial]
        if counts:
            of_all = len(self._table.scores.names)
            lines += ["", f"Clips that count, of {of_all}: {', '.join(counts)}."]
        return [*lines, *self._differences(measures)]

    def _clips_that_count(self, measure: Metric) -> str:
        """How many; of each row, where they differ."""
        counts = {each.row.name: each.others[measure.figure].clips for each in self._table.rows}
        if len(set(counts.values())) == 1:
            return str(next(iter(counts.values())))
        return f"({', '.join(f'{name} {count}' for name, count in counts.items())})"

    def _rows_of(self, measures: Sequence[Metric]) -> list[str]:
        """A table of some measures; likeness is that of frames 2 to 32."""
        rows = [
            [each.row.name, *_cells(measures, {**each.later, **each.others})]
            for each in self._table.rows
        ]
        if any(measure.has_real_row for measure in measures):
            rows.insert(0, [_REAL, *_cells(measures, self._table.real)])
        return markdown.table(["", *(measure.head for measure in measures)], rows)

    def _differences(self, measures: Sequence[Metric]) -> list[str]:
        """What systems differ by in these measures; nothing where there is none to compare."""
        pairs = [line for line in self._table.differences() if line[0].row.name not in BASELINES]
        if not pairs:
            return []
        of = ", frames 2 to 32" if LIKENESS in (measure.section for measure in measures) else ""
        return [
            *("", "### Paired differences", ""),
            f"First minus second{of}, on the same resamples. Bold: the interval leaves out 0.",
            "",
            *markdown.table(
                ["", *(measure.difference_head for measure in measures)],
                [
                    [f"{a.row.name} − {b.row.name}", *_cells(measures, estimates, difference=True)]
                    for a, b, estimates in pairs
                ],
            ),
        ]

    def _main_table(self) -> list[str]:
        """The paper's form, with its own rows below."""
        measures = self._measures(LIKENESS)
        rows = [[each.row.name, *_cells(measures, each.protocol)] for each in self._table.rows]
        tables = {128: (3,), 64: (4,)}.get(self._side(), (3, 4))
        shown = [row for row in reported_rows() if row["table"] in tables]
        rows += [
            [
                f"*{row['name']} (reported: Table {row['table']}, {row['data']})*",
                *(f"*{_number(row[m.figure], m.format)}*" for m in measures),
            ]
            for row in shown
        ]
        lines = markdown.table(["", *(measure.head for measure in measures)], rows)
        lines += [
            "",
            "*Reported* rows are copied from the paper (protocol `paper`, its whole test set); "
            "they compare with rows of the same protocol, data and size only."
            + (f" {TABLE_4_NOTE}" if 4 in tables else ""),
        ]
        if self._table.scores.protocol.first_frame == 1:
            lines.append("Rows whose frame 1 is exact, as it is copied, have no PSNR here.")
        return lines

    def _side(self) -> int:
        return int(self._conditions["size"].split("×")[0])

    def _what_stands_still(self) -> list[str]:
        lines = []
        for row in (each.row for each in self._table.rows if each.row.still):
            lines += ["", f"Clips of {row.name} in which nothing moves: {len(row.still)}", ""]
            lines += _listed([f"{name}: {why}" for name, why in row.still.items()])
        return lines

    def _what_is_missing(self) -> list[str]:
        lines = []
        if self._left_out:
            lines += ["", f"Left out of all rows: {len(self._left_out)}", ""]
            lines += _listed(self._left_out)
        if self._skipped:
            lines += ["", f"In the data, but no clip: {len(self._skipped)}", ""]
            lines += _listed([f"{item.item}: {item.reason}" for item in self._skipped])
        return lines


def table_lines(table: Table) -> list[str]:
    """The tables for a terminal, one below the other."""
    rows = {each.row.name: {**each.protocol, **each.others} for each in table.rows}
    width = max(map(len, rows))
    lines = []
    for sections in _tables(table.scores.measures):
        measures = [measure for measure in table.scores.measures if measure.section in sections]
        own = {_REAL: table.real} if any(measure.has_real_row for measure in measures) else {}
        for name, figures_of in {**own, **rows}.items():
            cells = [
                f"{measure.figure} {_number(figures_of[measure.figure].value, measure.format)}"
                for measure in measures
                if measure.figure in figures_of
            ]
            lines.append(f"{name:<{width}}  {'  '.join(cells)}")
    return lines


def _tables(measures: Sequence[Metric]) -> list[tuple[ReportSection, ...]]:
    """The sections that are shown together."""
    others = dict.fromkeys(measure.section for measure in measures)
    return [(LIKENESS, MOVEMENT), *((s,) for s in others if s not in (LIKENESS, MOVEMENT))]


def _cells(
    measures: Sequence[Metric], estimates: Mapping[str, Estimate], difference: bool = False
) -> list[str]:
    cells = []
    for measure in measures:
        estimate = estimates.get(measure.figure)
        if estimate is None:
            cells.append("")
            continue
        spec = ("+" if difference else "") + measure.format
        cell = _number(estimate.value, spec)
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


def _number(value: float | None, spec: str) -> str:
    return "–" if value is None else f"{value:{spec}}"


def _listed(items: Sequence[str]) -> list[str]:
    lines = [f"- {item}" for item in items[:_NAMED]]
    if len(items) > _NAMED:
        lines.append(f"- and {len(items) - _NAMED} more")
    return lines
