"""Files of earlier versions of the code can still be read and resumed.

A failure here means that a format has changed. Write code that reads the old one; never change the
golden files. See README.md in this folder.
"""

from __future__ import annotations

import json
import math
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.models.loading import load_network
from tests.golden import observe

pytestmark = [pytest.mark.numeric, pytest.mark.slow]

HERE = Path(__file__).parent
# Machines round float32 differently. What nobody can see is allowed: a quarter of a grey level of a
# picture, whose 256 levels span [-1, 1].
PIXEL_TOLERANCE = 2 / 255 / 4
SCORE_TOLERANCE = 1 / 255 / 4  # the same, for scores in [0, 1]
# Sums over whole numbers in a different order: a few ulps of float32.
ROUNDING = 1e-5


@pytest.fixture(params=sorted(path.stem for path in HERE.glob("*.json")))
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The files, unpacked in another folder than they were made in, and their expected values."""
    with tarfile.open(HERE / f"{request.param}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path, json.loads((HERE / f"{request.param}.json").read_text(encoding="utf-8"))


def test_networks(golden) -> None:
    folder, expected = golden
    paths = sorted((folder / "networks").glob("*.keras"))
    assert [path.stem for path in paths] == list(expected["networks"])
    for path in paths:
        seen, kept = observe.network(path), expected["networks"][path.stem]
        now, then = (np.array(each.pop("output", [])) for each in (seen, kept))
        assert seen == kept, path.stem
        bound = PIXEL_TOLERANCE if len(kept.get("shape", ())) == 5 else SCORE_TOLERANCE
        np.testing.assert_allclose(now, then, rtol=0, atol=bound, err_msg=path.stem)


@pytest.mark.parametrize("name", observe.RUNS)
def test_a_run_resumes(golden, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, expected = golden
    kept, run_dir = expected["runs"][name], folder / name
    step, steps = kept.pop("step"), kept.pop("steps")
    done, state = observe.resume(folder, name, steps, monkeypatch)
    assert f"resuming at step {step} of {steps}" in done.stdout
    assert state == kept

    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"step-{steps}"))
    names = [each for each in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in each]
    assert len(names) == kept["values"]
    for each in names:
        assert np.isfinite(reader.get_tensor(each)).all(), each
    logged = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    losses = [entry for entry in logged if "generator_loss" in entry]
    assert [entry["step"] for entry in losses] == list(range(1, steps + 1))
    assert all(math.isfinite(value) for entry in logged for value in entry.values())
    assert (run_dir / "samples" / f"step_{steps:06d}.mp4").is_file()
    generator = load_network(run_dir / "generator.keras")
    assert np.isfinite(generator(observe.inputs(generator.input_axes))).all()


def test_the_prepared_set_is_intact(golden) -> None:
    folder, expected = golden
    assert observe.verify(folder) == expected["set"]


def test_evaluation(golden) -> None:
    folder, expected = golden
    seen, kept = observe.evaluate(folder), expected["evaluation"]
    assert seen.keys() == kept.keys()
    assert seen.pop("head") == kept.pop("head")
    moving = kept.pop("real")
    assert seen.pop("real") == pytest.approx(moving, rel=ROUNDING)
    # The repeated photo involves no network, so all measures come from whole numbers.
    for name, value in kept.pop("copy_first_frame").items():
        now = seen["copy_first_frame"][name]
        assert flat(now) == pytest.approx(flat(value), rel=ROUNDING, abs=ROUNDING), name
    assert kept.keys() == {"file", *observe.RUNS}
    for row, then in kept.items():
        now = seen[row]
        assert now.keys() == then.keys()
        assert now.get("gamma") == pytest.approx(then.get("gamma"))
        # If every value x is off by at most d, a frame's mean of (x - y)² is off by at most
        # 2·d·√MSE + d², its PSNR by what follows from that, and a mean of changes by 2·d.
        mse, psnr = (np.array(then["per_frame"][name]) for name in ("mse", "psnr"))
        wrong = 2 * PIXEL_TOLERANCE * np.sqrt(mse) + PIXEL_TOLERANCE**2
        assert (abs(np.array(now["per_frame"]["mse"]) - mse) <= wrong).all(), row
        decibels = -10 * np.log10(1 - wrong / mse)
        assert (abs(np.array(now["per_frame"]["psnr"]) - psnr) <= decibels).all(), row
        assert abs(now["mse"] - then["mse"]) <= wrong.mean(), row
        assert abs(now["psnr"] - then["psnr"]) <= decibels.mean(), row
        assert abs(now["motion_ratio"] - then["motion_ratio"]) <= 2 * PIXEL_TOLERANCE / moving, row


def flat(value: Any) -> Any:
    """Nested lists as one; None, the PSNR of identical frames, becomes infinity."""
    if isinstance(value, dict):
        return [flat(each) for values in value.values() for each in values]
    return math.inf if value is None else value


def test_a_study_continues(golden) -> None:
    folder, expected = golden
    assert observe.report(folder) == expected["report"]
    assert list(observe.vote(folder)) == list(expected["study"].values())
    assert len(observe.report(folder)["votes"]) == expected["study"]["votes"]


def test_exports(golden) -> None:
    """Their users rely on these names, types and shapes."""
    folder, expected = golden
    assert observe.saved_model(folder) == expected["saved_model"]
    pytest.importorskip("tf2onnx", reason="the extra 'onnx' is not installed")
    assert observe.onnx(folder) == expected["onnx"]
