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

TABLE_1 = pytest.mark.parametrize(
    ("kernel_size", "strides"), [((4, 4, 4), (2, 2, 2)), ((3, 4, 4), (1, 2, 2))]
)
# Border and frames of clips that are static, and of one that is not.
CLIPS = [(b, frames) for frames in (4, 8, 16, 32) for b in (0, 1, 2) if 2 * b + 1 < frames]
every_clip = pytest.mark.parametrize(("border", "frames"), [*CLIPS, (2, 5)])


def numbers(*shape: int, seed: int = 0) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), "float32")


def repeated(slices: np.ndarray, frames: int) -> np.ndarray:
    border = slices.shape[1] // 2
    interior = [slices[:, border]] * (frames - 2 * border)
    ends = [slices[:, i] for i in range(slices.shape[1])]
    return np.stack([*ends[:border], *interior, *ends[border + 1 :]], 1)


def value_and_gradients(function: Callable, arguments: list[tf.Tensor]) -> list[np.ndarray]:
    """Of a sum that weighs each frame of the output differently."""
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        output = function(*arguments)
        loss = tf.reduce_sum(output * numbers(*output.shape, seed=9))
    return [np.asarray(x) for x in (output, *tape.gradient(loss, arguments))]


def assert_close(got: list[np.ndarray], expected: list[np.ndarray], tolerance: float) -> None:
    """Of the largest number of each array."""
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert np.abs(other).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max())


