from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.layers import (
    BatchNormalization,
    Convolution,
    SpatialSelfAttention,
    TransposedConvolution,
    static_clip,
)
from ssagan_tf.layers.gates import GATES
from tests.exactness import assert_equal, assert_exact, draws, fill, value_and_gradients

pytestmark = pytest.mark.numeric

TABLE_1 = pytest.mark.parametrize(
    ("kernel_size", "strides"), [((4, 4, 4), (2, 2, 2)), ((3, 4, 4), (1, 2, 2))]
)
# Border and frames of clips that are static, and of one that is not.
CLIPS = [(b, frames) for frames in (4, 8, 16, 32) for b in (0, 1, 2) if 2 * b + 1 < frames]
every_clip = pytest.mark.parametrize(("border", "frames"), [*CLIPS, (2, 5)])


def repeated(slices: np.ndarray, frames: int) -> np.ndarray:
    border = slices.shape[1] // 2
    interior = [slices[:, border]] * (frames - 2 * border)
    ends = [slices[:, i] for i in range(slices.shape[1])]
    return np.stack([*ends[:border], *interior, *ends[border + 1 :]], 1)


@every_clip
def test_expand_and_multiplicities(border: int, frames: int) -> None:
    clip = draws(2, 2 * border + 1, 3, 2, 2)
    clip_of_all = static_clip.expand(clip, frames)
    np.testing.assert_array_equal(clip_of_all, repeated(clip.numpy(), frames))
    counts = static_clip.multiplicities(clip.shape[1], frames)
    assert counts.sum() == frames
    weighed = np.sum(counts[:, None, None, None] * clip.numpy(), 1)
    assert_exact([weighed], [np.sum(clip_of_all.numpy(), 1)])
    assert static_clip.is_static(clip, frames) == (clip.shape[1] != frames)
    assert not static_clip.is_static(clip, None)


def test_expand_with_a_period() -> None:
    clip = tf.reshape(tf.range(4.0), (1, 4, 1, 1, 1))
    times = static_clip.expand(clip, 8, period=2)
    np.testing.assert_array_equal(np.ravel(times), [0, 1, 2, 1, 2, 1, 2, 3])


@TABLE_1
@every_clip
def test_convolution(border: int, frames: int, kernel_size: tuple, strides: tuple) -> None:
    if frames % strides[0]:
        pytest.skip("no such layer in Table 1")
    after = frames // strides[0]

    def ways(dtype: str) -> tuple:
        clip = draws(2, 2 * border + 1, 4, 6, 2, dtype=dtype)
        kernel = draws(*kernel_size, 2, 3, seed=1, dtype=dtype)

        def convolve(x: tf.Tensor) -> tf.Tensor:
            return tf.nn.conv3d(x, kernel, (1, *strides, 1), "SAME")

        def of_slices(x: tf.Tensor) -> tf.Tensor:
            shortest = static_clip.for_convolution(x, frames, strides[0])
            assert shortest.shape[1] <= frames
            output = convolve(shortest)
            if frames > 4 * (border + 2):
                assert output.shape[1] < after  # else nothing would be saved
            return static_clip.expand(output, after)

        def plain(x: tf.Tensor) -> tf.Tensor:
            return convolve(static_clip.expand(x, frames))

        return value_and_gradients(of_slices, [clip]), value_and_gradients(plain, [clip])

    assert_equal(ways)


@TABLE_1
@every_clip
def test_transposed_convolution(
    border: int, frames: int, kernel_size: tuple, strides: tuple
) -> None:
    def ways(dtype: str) -> tuple:
        clip = draws(2, 2 * border + 1, 2, 3, 3, dtype=dtype)
        kernel = draws(*kernel_size, 2, 3, seed=1, dtype=dtype)
        lengths = []

        def convolve(x: tf.Tensor) -> tf.Tensor:
            lengths.append(x.shape[1])
            size = [n * s for n, s in zip(x.shape[1:4], strides, strict=True)]
            return tf.nn.conv3d_transpose(x, kernel, (2, *size, 2), (1, *strides, 1), "SAME")

        fast = value_and_gradients(
            lambda x: static_clip.transposed_convolution(x, frames, strides[0], convolve), [clip]
        )
        assert lengths[-1] <= min(frames, 2 * border + 3)
        plain = value_and_gradients(lambda x: convolve(static_clip.expand(x, frames)), [clip])
        return fast, plain

    assert_equal(ways)


def two_alike(make: Callable, shape: tuple) -> list:
    """Two layers with the same weights and spectral vectors."""
    layers = [make(), make()]
    for layer in layers:
        layer.build(shape)
        fill(layer.weights)
        if layer.spectral_norm:
            layer.normalization.initialize_vectors(layer.kernel)
    return layers


