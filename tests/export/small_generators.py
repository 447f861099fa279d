"""Small generators and their exports."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest

import ssagan_tf
from export.options import OnnxOptions, SavedModelOptions
from export.to_onnx import to_onnx
from export.to_saved_model import to_saved_model
from ssagan_tf import models
from ssagan_tf.layers import BatchNormalization
from ssagan_tf.options import ComputeOptions, ModelOptions
from tests.exactness import in_float64

SMALL = ModelOptions(resolution=64, base_filters=2, ssa_layers="conv4,deconv3")
FIRST = ModelOptions(network="mdgan_stage1", resolution=64, base_filters=1)
ATTENTION = {"ssa_layers": "conv4,deconv2"}  # of the smallest networks that have attention
SIZES = ("1", "2")  # warm-up batch sizes


@dataclasses.dataclass
class Exports:
    """A generator and the folder of its exports, each of which is written when first used."""

    folder: Path
    generator: models.Network

    @property
    def keras_file(self) -> Path:
        return self.folder / "generator.keras"

    @property
    def saved_model(self) -> Path:
        path = self.folder / "models" / "1"
        if not path.exists():
            warm_up = SIZES if has("tensorflow_serving") else ()
            options = SavedModelOptions(
                model=str(self.keras_file), output=str(path), warm_up=warm_up, max_megapixels=1
            )
            to_saved_model(options, ComputeOptions())
        return path

    def onnx(self, precision: str = "float32") -> Path:
        if not has("tf2onnx") or not has("onnxruntime"):
            pytest.skip("the extra 'onnx' is not installed")
        path = self.folder / f"{precision}.onnx"
        if not path.exists():
            to_onnx(OnnxOptions(model=str(self.keras_file), output=str(path), precision=precision))
        return path

    def expected(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the clips that Keras makes of images in float32 and in float64."""
        return tuple(np.asarray(network(images)) for network in (self.generator, self._in_float64))

    @functools.cached_property
    def _in_float64(self) -> models.Network:
        return in_float64(self.generator)

    def photos(self, number: int) -> np.ndarray:
        side = self.generator.options.resolution
        return np.random.default_rng(number).integers(0, 256, (number, side, side, 3), np.uint8)


def has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def exports_of(folder: Path, generator: models.Network) -> Exports:
    """Saves a generator and returns it with the folder of its exports."""
    exports = Exports(folder, generator)
    generator.save(exports.keras_file)
    return exports


def photo_generator(name: str) -> models.Network:
    """Returns a small generator that takes photos: a second stage comes with a first one."""
    attention = ATTENTION if name.startswith("ssagan") else {}
    generator = randomized_generator(dataclasses.replace(FIRST, network=name, **attention))
    if not models.REGISTRY[name].takes_clip:
        return generator
    both = models.TwoStage(randomized_generator(FIRST), generator)
    both.build_variables()
    return both


def randomized_generator(options: ModelOptions) -> models.Network:
    """Builds a generator whose weights all affect its output, including γ and moving statistics."""
    generator = ssagan_tf.build_generator(options)
    rng = np.random.default_rng(1)
    for weight in generator.trainable_weights:
        value = 0.5 if weight.name == "gamma" and weight.shape == () else np.asarray(weight)
        weight.assign(value + 0.1 * rng.standard_normal(weight.shape))
    norms = [x for x in generator._flatten_layers() if isinstance(x, BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # the statistics of one batch
    generator(rng.uniform(-1, 1, (2, *generator.input_axes)).astype("float32"), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return generator