@every_clip
def test_expand_and_multiplicities(border: int, frames: int) -> None:
    clip = numbers(2, 2 * border + 1, 3, 2, 2)
    clip_of_all = static_clip.expand(clip, frames)
    np.testing.assert_array_equal(clip_of_all, repeated(clip.numpy(), frames))
    counts = static_clip.multiplicities(clip.shape[1], frames)
    assert counts.dtype == np.float32
    assert counts.sum() == frames
    weighed = np.sum(counts[:, None, None, None] * clip.numpy(), 1)
    np.testing.assert_allclose(weighed, np.sum(clip_of_all.numpy(), 1), atol=1e-4)
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
    clip, kernel = numbers(2, 2 * border + 1, 4, 6, 2), numbers(*kernel_size, 2, 3, seed=1)
    after = frames // strides[0]

    def convolve(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv3d(x, kernel, (1, *strides, 1), "SAME")

    def of_slices(x: tf.Tensor) -> tf.Tensor:
        shortest = static_clip.for_convolution(x, frames, strides[0])
        assert shortest.shape[1] <= frames
        output = convolve(shortest)
        if frames > 4 * (border + 2):
            assert output.shape[1] < after  # else nothing would be saved
        return static_clip.expand(output, after)

    got = value_and_gradients(of_slices, [clip])
    expected = value_and_gradients(lambda x: convolve(static_clip.expand(x, frames)), [clip])
    assert_close(got, expected, 1e-5)


@TABLE_1
@every_clip
def test_transposed_convolution(
    border: int, frames: int, kernel_size: tuple, strides: tuple
) -> None:
    clip, kernel = numbers(2, 2 * border + 1, 2, 3, 3), numbers(*kernel_size, 2, 3, seed=1)
    lengths = []

    def convolve(x: tf.Tensor) -> tf.Tensor:
        lengths.append(x.shape[1])
        size = [n * s for n, s in zip(x.shape[1:4], strides, strict=True)]
        return tf.nn.conv3d_transpose(x, kernel, (2, *size, 2), (1, *strides, 1), "SAME")

    got = value_and_gradients(
        lambda x: static_clip.transposed_convolution(x, frames, strides[0], convolve), [clip]
    )
    assert lengths[-1] <= min(frames, 2 * border + 3)
    expected = value_and_gradients(lambda x: convolve(static_clip.expand(x, frames)), [clip])
    assert_close(got, expected, 1e-5)


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
    clip = numbers(2, 2 * border + 1, 4, 6, 2)
    layers = [
        Convolution(3, kernel_size, strides, padding=padding, spectral_norm=spectral_norm)
        for _ in range(2)
    ]
    for layer in layers:
        layer.build((2, frames, 4, 6, 2))
        layer.set_weights(layers[0].get_weights())
        layer.bias.assign(numbers(3))
    after = layers[0].compute_output_shape((2, frames, 4, 6, 2))[1]

    def run(layer: Convolution, static: bool) -> Callable:
        def call(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
            # What the tape watches are the variables' values.
            if static:
                output = layer(x, training=True, frames=frames)
                return static_clip.expand(output, after)
            return layer(static_clip.expand(x, frames), training=True, frames=frames)

        return call

    results = [
        value_and_gradients(run(layer, static), [clip, layer.kernel.value, layer.bias.value])
        for layer, static in zip(layers, (True, False), strict=True)
    ]
    assert_close(*results, 1e-5)
    for one, other in zip(*(layer.get_weights() for layer in layers), strict=True):
        np.testing.assert_array_equal(one, other)


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
    parts = [
        numbers(2, frames if b is None else 2 * b + 1, 2, 3, 2 + number, seed=number)
        for number, b in enumerate(borders)
    ]
    shape = (2, frames, 2, 3, sum(part.shape[-1] for part in parts))
    layers = [
        TransposedConvolution(3, kernel_size, strides, padding=padding, spectral_norm=spectral_norm)
        for _ in range(2)
    ]
    for layer in layers:
        layer.build(shape)
        layer.set_weights(layers[0].get_weights())
        layer.bias.assign(numbers(3))

    def of_parts(kernel: tf.Tensor, bias: tf.Tensor, *parts: tf.Tensor) -> tf.Tensor:
        return layers[0](list(parts), training=True, frames=frames)

    def joined(kernel: tf.Tensor, bias: tf.Tensor, *parts: tf.Tensor) -> tf.Tensor:
        clip = tf.concat([static_clip.expand(part, frames) for part in parts], -1)
        return layers[1](clip, training=True)

    results = [
        value_and_gradients(function, [layer.kernel.value, layer.bias.value, *parts])
        for function, layer in zip((of_parts, joined), layers, strict=True)
    ]
    assert_close(*results, 1e-5)
    for one, other in zip(*(layer.get_weights() for layer in layers), strict=True):
        np.testing.assert_array_equal(one, other)


def test_parts_of_other_channels_are_refused() -> None:
    layer = TransposedConvolution(2, 4, 2, padding="same")
    layer.build((1, 4, 2, 2, 5))
    with pytest.raises(ValueError, match=r"5 channels.*3 \+ 3"):
        layer([numbers(1, 4, 2, 2, 3), numbers(1, 1, 2, 2, 3)], frames=4)


@pytest.mark.parametrize("training", [True, False])
@every_clip
def test_batch_normalisation(border: int, frames: int, training: bool) -> None:
    clip = 3 * numbers(2, 2 * border + 1, 3, 4, 3) + 2
    layers = [BatchNormalization() for _ in range(2)]
    for layer in layers:
        layer.build((2, frames, 3, 4, 3))
        for seed, weight in enumerate(layer.weights):
            weight.assign(0.5 + numbers(3, seed=seed) ** 2)

    def of_slices(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        return static_clip.expand(layers[0](x, training=training, frames=frames), frames)

    def plain(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        return layers[1](static_clip.expand(x, frames), training=training)

    results = [
        value_and_gradients(function, [clip, layer.gamma.value, layer.beta.value])
        for function, layer in zip((of_slices, plain), layers, strict=True)
    ]
    assert_close(*results, 2e-5)
    for name in ("moving_mean", "moving_variance"):
        moving = [np.asarray(getattr(layer, name)) for layer in layers]
        np.testing.assert_allclose(*moving, rtol=1e-5)


def test_frozen_batch_normalisation_keeps_its_statistics() -> None:
    layer = BatchNormalization(trainable=False)
    clip = numbers(2, 3, 3, 4, 3)
    expected = layer(clip, training=False)
    np.testing.assert_array_equal(layer(clip, training=True, frames=8), expected)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(3))


@pytest.mark.parametrize("memory", [1, 256])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("gate", ["gamma", "none", "projected"])
@pytest.mark.parametrize(("border", "frames"), [(0, 8), (1, 16)])
def test_attention(border: int, frames: int, gate: str, ratio: float, memory: int) -> None:
    side = (4, 5) if memory > 1 else (16, 17)  # the second does not fit into 1 MiB
    clip = 0.5 * numbers(4, 2 * border + 1, *side, 4)
    layers = [SpatialSelfAttention(ratio, gate, memory=memory) for _ in range(2)]
    for layer in layers:
        layer.build((4, frames, *side, 4))
        for seed, weight in enumerate(layer.weights):
            weight.assign(0.2 + 0.2 * numbers(*weight.shape, seed=seed))
        for weight in layer.non_trainable_weights:
            weight.assign(tf.ones_like(weight.value))

    def of_slices(x: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
        return static_clip.expand(layers[0](x, training=True, frames=frames), frames)

    def plain(x: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
        return layers[1](static_clip.expand(x, frames), training=True)

    results = []
    for function, layer in zip((of_slices, plain), layers, strict=True):
        output, *gradients = value_and_gradients(
            function, [clip, *(weight.value for weight in layer.trainable_weights)]
        )
        # The gradient of a key's bias is 0 but for rounding, so measure by the largest of all.
        results.append([output, np.concatenate([np.ravel(gradient) for gradient in gradients])])
        results[-1].append(gradients[0])
    assert_close(*results, 2e-5)
    for one, other in zip(*(layer.non_trainable_weights for layer in layers), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
