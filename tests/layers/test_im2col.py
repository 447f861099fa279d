from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.layers import im2col, subpixel
from tests.exactness import assert_equal, assert_exact, draws, value_and_gradients

pytestmark = pytest.mark.numeric

# Of the larger map, kernel, strides, padding: Table 1, conv6 and deconv1, and odd ones.
every_kind = pytest.mark.parametrize(
    ("larger", "kernel_size", "strides", "padding"),
    [
        ((4, 6, 8), (4, 4, 4), (2, 2, 2), "same"),
        ((3, 4, 6), (3, 4, 4), (1, 2, 2), "same"),
        ((2, 4, 4), (2, 4, 4), (1, 1, 1), "valid"),
        ((5, 7, 6), (4, 4, 4), (2, 2, 2), "same"),
        ((5, 7, 8), (2, 3, 3), (2, 3, 2), "valid"),  # some positions are in no patch
        ((7, 5, 9), (3, 2, 5), (2, 1, 3), "same"),
    ],
)
every_transposed = pytest.mark.parametrize("module", [im2col, subpixel])


def size_after(larger: tuple, kernel_size: tuple, strides: tuple, padding: str) -> tuple:
    if padding == "same":
        return tuple(-(-n // s) for n, s in zip(larger, strides, strict=True))
    return tuple((n - k) // s + 1 for n, k, s in zip(larger, kernel_size, strides, strict=True))


def loops(clip: np.ndarray, kernel: np.ndarray, strides: tuple, padding: str) -> np.ndarray:
    """Convolution, one output position at a time."""
    sizes = clip.shape[1:4], kernel.shape[:3], strides
    size = size_after(*sizes, padding)
    pads = [0, 0, 0]
    if padding == "same":
        pads = [max((m - 1) * s + k - n, 0) for m, n, k, s in zip(size, *sizes, strict=True)]
    around = [(0, 0), *((pad // 2, pad - pad // 2) for pad in pads), (0, 0)]
    padded = np.pad(clip.astype("float64"), around)
    output = np.zeros((len(clip), *size, kernel.shape[-1]))
    for position in np.ndindex(*size):
        window = tuple(
            slice(p * s, p * s + k)
            for p, s, k in zip(position, strides, kernel.shape[:3], strict=True)
        )
        output[(slice(None), *position)] = np.tensordot(padded[(slice(None), *window)], kernel, 4)
    return output


@every_kind
def test_convolution(larger: tuple, kernel_size: tuple, strides: tuple, padding: str) -> None:
    smaller = size_after(larger, kernel_size, strides, padding)

    def ways(dtype: str) -> tuple:
        arguments = [
            draws(2, *larger, 3, dtype=dtype),
            draws(*kernel_size, 3, 5, seed=1, dtype=dtype),
        ]
        fast = value_and_gradients(
            lambda x, w: im2col.convolve(x, w, strides, padding, smaller), arguments
        )
        if dtype == "float64":
            clip, kernel = (x.numpy() for x in arguments)
            assert_exact(fast[:1], [loops(clip, kernel, strides, padding)])
        native = value_and_gradients(
            lambda x, w: tf.nn.conv3d(x, w, (1, *strides, 1), padding.upper()), arguments
        )
        return fast, native

    assert_equal(ways)


@every_kind
@every_transposed
def test_transposed_convolution(
    larger: tuple, kernel_size: tuple, strides: tuple, padding: str, module: ModuleType
) -> None:
    smaller = size_after(larger, kernel_size, strides, padding)

    def ways(dtype: str) -> tuple:
        arguments = [
            draws(2, *smaller, 3, dtype=dtype),
            draws(*kernel_size, 5, 3, seed=1, dtype=dtype),
        ]
        fast = value_and_gradients(
            lambda x, w: module.convolve_transposed(x, w, strides, padding, larger), arguments
        )
        if dtype == "float64":
            # The adjoint of the convolution: <conv(z), x> = <z, transposed(x)> for any z.
            clip, kernel = (x.numpy() for x in arguments)
            other = draws(2, *larger, 5, seed=2).numpy()
            adjoint = np.sum(loops(other, kernel, strides, padding) * clip)
            assert_exact([np.sum(fast[0] * other)], [adjoint])
        native = value_and_gradients(
            lambda x, w: tf.nn.conv3d_transpose(
                x, w, (2, *larger, 5), (1, *strides, 1), padding.upper()
            ),
            arguments,
        )
        return fast, native

    assert_equal(ways)


@pytest.mark.parametrize("transposed", [None, im2col, subpixel])
def test_second_derivative(transposed: ModuleType | None) -> None:
    larger, smaller, strides = (2, 4, 4), (1, 2, 2), (2, 2, 2)

    def ways(dtype: str) -> tuple:
        clip = draws(2, *(smaller if transposed else larger), 3, dtype=dtype)
        kernel = draws(4, 4, 4, 3, 3, dtype=dtype)

        def ours(x: tf.Tensor) -> tf.Tensor:
            if transposed:
                return transposed.convolve_transposed(x, kernel, strides, "same", larger)
            return im2col.convolve(x, kernel, strides, "same", smaller)

        def native(x: tf.Tensor) -> tf.Tensor:
            if transposed:
                return tf.nn.conv3d_transpose(x, kernel, (2, *larger, 3), (1, 2, 2, 2, 1), "SAME")
            return tf.nn.conv3d(x, kernel, (1, 2, 2, 2, 1), "SAME")

        def slope(function: Callable) -> Callable:
            def of(x: tf.Tensor) -> tf.Tensor:
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    loss = tf.reduce_sum(tf.tanh(0.1 * function(x)))
                return tape.gradient(loss, x)

            return of

        return tuple(value_and_gradients(slope(function), [clip]) for function in (ours, native))

    assert_equal(ways)


@every_transposed
def test_unknown_batch(module: ModuleType) -> None:
    kernel = draws(4, 4, 4, 3, 5)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, 2, 4, 4, 3), "float64")])
    def run(clip: tf.Tensor) -> tf.Tensor:
        rows = im2col.convolve(clip, kernel, (2, 2, 2), "same", (1, 2, 2))
        assert rows.shape.as_list() == [None, 1, 2, 2, 5]
        return module.convolve_transposed(rows, kernel, (2, 2, 2), "same", (2, 4, 4))

    for batch in (1, 3):
        clip = draws(batch, 2, 4, 4, 3)
        rows = tf.nn.conv3d(clip, kernel, (1, 2, 2, 2, 1), "SAME")
        expected = tf.nn.conv3d_transpose(
            rows, kernel, (batch, 2, 4, 4, 3), (1, 2, 2, 2, 1), "SAME"
        )
        assert_exact([run(clip)], [expected])


def test_is_faster() -> None:
    assert im2col.is_faster((2, 4, 4))
    assert not im2col.is_faster((4, 8, 8))
    assert not im2col.is_faster((None, 4, 4))


def test_subpixel_is_faster() -> None:
    assert subpixel.is_faster(3, (1, 2, 2))
    assert not subpixel.is_faster(32, (2, 2, 2))
    assert not subpixel.is_faster(3, (1, 1, 1))
