"""From numbers of every clip and frame to the table: what `metrics.json` holds."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ssagan_tf.evaluation.reported import reported_rows
from ssagan_tf.evaluation.scoring import SIMILARITIES, Row, Scores
from ssagan_tf.evaluation.statistics import DRAWS, LEVEL, Bootstrap, Estimate
from ssagan_tf.options import FRAMES

FORMAT = 1
AFTER_THE_FIRST = slice(1, FRAMES)
LATER = "frames_2_to_32"
INTERVALS = (
    f"{LEVEL} % of {DRAWS} bootstrap resamples of the videos, each with all its clips (seed {{}})"
)
DIFFERENCES = "first minus second, frames 2 to 32, on the same resamples"


@dataclasses.dataclass(frozen=True)
class RowEstimates:
    """A row of the table."""

    row: Row
    protocol: dict[str, Estimate]  # over the protocol's frames
    later: dict[str, Estimate]  # over frames 2 to 32
    movement: dict[str, Estimate]  # motion_ratio, flow_ratio


@dataclasses.dataclass(frozen=True)
class Table:
    """All rows, with intervals over the same resamples."""

    scores: Scores
    rows: list[RowEstimates]
    videos: int
    seed: int

    def differences(self) -> list[tuple[RowEstimates, RowEstimates, dict[str, Estimate]]]:
        """Each row against each after it: `mse`, `psnr`, `ssim` of frames 2-32, and the ratios."""
        return [
            (
                a,
                b,
                {
                    name: estimate.minus({**b.later, **b.movement}[name])
                    for name, estimate in {**a.later, **a.movement}.items()
                },
            )
            for a, b in itertools.combinations(self.rows, 2)
        ]


def tabulate(scores: Scores, seed: int) -> Table:
    """Means over frames, then over clips, with intervals."""
    bootstrap = Bootstrap(scores.videos, seed)

    def means(row: Row, frames: slice) -> dict[str, Estimate]:
        return {
            name: bootstrap.mean(row.values[name][:, frames].mean(axis=1)) for name in SIMILARITIES
        }

    rows = []
    for row in scores.rows:
        ratios = {
            f"{name}_ratio": bootstrap.ratio(
                row.values[name].mean(axis=1), scores.real[name].mean(axis=1)
            )
            for name in scores.real
        }
        frames = scores.protocol.frames
        rows.append(RowEstimates(row, means(row, frames), means(row, AFTER_THE_FIRST), ratios))
    return Table(scores, rows, bootstrap.videos, seed)


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
                **_plain(each.protocol),
                LATER: _plain(each.later),
                **_plain(each.movement),
                "per_frame": _per_frame(each.row.values),
                **({"gamma": gammas[each.row.name]} if each.row.name in gammas else {}),
            }
            for each in table.rows
        ],
        "real": {
            **{name: float(values.mean()) for name, values in scores.real.items()},
            "per_frame": _per_frame(scores.real),
        },
        "differences": [
            {"rows": [a.row.name, b.row.name], **_plain(estimates)}
            for a, b, estimates in table.differences()
        ],
        "reported": reported_rows(),
        "seconds": {name: round(value, 3) for name, value in scores.seconds.items()},
    }


def clips_csv(scores: Scores) -> list[Sequence[Any]]:
    """A line per clip and row: means over the protocol's frames, and the movement."""
    lines: list[Sequence[Any]] = [
        (
            "clip",
            "video",
            "row",
            *SIMILARITIES,
            *(f"{k}{of}" for k in scores.real for of in ("", "_real")),
        )
    ]
    frames = scores.protocol.frames
    for index, (name, video) in enumerate(zip(scores.names, scores.videos, strict=True)):
        for row in scores.rows:
            similar = [row.values[key][index, frames].mean() for key in SIMILARITIES]
            moving = [
                values[index].mean()
                for key in scores.real
                for values in (row.values[key], scores.real[key])
            ]
            lines.append((name, video, row.name, *(f"{v:.6g}" for v in (*similar, *moving))))
    return lines


def _plain(estimates: dict[str, Estimate]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, estimate in estimates.items():
        plain[name] = estimate.value
        plain[f"{name}_ci95"] = list(estimate.interval) if estimate.interval else None
    return plain


def _per_frame(values: dict[str, np.ndarray]) -> dict[str, list[float | None]]:
    means = {name: array.mean(axis=0) for name, array in values.items()}
    return {
        name: [float(x) if np.isfinite(x) else None for x in mean] for name, mean in means.items()
    }
