"""The report of an evaluation: metrics.json, clips.csv, report.md and its pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ssagan_tf import video
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.evaluation import comparison_video, markdown, plots, report_tables, results
from ssagan_tf.evaluation.baselines import BASELINES
from ssagan_tf.evaluation.real_clips import REAL, RealClips
from ssagan_tf.evaluation.results import Table
from ssagan_tf.evaluation.systems import System, clip_of
from ssagan_tf.options import FRAMES
from ssagan_tf.pixels import to_uint8

METRICS_FILE, REPORT_FILE, CLIPS_FILE, CURVES_FILE, VIDEO_FILE = (
    "metrics.json",
    "report.md",
    "clips.csv",
    "curves.png",
    "compare.mp4",
)
FEW_VIDEOS = 20
LOOPS = 2  # of the clips in the video
_LISTED = 20  # clips that the report lists as left out
_PICKS = ("best", "median", "worst")


class Report:
    """Writes everything into a folder.

    Args:
      folder: The folder.
      table: The estimates.
      conditions: What they depend on, in words.
      side: Side of the frames in pixels.
      left_out: Clips that are missing or broken, and so in no row.
      skipped: Items of the data that are not clips.
    """

    def __init__(
        self,
        folder: Path,
        table: Table,
        conditions: dict[str, str],
        side: int,
        left_out: Sequence[str],
        skipped: Sequence[Skipped],
    ):
        self._folder, self._table, self._conditions = folder, table, conditions
        self._side, self._left_out, self._skipped = side, left_out, skipped
        self._gammas: dict[str, dict[str, float]] = {}
        self._pictures: list[tuple[str, str]] = []  # caption, path
        self._clips_shown: dict[int, dict[str, np.ndarray]] = {}

    def add_gammas(self, row: str, gammas: dict[str, float]) -> None:
        """Adds γ of every attention module of a row's generator."""
        if gammas:
            self._gammas[row] = gammas

    def add_picture(self, caption: str, path: Path) -> None:
        """Adds a picture that is in the folder."""
        self._pictures.append((caption, path.relative_to(self._folder).as_posix()))

    def draw_clips(
        self, systems: Sequence[System], real: RealClips, batch: int, fps: float
    ) -> None:
        """Draws strips of each system's best, median and worst clip, and a video of the first's."""
        shown = [system for system in systems if system.name not in BASELINES]
        for system in shown:
            for pick, position in self._picks(system.name).items():
                clips = self._clips(systems, real, position, batch)
                path = self._folder / "strips" / f"{system.name}_{pick}.png"
                video.write_image(path, video.contact_strip(list(clips.items())))
                name = real.names[position]
                self.add_picture(f"{system.name}: {pick} clip by MSE, {name}", path)
        rows = [
            (f"{real.names[position]} ({pick})", self._clips(systems, real, position, batch))
            for pick, position in self._picks(shown[0].name).items()
        ]
        video.write_video(
            self._folder / VIDEO_FILE, comparison_video.side_by_side(rows), fps, LOOPS
        )

    def write(self) -> None:
        """Writes the numbers, the curves and the report itself."""
        content = results.to_json(self._table, self._conditions, self._gammas)
        content["left_out"] = list(self._left_out)
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        (self._folder / METRICS_FILE).write_text(text + "\n", encoding="utf-8")
        with (self._folder / CLIPS_FILE).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(results.clips_csv(self._table.scores))
        plots.draw_curves(self._folder / CURVES_FILE, self._table.scores)
        lines = [
            *self._summary(),
            *report_tables.section_tables(self._table),
            *("", "## Over the frames", "", f"![curves]({CURVES_FILE})"),
            *self._gamma_table(),
            *self._clip_pictures(),
            *self._definitions(),
            *self._notes_on_clips(),
        ]
        (self._folder / REPORT_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _picks(self, row: str) -> dict[str, int]:
        """Positions of the best, median and worst clip by MSE; if there are few, each once."""
        [values] = [x.values["mse"] for x in self._table.scores.rows if x.name == row]
        order = np.argsort(
            values[:, self._table.scores.protocol.frames].mean(axis=1), kind="stable"
        )
        ranks = (0, (len(order) - 1) // 2, len(order) - 1)
        picks: dict[str, int] = {}
        for pick, rank in zip(_PICKS, ranks, strict=True):
            if int(order[rank]) not in picks.values():
                picks[pick] = int(order[rank])
        return picks

    def _clips(
        self, systems: Sequence[System], real: RealClips, position: int, batch: int
    ) -> dict[str, np.ndarray]:
        """The clips of all rows, made again; cached, as several pictures show the same ones."""
        if position not in self._clips_shown:
            clips = {s.name: to_uint8(clip_of(s, real, position, batch)) for s in systems}
            self._clips_shown[position] = {REAL: real.clip(position), **clips}
        return self._clips_shown[position]

    # Parts of report.md, as lines.

    def _summary(self) -> list[str]:
        scores, videos = self._table.scores, self._table.videos
        lines = [
            f"# Evaluation, protocol `{scores.protocol.name}`",
            "",
            f"{len(scores.names)} clips of {videos} videos. ↑: higher is better, ↓: lower is "
            "better, → x: closer to x is better. Square brackets: "
            f"{results.INTERVALS.format(self._table.seed)}.",
        ]
        if videos < FEW_VIDEOS:
            lines.append(f"With {videos} videos the intervals are rough and tend to be too narrow.")
        if "direction" in self._conditions:
            lines.append("Each clip is the better one of two mirrored directions, by its MSE.")
        first = scores.protocol.first_frame
        lines += ["", f"## Similarity to the real clips, frames {first} to {FRAMES}", ""]
        return [*lines, *report_tables.main_table(self._table, self._side)]

    def _gamma_table(self) -> list[str]:
        if not self._gammas:
            return []
        layers = list(dict.fromkeys(layer for row in self._gammas.values() for layer in row))
        rows = [
            [
                layer,
                *(report_tables.format_number(g.get(layer), ".4g") for g in self._gammas.values()),
            ]
            for layer in layers
        ]
        table = markdown.table(["after layer", *self._gammas], rows)
        return ["", "## γ of the attention modules", "", *table]

    def _clip_pictures(self) -> list[str]:
        if not self._pictures:
            return []
        lines = [
            "",
            "## Clips",
            "",
            f"A video of clips side by side: [{VIDEO_FILE}]({VIDEO_FILE}).",
        ]
        for caption, path in self._pictures:
            caption = markdown.escaped(caption)
            lines += ["", caption, "", f"![{caption}]({path})"]
        return lines

    def _definitions(self) -> list[str]:
        titles = {m.key: f"**{m.title}** (`{m.key}`)" for m in self._table.scores.metrics}
        definitions = [
            f"{titles.get(name, f'**{name}**')}: {text}" for name, text in self._conditions.items()
        ]
        rows = [f"**{each.row.name}**: {each.row.description}" for each in self._table.rows]
        return [
            *("", "## Definitions", "", *markdown.bullets(definitions)),
            *("", "Rows:", "", *markdown.bullets(rows)),
        ]

    def _notes_on_clips(self) -> list[str]:
        """What stands still, is left out, or is not a clip."""
        notes = {
            f"Clips of {row.name} in which nothing moves": [
                f"{name}: {why}" for name, why in row.still.items()
            ]
            for row in self._table.scores.rows
        }
        notes["Left out of all rows"] = list(self._left_out)
        notes["Items of the data that are not clips"] = [
            f"{skipped.item}: {skipped.reason}" for skipped in self._skipped
        ]
        lines = []
        for title, items in notes.items():
            if items:
                lines += ["", f"{markdown.escaped(title)}: {len(items)}", ""]
                lines += markdown.bullets(items, _LISTED)
        return lines
