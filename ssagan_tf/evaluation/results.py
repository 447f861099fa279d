"""From numbers of every clip and frame to the table: what `metrics.json` holds."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ssagan_tf.evaluation.bootstrap import DRAWS, LEVEL, Bootstrap, Estimate
from ssagan_tf.evaluation.metrics.metric import LIKENESS, SPREAD, Metric
from ssagan_tf.evaluation.published_results import reported_rows
from ssagan_tf.evaluation.scoring import Row, Scores
from ssagan_tf.options import FRAMES

FORMAT = 1
EVERY, AFTER_THE_FIRST = slice(None), slice(1, FRAMES)
LATER = "frames_2_to_32"
STILL = "still_clips"
INTERVALS = (
    f"{LEVEL} % of {DRAWS} bootstrap resamples of the videos, each with all its clips (seed {{}})"
)


@dataclasses.dataclass(frozen=True)
class RowEstimates:
    """A row of the table: figures by their names.

    Attributes:
      protocol: Likeness to the real clips, over the protocol's frames.
      later: The same over frames 2 to 32.
      others: All other measures.
    """

    row: Row
    protocol: dict[str, Estimate]
    later: dict[str, Estimate]
    others: dict[str, Estimate]


@dataclasses.dataclass(frozen=True)
class Table:
    """All rows, with intervals over the same resamples.

    Attributes:
      real: Figures of the real clips by themselves.
    """

    scores: Scores
    rows: list[RowEstimates]
    real: dict[str, Estimate]
    videos: int
    seed: int

    def differences(self) -> list[tuple[RowEstimates, RowEstimates, dict[str, Estimate]]]:
        """Each row against each after it: all figures, those of likeness of frames 2-32."""
        return [
            (
                a,
                b,
                {
                    name: estimate.minus({**b.later, **b.others}[name])
                    for name, estimate in {**a.later, **a.others}.items()
                },
            )
            for a, b in itertools.combinations(self.rows, 2)
        ]


def tabulate(scores: Scores, seed: int) -> Table:
    """Means over frames, then over clips as each measure wants it, with intervals."""
    bootstrap = Bootstrap(scores.videos, seed)
    likeness, others = _likeness_and_others(scores)

    def over_clips(
        row: Row, measures: Sequence[Metric], frames: slice = EVERY
    ) -> dict[str, Estimate]:
        return {
            measure.figure: measure.over(
                bootstrap,
                _of_clips(row.values[measure.name], frames),
                _of_clips(scores.real[measure.name], frames) if measure.of_real else None,
            )
            for measure in measures
        }

    rows = [
        RowEstimates(
            row,
            over_clips(row, likeness, scores.protocol.frames),
            over_clips(row, likeness, AFTER_THE_FIRST),
            over_clips(row, others),
        )
        for row in scores.rows
    ]
    real = {
        measure.figure: measure.over(bootstrap, _of_clips(scores.real[measure.name]), None)
        for measure in others
        if measure.has_real_row
    }
    return Table(scores, rows, real, bootstrap.videos, seed)


def _likeness_and_others(scores: Scores) -> tuple[list[Metric], list[Metric]]:
    parts: tuple[list[Metric], list[Metric]] = ([], [])
    for measure in scores.measures:
        parts[measure.section is not LIKENESS].append(measure)
    return parts


def _of_clips(values: np.ndarray, frames: slice = EVERY) -> np.ndarray:
    """A number per clip, of such or of one per frame."""
    return values if values.ndim == 1 else values[:, frames].mean(axis=1)


def to_json(
    table: Table, conditions: dict[str, str], gammas: dict[str, dict[str, float]]
) -> dict[str, Any]:
    """The content of `metrics.json`.

    Args:
      table: The numbers.
      conditions: All that they depend on, in words.
      gammas: γ of every attention module, by row and layer.
    """
    scores = table.scores
    return {
        "format": FORMAT,
        "protocol": scores.protocol.name,
        "conditions": conditions,
        "clips": len(scores.names),
        "videos": table.videos,
        "rows": [
            {
                "name": each.row.name,
                "about": each.row.about,
                **({} if each.row.mirrored is None else {"mirrored_clips": sum(each.row.mirrored)}),
                **({STILL: len(each.row.still)} if each.row.still else {}),
                **_plain(scores.measures, each.protocol),
                LATER: _plain(scores.measures, each.later),
                **_plain(scores.measures, each.others),
                "per_frame": _per_frame(scores.measures, each.row.values),
                **({"gamma": gammas[each.row.name]} if each.row.name in gammas else {}),
            }
            for each in table.rows
        ],
        "real": {
            **{
                measure.name: float(scores.real[measure.name].mean())
                for measure in scores.measures
                if measure.of_real and not measure.has_real_row
            },
            **_plain(scores.measures, table.real),
            "per_frame": _per_frame(scores.measures, scores.real),
        },
        "differences": [
            {"rows": [a.row.name, b.row.name], **_plain(scores.measures, estimates)}
            for a, b, estimates in table.differences()
        ],
        "reported": reported_rows(),
        "seconds": {name: round(value, 3) for name, value in scores.seconds.items()},
    }


def clips_csv(scores: Scores) -> list[Sequence[Any]]:
    """A line per clip and row: likeness over the protocol's frames, and all other measures."""
    likeness, others = _likeness_and_others(scores)
    names = [measure.name for measure in likeness]
    for measure in others:
        names += [measure.name, f"{measure.name}_real"] if measure.of_real else [measure.name]
    of_real = {f"{name}_real": _of_clips(values) for name, values in scores.real.items()}
    if any(row.mirrored is not None for row in scores.rows):
        names.append("mirrored")
    lines: list[Sequence[Any]] = [("clip", "video", "row", *names)]
    of_rows = []
    for row in scores.rows:
        values = {m.name: _of_clips(row.values[m.name], scores.protocol.frames) for m in likeness}
        values |= {m.name: _of_clips(row.values[m.name]) for m in others}
        of_rows.append({**values, **of_real, "mirrored": row.mirrored})
    for index, (name, video) in enumerate(zip(scores.names, scores.videos, strict=True)):
        for row, values in zip(scores.rows, of_rows, strict=True):
            cells = (_cell(values[column][index]) for column in names)
            lines.append((name, video, row.name, *cells))
    return lines


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"


def _plain(measures: Sequence[Metric], estimates: dict[str, Estimate]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for measure in measures:
        name = measure.figure
        if name not in estimates:
            continue
        estimate = estimates[name]
        plain[name] = estimate.value
        plain[f"{name}_ci{LEVEL}"] = list(estimate.interval) if estimate.interval else None
        if estimate.spread:
            plain["{}_p{:g}_p{:g}".format(name, *SPREAD)] = list(estimate.spread)
        if measure.partial and estimate.clips is not None:
            plain[f"{name}_clips"] = estimate.clips
    return plain


def _per_frame(
    measures: Sequence[Metric], values: dict[str, np.ndarray]
) -> dict[str, list[float | None]]:
    means = {m.name: values[m.name].mean(axis=0) for m in measures if m.curve and m.name in values}
    return {
        name: [float(x) if np.isfinite(x) else None for x in mean] for name, mean in means.items()
    }