def assert_same_state(one: tf.Module, other: tf.Module) -> None:
    for pair in zip(one.non_trainable_weights, other.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(*pair)


@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "padding"),
    [
        ((4, 4, 4), (2, 2, 2), "same"),
        ((3, 4, 4), (1, 2, 2), "same"),
        ((2, 4, 4), (1, 1, 1), "valid"),  # conv6: not one that keeps a clip static
    ],
)
@pytest.mark.parametrize(("border", "frames"), [(0, 4), (1, 8), (2, 16)])
def test_convolution_layer(
    border: int, frames: int, kernel_size: tuple, strides: tuple, padding: str, spectral_norm: bool
) -> None:
    shape = (2, frames, 4, 6, 2)

    def ways(dtype: str) -> tuple:
        clip = draws(2, 2 * border + 1, *shape[2:], dtype=dtype)
        fast, plain = two_alike(
            lambda: Convolution(
                3, kernel_size, strides, padding=padding, spectral_norm=spectral_norm, dtype=dtype
            ),
            shape,
        )
        after = fast.compute_output_shape(shape)[1]

        # What the tape watches are the variables' values.
        def of_slices(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
            return static_clip.expand(fast(x, training=True, frames=frames), after)

        def of_all(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
            return plain(static_clip.expand(x, frames), training=True, frames=frames)

        results = tuple(
            value_and_gradients(function, [clip, layer.kernel.value, layer.bias.value])
            for function, layer in ((of_slices, fast), (of_all, plain))
        )
        assert_same_state(fast, plain)
        return results

    assert_equal(ways)


@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize("borders", [(0,), (1, None), (None, 1), (2, None, 0), (None, None)])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "padding"),
    [
        ((4, 4, 4), (2, 2, 2), "same"),
        ((3, 4, 4), (1, 2, 2), "same"),
        ((2, 4, 4), (1, 1, 1), "valid"),
    ],
)
def test_transposed_convolution_layer(
    borders: tuple, kernel_size: tuple, strides: tuple, padding: str, spectral_norm: bool
) -> None:
    frames = 8

    def ways(dtype: str) -> tuple:
        parts = [
            draws(
                *(2, frames if b is None else 2 * b + 1, 2, 3, 2 + number), seed=number, dtype=dtype
            )
            for number, b in enumerate(borders)
        ]
        fast, plain = two_alike(
            lambda: TransposedConvolution(
                3, kernel_size, strides, padding=padding, spectral_norm=spectral_norm, dtype=dtype
            ),
            (2, frames, 2, 3, sum(part.shape[-1] for part in parts)),
        )

        def of_parts(kernel: tf.Tensor, bias: tf.Tensor, *parts: tf.Tensor) -> tf.Tensor:
            return fast(list(parts), training=True, frames=frames)

        def joined(kernel: tf.Tensor, bias: tf.Tensor, *parts: tf.Tensor) -> tf.Tensor:
            clip = tf.concat([static_clip.expand(part, frames) for part in parts], -1)
            return plain(clip, training=True)

        results = tuple(
            value_and_gradients(function, [layer.kernel.value, layer.bias.value, *parts])
            for function, layer in ((of_parts, fast), (joined, plain))
        )
        assert_same_state(fast, plain)
        return results

    assert_equal(ways)


def test_wrong_channels_are_refused() -> None:
    layer = TransposedConvolution(2, 4, 2, padding="same")
    layer.build((1, 4, 2, 2, 5))
    with pytest.raises(ValueError, match=r"5 channels.*3 \+ 3"):
        layer([draws(1, 4, 2, 2, 3), draws(1, 1, 2, 2, 3)], frames=4)


@pytest.mark.parametrize("training", [True, False])
@every_clip
def test_batch_normalisation(border: int, frames: int, training: bool) -> None:
    def ways(dtype: str) -> tuple:
        clip = 3 * draws(2, 2 * border + 1, 3, 4, 3, dtype=dtype) + 2
        fast, plain = (BatchNormalization(dtype=dtype) for _ in range(2))
        for layer in (fast, plain):
            layer.build((2, frames, 3, 4, 3))
            fill(layer.weights, lambda drawn: 0.5 + drawn**2)

        def of_slices(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
            return static_clip.expand(fast(x, training=training, frames=frames), frames)

        def of_all(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
            return plain(static_clip.expand(x, frames), training=training)

        return tuple(
            [
                *value_and_gradients(function, [clip, layer.gamma.value, layer.beta.value]),
                layer.moving_mean,
                layer.moving_variance,
            ]
            for function, layer in ((of_slices, fast), (of_all, plain))
        )

    assert_equal(ways)


def test_frozen_batch_normalisation_keeps_its_statistics() -> None:
    layer = BatchNormalization(trainable=False)
    clip = draws(2, 3, 3, 4, 3, dtype="float32")
    expected = layer(clip, training=False)
    np.testing.assert_array_equal(layer(clip, training=True, frames=8), expected)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(3))


@pytest.mark.parametrize("memory", [1, 256])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize(("border", "frames"), [(0, 8), (1, 16)])
def test_attention(border: int, frames: int, gate: str, ratio: float, memory: int) -> None:
    side = (4, 5) if memory > 1 else (16, 17)  # the second does not fit into 1 MiB
    channels = 4

    def ways(dtype: str) -> tuple:
        clip = 0.5 * draws(4, 2 * border + 1, *side, channels, dtype=dtype)
        fast, plain = (
            SpatialSelfAttention(ratio, gate, memory=memory, dtype=dtype) for _ in range(2)
        )
        for layer in (fast, plain):
            layer.build((4, frames, *side, channels))
            fill(layer.trainable_weights, lambda drawn: 0.2 + 0.2 * drawn)
            for weight in layer.non_trainable_weights:
                weight.assign(tf.ones_like(weight.value))

        def of_slices(x: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
            return static_clip.expand(fast(x, training=True, frames=frames), frames)

        def of_all(x: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
            return plain(static_clip.expand(x, frames), training=True)

        return tuple(
            [
                *value_and_gradients(
                    function, [clip, *(weight.value for weight in layer.trainable_weights)]
                ),
                *layer.non_trainable_weights,
            ]
            for function, layer in ((of_slices, fast), (of_all, plain))
        )

    assert_equal(ways)
