from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.layers import Convolution, SpectralNormalization, TransposedConvolution
from tests.exactness import arrays, assert_equal, assert_exact, draws, fill

pytestmark = pytest.mark.numeric

SHAPE = (2, 4, 8, 8, 5)
KINDS = pytest.mark.parametrize(
    ("kind", "output_axis"), [(Convolution, -1), (TransposedConvolution, -2)]
)


def make(kind: type, steps: int = 0, dtype: str = "float64"):
    layer = kind(
        6, (4, 4, 4), (2, 2, 2), padding="same", use_bias=False, spectral_norm=True, dtype=dtype
    )
    layer.build(SHAPE)
    fill(layer.weights)
    layer.normalization.initialize_vectors(layer.kernel)
    for _ in range(steps):
        layer.normalization(layer.kernel, training=True)
    return layer


def converged(kind: type, output_axis: int, dtype: str):
    """A layer with the exact singular vectors."""
    layer = make(kind, dtype=dtype)
    u, _, vt = np.linalg.svd(matrix(np.asarray(layer.kernel), output_axis), full_matrices=False)
    layer.normalization.u.assign(u[:, 0])
    layer.normalization.v.assign(vt[0])
    return layer


def matrix(kernel: np.ndarray, output_axis: int) -> np.ndarray:
    return np.moveaxis(kernel, output_axis, 0).reshape(kernel.shape[output_axis], -1)


@KINDS
def test_divides_by_the_largest_singular_value(kind: type, output_axis: int) -> None:
    layer = make(kind, steps=300)
    [kernel] = arrays([layer.kernel])
    largest = np.linalg.svd(matrix(kernel, output_axis), compute_uv=False)[0]
    used = layer.normalization(layer.kernel)
    assert_exact([used], [kernel / largest])
    norms = np.linalg.svd(matrix(np.asarray(used), output_axis), compute_uv=False)
    assert_exact([norms[:1]], [np.ones(1)])


@KINDS
@pytest.mark.slow
def test_convolves_with_the_divided_kernel(kind: type, output_axis: int) -> None:
    def ways(dtype: str) -> tuple:
        layer = converged(kind, output_axis, dtype)
        kernel = np.asarray(layer.kernel)
        plain = kind(6, (4, 4, 4), (2, 2, 2), padding="same", use_bias=False, dtype=dtype)
        plain.build(SHAPE)
        plain.kernel.assign(kernel / np.linalg.norm(matrix(kernel, output_axis), 2))
        clip = draws(*SHAPE, dtype=dtype)
        return [layer(clip)], [plain(clip)]

    assert_equal(ways)


@KINDS
def test_inference_before_training(kind: type, output_axis: int) -> None:
    layer = make(kind)
    kernel = np.asarray(layer.kernel)
    largest = np.linalg.norm(matrix(kernel, output_axis), 2)
    used = np.asarray(layer.normalization(layer.kernel))
    # σ is found to a tenth, which is what the iterations of a random kernel are good for.
    assert 1 <= (used / kernel * largest).mean() < 1.1


@KINDS
def test_one_iteration_per_training_call_and_none_at_inference(
    kind: type, output_axis: int
) -> None:
    layer, clip = make(kind), draws(*SHAPE)
    norm = layer.normalization
    w, u = matrix(np.asarray(layer.kernel), output_axis), np.asarray(norm.u)
    before = [np.asarray(weight) for weight in layer.weights]
    layer(clip)
    layer(clip, training=False)
    for weight, old in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)

    layer(clip, training=True)
    v = w.T @ u / np.linalg.norm(w.T @ u)
    assert_exact([norm.v, norm.u], [v, w @ v / np.linalg.norm(w @ v)])
    np.testing.assert_array_equal(layer.kernel, before[0])


@KINDS
@pytest.mark.parametrize("training", [True, False])
def test_gradient_flows_through_sigma(kind: type, output_axis: int, training: bool) -> None:
    layer = make(kind, steps=30)
    kernel = np.asarray(layer.kernel)
    weight = draws(*kernel.shape, seed=1).numpy()
    with tf.GradientTape() as tape:
        used = layer.normalization(tf.convert_to_tensor(layer.kernel), training=training)
        loss = tf.reduce_sum(weight * used)
    gradient = tape.gradient(loss, layer.kernel.value).numpy()
    u, v = (np.asarray(x) for x in (layer.normalization.u, layer.normalization.v))
    sigma = u @ matrix(kernel, output_axis) @ v
    assert_exact([loss], [np.sum(weight * kernel) / sigma])

    # With u and v constant: of K/σ the derivative is dK/σ - K dσ/σ², and dσ/dK is u vᵀ.
    outer = np.moveaxis(kernel, output_axis, 0).shape
    of_sigma = np.moveaxis(np.outer(u, v).reshape(outer), 0, output_axis)
    assert_exact([gradient], [weight / sigma - np.sum(weight * kernel) * of_sigma / sigma**2])
    # A normalised kernel does not change with the scale of the kernel.
    assert abs(np.sum(gradient * kernel)) < 1e-9 * np.abs(gradient * kernel).sum()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("float64", "float64"), ("float32", "float32"), ("mixed_bfloat16", "float32")],
)
def test_vectors_are_at_least_float32(policy: str, expected: str) -> None:
    layer = make(Convolution, dtype=policy)
    assert {layer.normalization.u.dtype, layer.normalization.v.dtype} == {expected}


def test_unknown_shape() -> None:
    with pytest.raises(ValueError, match="known shape"):
        SpectralNormalization().build((None, 3))
