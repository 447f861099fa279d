from __future__ import annotations

import doctest

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.layers import SpatialSelfAttention, attention


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def awake(layer: SpatialSelfAttention, inputs: np.ndarray) -> SpatialSelfAttention:
    """Gives all weights values that matter."""
    layer.build(inputs.shape)
    for seed, weight in enumerate(layer.weights):
        weight.assign(0.5 + 0.3 * numbers(*weight.shape, seed=seed) ** 2)
    return layer


def by_hand(layer: SpatialSelfAttention, inputs: np.ndarray) -> np.ndarray:
    """o of Eq. 2 from the layer's weights and the slow reference."""
    q, k, v = (
        inputs @ np.asarray(dense.kernel) + np.asarray(dense.bias)
        for dense in (layer.query, layer.key, layer.value)
    )
    return attention.spatial_attention_reference(q, k, v)


@pytest.mark.parametrize(("key_channels", "channels"), [(3, 3), (1, 4)])
def test_operation_equals_the_reference(key_channels: int, channels: int) -> None:
    q, k = numbers(2, 3, 4, 5, key_channels), numbers(2, 3, 4, 5, key_channels, seed=1)
    v = numbers(2, 3, 4, 5, channels, seed=2)
    expected = attention.spatial_attention_reference(q, k, v)
    np.testing.assert_allclose(attention.spatial_attention(q, k, v), expected, atol=2e-6)


@pytest.mark.parametrize("ratio", [1.0, 0.25])
@pytest.mark.parametrize("gate", ["gamma", "none"])
def test_layer_equals_the_reference(ratio: float, gate: str) -> None:
    inputs = numbers(2, 3, 4, 3, 4)
    layer = awake(SpatialSelfAttention(ratio, gate), inputs)
    gamma = float(layer.gamma) if gate == "gamma" else 1.0
    expected = gamma * by_hand(layer, inputs) + inputs  # Eq. 3
    np.testing.assert_allclose(layer(inputs), expected, rtol=2e-5, atol=2e-5)


def test_projected_gate() -> None:
    inputs = numbers(2, 3, 4, 3, 4)
    fresh = SpatialSelfAttention(gate="projected")
    np.testing.assert_array_equal(fresh(inputs, training=True), inputs)
    layer = awake(SpatialSelfAttention(gate="projected"), inputs)
    projected = by_hand(layer, inputs) @ np.asarray(layer.projection.kernel)
    projected += np.asarray(layer.projection.bias)
    mean, variance = projected.mean((0, 1, 2, 3)), projected.var((0, 1, 2, 3))
    norm = layer.projection_norm
    normalised = (projected - mean) / np.sqrt(variance + 1e-5)
    expected = normalised * np.asarray(norm.gamma) + np.asarray(norm.beta) + inputs
    np.testing.assert_allclose(layer(inputs, training=True), expected, rtol=1e-3, atol=1e-3)


def test_starts_as_the_identity_and_gamma_learns() -> None:
    inputs = tf.constant(numbers(2, 3, 4, 5, 6))
    layer = SpatialSelfAttention()
    np.testing.assert_array_equal(layer(inputs), inputs)
    assert layer.gamma.shape == ()
    assert layer.gamma.name == "gamma"
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(inputs) ** 2)
    [gradient] = tape.gradient(loss, [layer.gamma.value])
    # d/dγ Σ(γo + x)² at γ = 0 is 2 Σ o·x.
    expected = 2 * np.sum(by_hand(layer, inputs.numpy()) * inputs.numpy())
    assert abs(expected) > 1
    np.testing.assert_allclose(gradient, expected, rtol=1e-4)


def test_gradients_against_finite_differences() -> None:
    q, k, v, weight = (numbers(1, 2, 2, 3, 2, seed=seed).astype("float64") for seed in range(4))

    def loss(*qkv: np.ndarray) -> float:
        return float(np.sum(weight * attention.spatial_attention_reference(*qkv)))

    tensors = [tf.constant(x, "float32") for x in (q, k, v)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = tf.reduce_sum(weight.astype("float32") * attention.spatial_attention(*tensors))
    for number, gradient in enumerate(tape.gradient(value, tensors)):
        for index in [(0, 0, 0, 0, 0), (0, 1, 1, 2, 1), (0, 0, 1, 1, 0)]:
            low, high = ([x.copy() for x in (q, k, v)] for _ in range(2))
            low[number][index] -= 1e-4
            high[number][index] += 1e-4
            slope = (loss(*high) - loss(*low)) / 2e-4
            np.testing.assert_allclose(gradient.numpy()[index], slope, rtol=1e-3, atol=1e-5)


def test_queries_and_keys_are_drawn_apart() -> None:
    layer = SpatialSelfAttention(kernel_initializer=keras.initializers.RandomNormal(stddev=0.02))
    layer.build((None, 2, 4, 4, 64))
    query, key = np.asarray(layer.query.kernel), np.asarray(layer.key.kernel)
    assert abs(np.corrcoef(query.ravel(), key.ravel())[0, 1]) < 0.1
    np.testing.assert_allclose(query.std(), 0.02, rtol=0.1)


def test_any_initializer() -> None:
    layer = SpatialSelfAttention(kernel_initializer=lambda shape, dtype=None: tf.ones(shape, dtype))
    layer(numbers(1, 2, 3, 3, 4))
    np.testing.assert_array_equal(layer.key.kernel, np.ones((4, 4)))


def test_any_size_in_one_model() -> None:
    inputs = keras.Input((None, None, None, 4))
    model = keras.Model(inputs, SpatialSelfAttention(gate="none")(inputs))
    assert model.output_shape == (None, None, None, None, 4)
    run = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, None, 4))])
    for shape in [(1, 1, 1, 1, 4), (3, 2, 5, 4, 4), (2, 7, 3, 3, 4)]:
        clip = numbers(*shape)
        np.testing.assert_allclose(run(clip), model(clip), atol=1e-5)


def test_float16_survives_large_products() -> None:
    inputs = 20 * numbers(1, 8, 4, 4, 32)
    layer = SpatialSelfAttention(gate="none", dtype="float16")
    assert np.isfinite(np.asarray(layer(inputs))).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SpatialSelfAttention(gate="sum"), "gate"),
        (lambda: SpatialSelfAttention(ratio=0), "ratio"),
        (lambda: SpatialSelfAttention(ratio=2), "ratio"),
        (lambda: SpatialSelfAttention()(numbers(2, 4, 4, 3)), r"\[B, T, H, W, C\]"),
        (lambda: SpatialSelfAttention().build((None, 2, 4, 4, None)), "number of channels"),
    ],
)
def test_errors_name_what_is_wrong(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_the_docstring_is_true() -> None:
    results = doctest.testmod(attention, extraglobs={"np": np})
    assert results.attempted
    assert not results.failed
