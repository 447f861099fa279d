"""Requirements on every public layer. A layer missing from the table fails the first test."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import ssagan_tf.layers
from ssagan_tf import layers
from tests.exactness import assert_rounded, fill, rms

pytestmark = pytest.mark.numeric

CLIP = (2, 4, 6, 8, 5)
CASES = {
    "ssa": (lambda **kw: layers.SpatialSelfAttention(**kw), CLIP, 7, 0),
    "ssa_none": (
        lambda **kw: layers.SpatialSelfAttention(ratio=0.2, gate="none", **kw),
        CLIP,
        6,
        0,
    ),
    "ssa_projected": (
        lambda **kw: layers.SpatialSelfAttention(gate="projected", **kw),
        CLIP,
        10,
        2,
    ),
    "batch_norm": (lambda **kw: layers.BatchNormalization(**kw), CLIP, 2, 2),
    "spectral_norm": (lambda **kw: layers.SpectralNormalization(**kw), (2, 3, 4, 5, 6), 0, 2),
    "convolution": (
        lambda **kw: layers.Convolution(
            7, (4, 4, 4), (2, 2, 2), padding="same", spectral_norm=True, activation="relu", **kw
        ),
        CLIP,
        2,
        2,
    ),
    "transposed": (
        lambda **kw: layers.TransposedConvolution(
            9, (3, 4, 4), (1, 2, 2), padding="same", spectral_norm=True, **kw
        ),
        CLIP,
        2,
        2,
    ),
    "block": (
        lambda **kw: layers.ConvolutionBlock(
            6,
            (4, 4, 4),
            (2, 2, 2),
            "same",
            activation="leaky_relu",
            ssa={"gate": "gamma", "ratio": 0.5},
            spectral_norm=True,
            **kw,
        ),
        CLIP,
        10,
        4,
    ),
    "transposed_block": (
        lambda **kw: layers.ConvolutionBlock(
            6,
            (2, 4, 4),
            (1, 1, 1),
            "valid",
            transposed=True,
            activation="relu",
            use_bias=True,
            **kw,
        ),
        CLIP,
        4,
        2,
    ),
}
every_layer = pytest.mark.parametrize(
    ("make", "shape", "trainable", "frozen"), CASES.values(), ids=CASES
)


def numbers(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def test_every_public_layer_is_in_the_table() -> None:
    made = {type(make()).__name__ for make, *_ in CASES.values()}
    assert made == set(ssagan_tf.layers.__all__)


@every_layer
def test_weights(make, shape, trainable, frozen) -> None:
    layer = make()
    layer(numbers(shape))
    assert len(layer.trainable_weights) == trainable
    assert len(layer.non_trainable_weights) == frozen
    assert len({weight.path for weight in layer.weights}) == trainable + frozen


@every_layer
def test_eager_symbolic_and_computed_shapes_agree(make, shape, trainable, frozen) -> None:
    layer = make()
    output = layer(numbers(shape))
    assert tuple(output.shape) == tuple(layer.compute_output_shape(shape))
    symbolic = make()(keras.Input(batch_shape=shape))
    assert tuple(symbolic.shape) == tuple(output.shape)


@every_layer
def test_config_round_trip(make, shape, trainable, frozen) -> None:
    layer = make(name="here")
    layer(numbers(shape))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    again(numbers(shape))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(numbers(shape, 1)), layer(numbers(shape, 1)))


@every_layer
def test_save_in_a_user_model(make, shape, trainable, frozen, tmp_path) -> None:
    inputs = keras.Input(batch_shape=(None, *shape[1:]))
    if make is CASES["spectral_norm"][0]:
        inputs = keras.Input(batch_shape=shape)  # a kernel has no batch
    model = keras.Model(inputs, make()(inputs))
    for weight in model.weights:  # away from zeros, where much could hide
        weight.assign(weight + 0.1 * np.abs(numbers(weight.shape)))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(numbers(shape)), model(numbers(shape)))


@every_layer
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(make, shape, trainable, frozen, precision) -> None:
    exact, mixed = make(), make(dtype=precision)
    inputs = numbers(shape)
    for _ in range(5):  # spectral norm divides by what its first power iterations find
        exact(inputs, training=True)
    expected = np.asarray(exact(inputs))
    output = mixed(inputs)
    mixed.set_weights(exact.get_weights())
    assert all(weight.dtype == "float32" for weight in mixed.weights)
    assert keras.backend.standardize_dtype(output.dtype) == precision.removeprefix("mixed_")
    output = np.asarray(keras.ops.cast(mixed(inputs), "float32"))
    assert_rounded(output, expected, precision.removeprefix("mixed_"))


@every_layer
@pytest.mark.usefixtures("float64")
def test_float64(make, shape, trainable, frozen) -> None:
    """With the user's policy, everything is float64 and as exact as that allows."""
    layer, inputs = make(), numbers(shape)
    outputs = [layer(inputs, training=training) for training in (True, False)]
    assert {keras.backend.standardize_dtype(x.dtype) for x in outputs} == {"float64"}
    assert {weight.dtype for weight in layer.weights} <= {"float64"}
    fill(layer.weights, lambda drawn: 0.5 + 0.3 * drawn**2)  # a γ of 0 would hide all
    single = make(dtype="float32")
    single(inputs)
    single.set_weights(layer.get_weights())
    expected, rounded = np.asarray(layer(inputs)), np.asarray(single(inputs))
    assert 0 < rms(rounded - expected) < 1e-5 * rms(expected)
    again = make(dtype="float64")
    again(inputs)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(inputs), expected)
