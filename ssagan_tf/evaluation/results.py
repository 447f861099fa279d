"""From values per clip and frame to estimates over clips, for metrics.json and clips.csv."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ssagan_tf.evaluation.bootstrap import LEVEL, RESAMPLES, Bootstrap, Estimate
from ssagan_tf.evaluation.metrics.metric import SPREAD, Metric
from ssagan_tf.evaluation.published_results import reported_rows
from ssagan_tf.evaluation.scoring import Row, Scores
from ssagan_tf.options import FRAMES

FORMAT = 1
ALL_FRAMES, FRAMES_2_TO_32 = slice(None), slice(1, FRAMES)
LATER = "frames_2_to_32"  # a key of metrics.json, as is the next one
STILL = "still_clips"
INTERVALS = (
    f"{LEVEL} % bootstrap intervals ({RESAMPLES} resamples of the videos, each with all its clips; "
    "seed {})"
)


@dataclasses.dataclass(frozen=True)
class RowEstimates:
    """A row of the tables: estimates by the keys of their metrics.

    Attributes:
      protocol: Metrics over the protocol's frames.
      later: The same over frames 2 to 32.
      others: All other metrics.
    """

    row: Row
    protocol: dict[str, Estimate]
    later: dict[str, Estimate]
    others: dict[str, Estimate]


@dataclasses.dataclass(frozen=True)
class Table:
    """All rows, with intervals over the same resamples.

    Attributes:
      real: Estimates for the real clips by themselves.
      videos: Number of videos.
      seed: Seed of the resampling.
    """

    scores: Scores
    rows: list[RowEstimates]
    real: dict[str, Estimate]
    videos: int
    seed: int

    def differences(self) -> list[tuple[RowEstimates, RowEstimates, dict[str, Estimate]]]:
        """Each row minus each later one, for all metrics (over frames 2 to 32 if per frame)."""
        return [
            (
                a,
                b,
                {
                    key: estimate.minus({**b.later, **b.others}[key])
                    for key, estimate in {**a.later, **a.others}.items()
                },
            )
            for a, b in itertools.combinations(self.rows, 2)
        ]


def tabulate(scores: Scores, seed: int) -> Table:
    """Averages over frames, then aggregates over clips as each metric says, with intervals."""
    bootstrap = Bootstrap(scores.videos, seed)
    per_protocol, others = _split(scores.metrics)

    def estimates(
        row: Row, metrics: Sequence[Metric], frames: slice = ALL_FRAMES
    ) -> dict[str, Estimate]:
        return {
            metric.key: metric.aggregate(
                bootstrap,
                _per_clip(row.values[metric.name], frames),
                _per_clip(scores.real[metric.name], frames) if metric.also_real else None,
            )
            for metric in metrics
        }

    rows = [
        RowEstimates(
            row,
            estimates(row, per_protocol, scores.protocol.frames),
            estimates(row, per_protocol, FRAMES_2_TO_32),
            estimates(row, others),
        )
        for row in scores.rows
    ]
    real = {
        metric.key: metric.aggregate(bootstrap, _per_clip(scores.real[metric.name]), None)
        for metric in others
        if metric.has_real_row
    }
    return Table(scores, rows, real, bootstrap.videos, seed)


def _split(metrics: Sequence[Metric]) -> tuple[list[Metric], list[Metric]]:
    """The metrics over the protocol's frames, and the others."""
    per_protocol = [metric for metric in metrics if metric.over_protocol_frames]
    return per_protocol, [metric for metric in metrics if not metric.over_protocol_frames]


def _per_clip(values: np.ndarray, frames: slice = ALL_FRAMES) -> np.ndarray:
    """A value per clip, `[N]`, from such values or from values per frame `[N, T]`."""
    return values if values.ndim == 1 else values[:, frames].mean(axis=1)


def to_json(
    table: Table, conditions: dict[str, str], gammas: dict[str, dict[str, float]]
) -> dict[str, Any]:
    """The content of `metrics.json`.

    Args:
      table: The estimates.
      conditions: What they depend on, in words.
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
                "about": each.row.description,
                **({} if each.row.mirrored is None else {"mirrored_clips": sum(each.row.mirrored)}),
                **({STILL: len(each.row.still)} if each.row.still else {}),
                **_plain(scores.metrics, each.protocol),
                LATER: _plain(scores.metrics, each.later),
                **_plain(scores.metrics, each.others),
                "per_frame": _per_frame(scores.metrics, each.row.values),
                **({"gamma": gammas[each.row.name]} if each.row.name in gammas else {}),
            }
            for each in table.rows
        ],
        "real": {
            **{
                metric.name: float(scores.real[metric.name].mean())
                for metric in scores.metrics
                if metric.also_real and not metric.has_real_row
            },
            **_plain(scores.metrics, table.real),
            "per_frame": _per_frame(scores.metrics, scores.real),
        },
        "differences": [
            {"rows": [a.row.name, b.row.name], **_plain(scores.metrics, estimates)}
            for a, b, estimates in table.differences()
        ],
        "reported": reported_rows(),
        "seconds": {name: round(value, 3) for name, value in scores.seconds.items()},
    }


def clips_csv(scores: Scores) -> list[Sequence[Any]]:
    """A line per clip and row: every metric, over the protocol's frames where it has such."""
    per_protocol, others = _split(scores.metrics)
    columns = [metric.name for metric in per_protocol]
    for metric in others:
        columns += [metric.name, f"{metric.name}_real"] if metric.also_real else [metric.name]
    real = {f"{name}_real": _per_clip(values) for name, values in scores.real.items()}
    if any(row.mirrored is not None for row in scores.rows):
        columns.append("mirrored")
    lines: list[Sequence[Any]] = [("clip", "video", "row", *columns)]
    by_row = []
    for row in scores.rows:
        frames = scores.protocol.frames
        values = {m.name: _per_clip(row.values[m.name], frames) for m in per_protocol}
        values |= {m.name: _per_clip(row.values[m.name]) for m in others}
        by_row.append({**values, **real, "mirrored": row.mirrored})
    for index, (name, video) in enumerate(zip(scores.names, scores.videos, strict=True)):
        for row, values in zip(scores.rows, by_row, strict=True):
            cells = (_cell(values[column][index]) for column in columns)
            lines.append((name, video, row.name, *cells))
    return lines


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"


def _plain(metrics: Sequence[Metric], estimates: dict[str, Estimate]) -> dict[str, Any]:
    """Estimates as JSON values, with their intervals, spreads and numbers of clips."""
    plain: dict[str, Any] = {}
    for metric in metrics:
        key = metric.key
        if key not in estimates:
            continue
        estimate = estimates[key]
        plain[key] = estimate.value
        plain[f"{key}_ci{LEVEL}"] = list(estimate.interval) if estimate.interval else None
        if estimate.spread:
            plain["{}_p{:g}_p{:g}".format(key, *SPREAD)] = list(estimate.spread)
        if metric.can_be_nan and estimate.clips is not None:
            plain[f"{key}_clips"] = estimate.clips
    return plain


def _per_frame(
    metrics: Sequence[Metric], values: dict[str, np.ndarray]
) -> dict[str, list[float | None]]:
    means = {m.name: values[m.name].mean(axis=0) for m in metrics if m.curve and m.name in values}
    return {
        name: [float(x) if np.isfinite(x) else None for x in mean] for name, mean in means.items()
    }
