"""Networks as `.keras` files with kernels in float16."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from ssagan_tf import models
from ssagan_tf.models.float16_file import save_with_float16_kernels
from ssagan_tf.models.keras_file import WEIGHTS
from ssagan_tf.models.loading import load_network
from ssagan_tf.options import ModelOptions

MODEL = ModelOptions(resolution=64, base_filters=2, ssa_layers="conv4")


def types(path: Path) -> dict[str, str]:
    """The dtype of every array in a file."""
    found: dict[str, str] = {}

    def note(name: str, each: object) -> None:
        if isinstance(each, h5py.Dataset):
            found[name] = str(each.dtype)

    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read(WEIGHTS))) as file:
        file.visititems(note)
    return found


def test_only_kernels_are_stored_in_float16(tmp_path: Path) -> None:
    network = models.build_generator(MODEL)
    network.save(tmp_path / "whole.keras")
    save_with_float16_kernels(network, tmp_path / "half.keras")
    whole, half = ((tmp_path / f"{name}.keras").stat().st_size for name in ("whole", "half"))
    assert half < 0.6 * whole
    assert set(types(tmp_path / "half.keras").values()) == {"float16", "float32"}
    # Our reader and Keras' own.
    for loaded in (
        load_network(tmp_path / "half.keras"),
        keras.models.load_model(tmp_path / "half.keras", compile=False),
    ):
        for got, given in zip(loaded.weights, network.weights, strict=True):
            value = given.numpy()
            expected = value.astype("float16").astype("float32") if value.ndim > 1 else value
            assert got.dtype == "float32"
            np.testing.assert_array_equal(got.numpy(), expected)


@pytest.mark.parametrize("value", [1e5, 1e-8], ids=["too large", "too small"])
def test_kernels_that_float16_cannot_represent_stay_float32(value: float, tmp_path: Path) -> None:
    network = models.build_generator(MODEL)
    kernel = next(each for each in network.weights if each.name == "kernel")
    kernel.assign(np.full(kernel.shape, value, "float32"))
    variance = next(each for each in network.weights if each.name == "moving_variance")
    variance.assign(np.full(variance.shape, value, "float32"))
    save_with_float16_kernels(network, tmp_path / "half.keras")
    stored = types(tmp_path / "half.keras")
    kernels = [each for each in network.weights if len(each.shape) > 1]
    assert list(stored.values()).count("float16") == len(kernels) - 1
    weights = {each.path: each.numpy() for each in load_network(tmp_path / "half.keras").weights}
    for each in (kernel, variance):
        np.testing.assert_array_equal(weights[each.path], each.numpy())


def test_nan_and_infinity_are_refused(tmp_path: Path) -> None:
    network = models.build_generator(MODEL)
    bias = next(each for each in network.weights if each.name == "moving_mean")
    bias.assign(np.full(bias.shape, np.nan, "float32"))
    with pytest.raises(ValueError, match="has a value that is NaN or infinite"):
        save_with_float16_kernels(network, tmp_path / "half.keras")


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    network = models.build_generator(MODEL)
    for name in ("a.keras", "b.keras"):
        save_with_float16_kernels(network, tmp_path / name)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    assert b"date_saved" in zipfile.ZipFile(tmp_path / "a.keras").read("metadata.json")
