from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.layers import Convolution, SpectralNormalization, TransposedConvolution

CLIP = np.random.default_rng(0).standard_normal((2, 4, 8, 8, 5), dtype="float32")
KINDS = pytest.mark.parametrize(
    ("kind", "output_axis"), [(Convolution, -1), (TransposedConvolution, -2)]
)


def make(kind: type, steps: int = 0):
    layer = kind(6, (4, 4, 4), (2, 2, 2), padding="same", use_bias=False, spectral_norm=True)
    layer.build(CLIP.shape)
    for _ in range(steps):
        layer(CLIP, training=True)
    return layer


def matrix(kernel: np.ndarray, output_axis: int) -> np.ndarray:
    return np.moveaxis(kernel, output_axis, 0).reshape(kernel.shape[output_axis], -1)


@KINDS
def test_divides_by_the_largest_singular_value(kind: type, output_axis: int) -> None:
    layer = make(kind, steps=100)
    kernel = np.asarray(layer.kernel)
    largest = np.linalg.svd(matrix(kernel, output_axis), compute_uv=False)[0]
    used = np.asarray(layer.normalization(layer.kernel))
    np.testing.assert_allclose(used, kernel / largest, rtol=1e-4, atol=1e-6)
    norms = np.linalg.svd(matrix(used, output_axis), compute_uv=False)
    np.testing.assert_allclose(norms[0], 1, rtol=1e-4)


@KINDS
def test_convolves_with_the_divided_kernel(kind: type, output_axis: int) -> None:
    layer = make(kind, steps=100)
    kernel = np.asarray(layer.kernel)
    plain = kind(6, (4, 4, 4), (2, 2, 2), padding="same", use_bias=False)
    plain.build(CLIP.shape)
    plain.kernel.assign(kernel / np.linalg.norm(matrix(kernel, output_axis), 2))
    np.testing.assert_allclose(layer(CLIP), plain(CLIP), rtol=1e-3, atol=1e-5)


@KINDS
def test_of_use_before_training(kind: type, output_axis: int) -> None:
    layer = make(kind)
    kernel = np.asarray(layer.kernel)
    largest = np.linalg.norm(matrix(kernel, output_axis), 2)
    used = np.asarray(layer.normalization(layer.kernel))
    np.testing.assert_allclose(used, kernel / largest, rtol=0.1, atol=1e-3)


@KINDS
def test_one_iteration_a_training_call_and_none_at_inference(kind: type, output_axis: int) -> None:
    layer = make(kind)
    norm = layer.normalization
    w, u = matrix(np.asarray(layer.kernel), output_axis), np.asarray(norm.u)
    before = [np.asarray(weight) for weight in layer.weights]
    layer(CLIP)
    layer(CLIP, training=False)
    for weight, old in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)

    layer(CLIP, training=True)
    v = w.T @ u / np.linalg.norm(w.T @ u)
    np.testing.assert_allclose(norm.v, v, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(norm.u, w @ v / np.linalg.norm(w @ v), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(layer.kernel, before[0])


@KINDS
@pytest.mark.parametrize("training", [True, False])
def test_gradient_flows_through_sigma(kind: type, output_axis: int, training: bool) -> None:
    layer = make(kind, steps=30)
    kernel = np.asarray(layer.kernel, "float64")
    weight = np.random.default_rng(1).standard_normal(kernel.shape)
    with tf.GradientTape() as tape:
        used = layer.normalization(tf.convert_to_tensor(layer.kernel), training=training)
        loss = tf.reduce_sum(weight.astype("float32") * used)
    gradient = tape.gradient(loss, layer.kernel.value).numpy()
    u, v = (np.asarray(x, "float64") for x in (layer.normalization.u, layer.normalization.v))

    def value(kernel: np.ndarray) -> float:  # u and v are constants of the gradient
        return float(np.sum(weight * kernel) / (u @ matrix(kernel, output_axis) @ v))

    for index in [(0, 0, 0, 0, 0), (3, 1, 2, 4, 3), (1, 2, 3, 2, 4)]:
        low, high = kernel.copy(), kernel.copy()
        low[index] -= 1e-5
        high[index] += 1e-5
        slope = (value(high) - value(low)) / 2e-5
        np.testing.assert_allclose(gradient[index], slope, rtol=2e-3, atol=1e-4)
    # A normalised kernel does not change with the scale of the kernel.
    assert abs(np.sum(gradient * kernel)) < 1e-3 * np.abs(gradient * kernel).sum()


def test_unknown_shape() -> None:
    with pytest.raises(ValueError, match="known shape"):
        SpectralNormalization().build((None, 3))
