"""TensorBoard and metrics.jsonl of a run that was killed or rolled back, and resumed."""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from ssagan_tf.errors import DataError
from ssagan_tf.training.callbacks import MetricsLog

FRAMES = np.zeros((2, 8, 8, 3), np.uint8)


def shown(run: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows: step and value of each scalar, and the steps of videos."""
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    found = {}
    for tag in events.Tags()["tensors"]:
        values = [tensor_util.make_ndarray(each.tensor_proto) for each in events.Tensors(tag)]
        steps = [each.step for each in events.Tensors(tag)]
        numbers = [float(v) if v.ndim == 0 else 0.0 for v in values]
        found[tag] = sorted(zip(steps, numbers, strict=True))  # files come by their names
    return found


@pytest.mark.parametrize("half", [0, 1, 30])
def test_no_step_is_shown_twice(tmp_path: Path, half: int) -> None:
    def go_on(start: int, last: int, value: float) -> None:
        log = MetricsLog(tmp_path, start)
        if start == 0:
            log.write(0, {"test_loss": value})
        for step in range(start + 1, last + 1):
            log.write(step, {"loss": value})
            if step % 2 == 0:
                log.write_gif(step, "film", FRAMES, 12)

    go_on(0, 3, 1.0)  # killed before the first checkpoint,
    go_on(0, 7, 2.0)  # then after the one of step 4,
    for path in (tmp_path / "tensorboard").iterdir():
        if half:  # while an event was written
            with path.open("ab") as file:
                file.write(path.read_bytes()[:half])
    go_on(4, 8, 3.0)  # then that of 6
    go_on(6, 9, 4.0)
    losses = [(s, 2.0 if s <= 4 else 3.0 if s <= 6 else 4.0) for s in range(1, 10)]
    films = [(step, 0.0) for step in (2, 4, 6, 8)]
    expected = {"loss/test loss": [(0, 2.0)], "loss/loss": losses, "film": films}
    assert shown(tmp_path) == expected
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["loss"]) for line in lines if "loss" in line] == losses


def test_other_files_stay(tmp_path: Path) -> None:
    folder = tmp_path / "tensorboard"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "events.out.tfevents.1").write_bytes(b"\xff" * 64)
    MetricsLog(tmp_path, 3).write(4, {"loss": 1.0})
    assert (folder / "notes.txt").read_text() == "mine"
    assert shown(tmp_path) == {"loss/loss": [(4, 1.0)]}


def test_full_disk_is_not_reported_as_out_of_memory(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0)
    log.write(1, {"loss": 1.0})
    [events] = (tmp_path / "tensorboard").iterdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (events.stat().st_size, before[1]))
    try:
        with pytest.raises(DataError, match=r"cannot write .*/tensorboard: "):
            log.write_gif(2, "film", FRAMES, 12)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
