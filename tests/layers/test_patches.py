from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.layers import patches

# Of the larger map, kernel, strides, padding: Table 1, conv6 and deconv1, and odd ones.
every_kind = pytest.mark.parametrize(
    ("larger", "kernel_size", "strides", "padding"),
    [
        ((4, 6, 8), (4, 4, 4), (2, 2, 2), "same"),
        ((3, 4, 6), (3, 4, 4), (1, 2, 2), "same"),
        ((2, 4, 4), (2, 4, 4), (1, 1, 1), "valid"),
        ((5, 7, 6), (4, 4, 4), (2, 2, 2), "same"),
        ((5, 7, 8), (2, 3, 3), (2, 3, 2), "valid"),  # some positions are in no patch
    ],
)


def numbers(*shape: int, seed: int = 0) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), "float32")


def size_after(larger: tuple, kernel_size: tuple, strides: tuple, padding: str) -> tuple:
    if padding == "same":
        return tuple(-(-n // s) for n, s in zip(larger, strides, strict=True))
    return tuple((n - k) // s + 1 for n, k, s in zip(larger, kernel_size, strides, strict=True))


def loops(clip: np.ndarray, kernel: np.ndarray, strides: tuple, padding: str) -> np.ndarray:
    """Convolution, an output position at a time."""
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


def value_and_gradients(function: Callable, *arguments: tf.Tensor) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        output = function(*arguments)
        loss = tf.reduce_sum(output**2)
    return [output.numpy(), *(g.numpy() for g in tape.gradient(loss, arguments))]


def assert_close(got: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


@every_kind
def test_convolution(larger: tuple, kernel_size: tuple, strides: tuple, padding: str) -> None:
    smaller = size_after(larger, kernel_size, strides, padding)
    clip, kernel = numbers(2, *larger, 3), numbers(*kernel_size, 3, 5, seed=1)
    got = value_and_gradients(
        lambda x, w: patches.convolve(x, w, strides, padding, smaller), clip, kernel
    )
    assert_close(got[:1], [loops(clip.numpy(), kernel.numpy(), strides, padding)])
    native = value_and_gradients(
        lambda x, w: tf.nn.conv3d(x, w, (1, *strides, 1), padding.upper()), clip, kernel
    )
    assert_close(got, native)


@every_kind
def test_transposed_convolution(
    larger: tuple, kernel_size: tuple, strides: tuple, padding: str
) -> None:
    smaller = size_after(larger, kernel_size, strides, padding)
    clip, kernel = numbers(2, *smaller, 3), numbers(*kernel_size, 5, 3, seed=1)
    got = value_and_gradients(
        lambda x, w: patches.convolve_transposed(x, w, strides, padding, larger), clip, kernel
    )
    # The adjoint of the convolution: <conv(z), x> = <z, transposed(x)> for any z.
    other = numbers(2, *larger, 5, seed=2).numpy()
    adjoint = np.sum(loops(other, kernel.numpy(), strides, padding) * clip.numpy())
    np.testing.assert_allclose(np.sum(got[0] * other), adjoint, rtol=1e-4, atol=1e-3)
    native = value_and_gradients(
        lambda x, w: tf.nn.conv3d_transpose(
            x, w, (2, *larger, 5), (1, *strides, 1), padding.upper()
        ),
        clip,
        kernel,
    )
    assert_close(got, native)


@pytest.mark.parametrize("transposed", [False, True])
def test_second_derivative(transposed: bool) -> None:
    larger, smaller, strides = (2, 4, 4), (1, 2, 2), (2, 2, 2)
    clip, kernel = numbers(2, *(smaller if transposed else larger), 3), numbers(4, 4, 4, 3, 3)

    def ours(x: tf.Tensor) -> tf.Tensor:
        if transposed:
            return patches.convolve_transposed(x, kernel, strides, "same", larger)
        return patches.convolve(x, kernel, strides, "same", smaller)

    def native(x: tf.Tensor) -> tf.Tensor:
        if transposed:
            return tf.nn.conv3d_transpose(x, kernel, (2, *larger, 3), (1, 2, 2, 2, 1), "SAME")
        return tf.nn.conv3d(x, kernel, (1, 2, 2, 2, 1), "SAME")

    def penalty(function: Callable) -> np.ndarray:
        """Gradient of a squared gradient."""
        with tf.GradientTape() as outer:
            outer.watch(clip)
            with tf.GradientTape() as inner:
                inner.watch(clip)
                loss = tf.reduce_sum(tf.tanh(0.1 * function(clip)))
            first = inner.gradient(loss, clip)
            second = tf.reduce_sum(first**2)
        return outer.gradient(second, clip).numpy()

    assert_close([penalty(ours)], [penalty(native)])


def test_unknown_batch() -> None:
    kernel = numbers(4, 4, 4, 3, 5)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, 2, 4, 4, 3))])
    def run(clip: tf.Tensor) -> tf.Tensor:
        rows = patches.convolve(clip, kernel, (2, 2, 2), "same", (1, 2, 2))
        assert rows.shape.as_list() == [None, 1, 2, 2, 5]
        return patches.convolve_transposed(rows, kernel, (2, 2, 2), "same", (2, 4, 4))

    for batch in (1, 3):
        clip = numbers(batch, 2, 4, 4, 3)
        rows = tf.nn.conv3d(clip, kernel, (1, 2, 2, 2, 1), "SAME")
        expected = tf.nn.conv3d_transpose(
            rows, kernel, (batch, 2, 4, 4, 3), (1, 2, 2, 2, 1), "SAME"
        )
        assert_close([run(clip).numpy()], [expected.numpy()])


def test_where_it_pays() -> None:
    assert patches.pays((2, 4, 4))
    assert not patches.pays((4, 8, 8))
    assert not patches.pays((None, 4, 4))
