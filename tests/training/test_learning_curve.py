"""The learning curve of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ssagan_tf.evaluation import plots
from ssagan_tf.options import ComputeOptions, ModelOptions, TrainOptions
from ssagan_tf.training.learning_curve import LearningCurve, learning_curve
from ssagan_tf.training.run_folder import Run
from ssagan_tf.video import image_size


def run_in(folder: Path, batch_size: int = 4) -> Run:
    train = TrainOptions(batch_size=batch_size)
    return Run(folder, ModelOptions(), ComputeOptions(), train, None)


def write(folder: Path, *lines: object) -> None:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "metrics.jsonl").write_text("\n".join(texts) + "\n")


@pytest.mark.parametrize("split", ["test", "train"])
def test_loss_by_clips_seen(tmp_path: Path, split: str) -> None:
    name = f"{split}_content_loss"
    write(
        tmp_path,
        {"step": 0, "still_content_loss": 0.3},
        {"step": 0, name: 0.5},
        {"step": 10, "content_loss": 0.45, "seconds_per_step": 0.1},
        {"step": 10, name: 0.4},
        {"step": 20, name: 0.35},
    )
    assert learning_curve(run_in(tmp_path)) == LearningCurve({0: 0.5, 40: 0.4, 80: 0.35}, 0.3)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[1]",
        '{"test_content_loss": 1}',
        '{"step": 1e999, "test_content_loss": 1}',
        '{"step": 3',
    ],
)
def test_damaged_lines_are_skipped(tmp_path: Path, line: str) -> None:
    write(tmp_path, line, {"step": 1, "test_content_loss": 0.5}, line)
    assert learning_curve(run_in(tmp_path)).loss == {4: 0.5}


def test_nothing_logged_yet(tmp_path: Path) -> None:
    assert learning_curve(run_in(tmp_path)) == LearningCurve({}, None)


def test_plot_of_several_runs(tmp_path: Path) -> None:
    losses = {"a": {0: 0.5, 40: 0.4}, "b": {0: 0.6, 80: 0.2}}
    plots.draw_learning_curves(tmp_path / "curves.png", losses, 0.3)
    assert image_size((tmp_path / "curves.png").read_bytes()) == (450, 800)
