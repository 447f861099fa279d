"""The pictures of a report: curves over the frames, and attention drawn over a photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssagan_tf.evaluation.real_clips import REAL
from ssagan_tf.evaluation.scoring import Scores
from ssagan_tf.files import replacing_file
from ssagan_tf.options import FRAMES

if TYPE_CHECKING:  # it loads Keras
    from ssagan_tf.evaluation.attention_maps import AttentionMap

_CURVES_PER_ROW, _MAPS_PER_ROW = 3, 4


def draw_curves(path: Path, scores: Scores) -> None:
    """Plots every metric that has a curve over the frames, a line per row of the table."""
    metrics = [metric for metric in scores.metrics if metric.curve]
    rows = -(-(len(metrics) + 1) // _CURVES_PER_ROW)  # the last cell is left to the legend
    figure = _figure(4.6 * _CURVES_PER_ROW, 3.6 * rows)
    for number, metric in enumerate(metrics, 1):
        axes = figure.add_subplot(rows, _CURVES_PER_ROW, number)
        if metric.also_real:
            axes.plot(*_curve(scores.real[metric.name]), color="black", label=REAL)
        for index, row in enumerate(scores.rows):
            curve = _curve(row.values[metric.name])
            axes.plot(*curve, color=f"C{index}", label=row.name, alpha=0.85)
        axes.set_title(metric.curve, fontsize=10)
        axes.set_xlabel("frame")
        axes.set_xlim(1, FRAMES)
        axes.grid(alpha=0.25)
        if metric.curve_from_zero:
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    lines = {
        label: line
        for axes in figure.axes
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(lines.values(), lines.keys(), loc="lower right", fontsize=9, ncols=2)
    _save(figure, path)


def draw_attention(
    path: Path,
    photo: np.ndarray,
    x: int,
    y: int,
    maps: Sequence[AttentionMap],
    gammas: Mapping[str, float],
) -> None:
    """Draws what a position of the photo attends to: a panel per module, large weights yellow."""
    count = len(maps) + 1
    columns = min(count, _MAPS_PER_ROW)
    rows = -(-count // columns)
    figure = _figure(3.0 * columns, 3.6 * rows)  # room for two lines of title above each
    height, width = photo.shape[:2]
    extent = (0, width, height, 0)
    for number in range(count):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.set_axis_off()
        axes.imshow(photo, extent=extent)
        title = "input and query"
        if number:
            shown = maps[number - 1]
            size = "×".join(map(str, shown.weights.shape))
            gamma = f", γ {gammas[shown.layer]:.3g}" if shown.layer in gammas else ""
            uniform = 1 / shown.weights.size
            title = f"{shown.layer} ({size}{gamma})\nmaximum {shown.weights.max() / uniform:.3g}"
            title += " × uniform"
            axes.imshow(shown.weights, cmap="inferno", alpha=0.65, extent=extent, vmin=0)
        axes.plot(x + 0.5, y + 0.5, "+", color="cyan", markersize=11, markeredgewidth=2)
        axes.set_title(title, fontsize=8)
    _save(figure, path)


def _curve(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frame numbers and means over clips; a step is plotted at the frame it leads to."""
    mean = values.mean(axis=0)
    finite = np.isfinite(mean)
    return np.arange(FRAMES + 1 - len(mean), FRAMES + 1)[finite], mean[finite]


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure  # without pyplot: no window, no global state

    return Figure((width, height), layout="constrained")


def _save(figure: Any, path: Path) -> None:
    with replacing_file(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")


def draw_learning_curves(
    path: Path, losses: Mapping[str, Mapping[int, float]], still: float | None
) -> None:
    """Plots the content loss of several runs during training.

    Args:
      path: PNG to write.
      losses: For each run, by name: losses by the number of clips that its generator has seen.
      still: Loss of the photo repeated as a still clip, where it is the same for all runs.
    """
    figure = _figure(8.0, 4.5)
    axes = figure.add_subplot()
    for name, loss in losses.items():
        axes.plot(list(loss), list(loss.values()), marker=".", label=name)
    if still is not None:
        axes.axhline(still, color="grey", linestyle="--", label="still photo")
    axes.set_title("Content loss on held-out clips during training", fontsize=10)
    axes.set_xlabel("clips seen by the generator")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=9)
    _save(figure, path)
