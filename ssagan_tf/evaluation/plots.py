"""The pictures of a report: curves over the frames, and attention drawn over a photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssagan_tf.evaluation.scoring import Scores
from ssagan_tf.files import replacing_file

if TYPE_CHECKING:  # it loads Keras
    from ssagan_tf.evaluation.attention_maps import AttentionMap

_COLUMNS = 4


def draw_curves(path: Path, scores: Scores) -> None:
    """Every measure over the frames, a line per row; of some also one of the real clips."""
    measures = [measure for measure in scores.measures if measure.curve]
    figure = _figure(4.6 * 3, 3.6 * -(-len(measures) // 3))
    for number, measure in enumerate(measures, 1):
        axes = figure.add_subplot(-(-len(measures) // 3), 3, number)
        of_rows = {row.name: row.values[measure.name] for row in scores.rows}
        if measure.of_real:
            axes.plot(*_curve(scores.real[measure.name]), color="black", label="real")
        for index, (name, values) in enumerate(of_rows.items()):
            axes.plot(*_curve(values), color=f"C{index}", label=name, alpha=0.85)
        axes.set_title(measure.curve, fontsize=10)
        axes.set_xlabel("frame")
        axes.set_xlim(1, 32)
        axes.grid(alpha=0.25)
        if measure.name != "psnr":
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    # There are 3 measures of likeness and 1 or 2 of movement: a place is left.
    figure.legend(*axes.get_legend_handles_labels(), loc="lower right", fontsize=9, ncols=2)
    _save(figure, path)


def draw_attention(
    path: Path,
    photo: np.ndarray,
    x: int,
    y: int,
    maps: Sequence[AttentionMap],
    gammas: Mapping[str, float],
) -> None:
    """Where a position of the photo looks, a panel per module, strongest weight in yellow."""
    count = len(maps) + 1
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure = _figure(3.0 * columns, 3.6 * rows)  # two lines of title fit above each
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
            title = f"{shown.layer} ({size}{gamma})\nstrongest {shown.weights.max() / uniform:.3g}"
            title += " × uniform"
            axes.imshow(shown.weights, cmap="inferno", alpha=0.65, extent=extent, vmin=0)
        axes.plot(x + 0.5, y + 0.5, "+", color="cyan", markersize=11, markeredgewidth=2)
        axes.set_title(title, fontsize=8)
    _save(figure, path)


def _curve(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frame numbers and means over clips; a step belongs to the frame it leads to."""
    mean = values.mean(axis=0)
    finite = np.isfinite(mean)
    return np.arange(33 - len(mean), 33)[finite], mean[finite]


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure  # without pyplot there is no window and no global state

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
      losses: By the name of the run: loss by the number of clips that its generator has seen.
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
