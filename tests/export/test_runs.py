"""Exports of training runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from export.onnx_session import OnnxGenerator
from export.options import OnnxOptions, SavedModelOptions
from export.to_onnx import to_onnx
from export.to_saved_model import to_saved_model
from ssagan_tf import models
from ssagan_tf.options import ComputeOptions, ModelOptions, TrainOptions
from ssagan_tf.training import callbacks, loop
from tests.exactness import rms
from tests.models.plain import noise
from tests.training import tiny

pytestmark = pytest.mark.slow

STEPS = 3


@pytest.fixture
def run(tmp_path: Path, synthetic_set: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with averaged weights, of the smallest networks."""
    tiny.install(monkeypatch.setattr)
    for method in ("on_step", "on_train_begin"):  # no samples
        monkeypatch.setattr(callbacks.WriteSamples, method, lambda *arguments, **more: None)
    options = TrainOptions(
        data=str(synthetic_set),
        run_dir=str(tmp_path / "run"),
        steps=STEPS,
        ema_decay=0.6,
        learning_rate=0.05,
        batch_size=1,
        discriminator_updates=1,
        samples=1,
        test_clips=1,
        sample_every=100,
    )
    loop.train(ModelOptions(resolution=64), ComputeOptions(), options)
    return tmp_path / "run"


def make_clips(run: Path, image: np.ndarray) -> list[np.ndarray]:
    """Returns clips by the checkpoint's own weights and by their averages."""
    reader = tf.train.load_checkpoint(str(run / "checkpoints" / f"step-{STEPS}"))
    saved = {
        name.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE").replace(".S", "/"): name
        for name in reader.get_variable_to_shape_map()
    }
    generator = models.build_generator(ModelOptions(resolution=64))
    for weight in generator.weights:
        weight.assign(reader.get_tensor(saved[f"generator/{weight.path}"]))
    clips = [np.asarray(generator(image))]
    for weight in generator.weights:
        name = weight.path.replace("/", "_")
        # All but the vectors of spectral norm have averages.
        for key in (key for key in saved if key.endswith(f"{name}_average")):
            weight.assign(reader.get_tensor(saved[key]))
    return [*clips, np.asarray(generator(image))]


def test_averaged_weights_are_exported(run: Path, tmp_path: Path) -> None:
    image = noise(2, 64, 64, 3)
    raw, averaged = make_clips(run, image)
    assert np.abs(averaged - raw).max() > 1e-2

    def assert_averaged(clip: np.ndarray) -> None:  # other tests check the numbers
        assert rms(clip - averaged) < 1e-3 * rms(averaged - raw)

    # generator.keras of the finished run
    folder = tmp_path / "models" / "1"
    to_saved_model(
        SavedModelOptions(run_dir=str(run), output=str(folder), warm_up=()), ComputeOptions()
    )
    exported = tf.saved_model.load(str(folder)).signatures["tensor"](image=tf.constant(image))
    assert_averaged(exported["clip"])
    settings = json.loads((folder / "assets.extra" / "settings.json").read_text())
    assert settings["train"]["ema_decay"] == 0.6
    assert settings["source"] == str(run)
    assert settings["data"]["clips"] == {"train": 10, "test": 2}
    again = (folder / "assets.extra" / "flags.cfg").read_bytes()
    assert again == (run / "flags.cfg").read_bytes()

    # a checkpoint
    pytest.importorskip("tf2onnx")
    path = tmp_path / "model.onnx"
    to_onnx(OnnxOptions(run_dir=str(run), checkpoint=str(STEPS), output=str(path)))
    model = OnnxGenerator(path)
    assert_averaged(model(image))
    assert model.settings["source"] == f"{run}, checkpoint {STEPS}"
