from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.layers import Convolution, TransposedConvolution, phases

TABLE_1 = pytest.mark.parametrize(
    ("kernel_size", "strides"), [((4, 4, 4), (2, 2, 2)), ((3, 4, 4), (1, 2, 2))]
)


def numbers(*shape: int, seed: int = 0) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), "float32")


def loops(clip: np.ndarray, kernel: np.ndarray, strides: tuple[int, int, int]) -> np.ndarray:
    """Convolution with padding 1, an output position at a time."""
    padded = np.pad(clip, [(0, 0), (1, 1), (1, 1), (1, 1), (0, 0)])
    size = [n // s for n, s in zip(clip.shape[1:4], strides, strict=True)]
    output = np.zeros((len(clip), *size, kernel.shape[-1]))
    for position in np.ndindex(*size):
        window = tuple(
            slice(p * s, p * s + k)
            for p, s, k in zip(position, strides, kernel.shape[:3], strict=True)
        )
        output[(slice(None), *position)] = np.tensordot(padded[(slice(None), *window)], kernel, 4)
    return output


def value_and_gradients(function, *arguments: tf.Tensor) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        output = function(*arguments)
        loss = tf.reduce_sum(output**2)
    return [output.numpy(), *(g.numpy() for g in tape.gradient(loss, arguments))]


@TABLE_1
def test_convolution(kernel_size, strides) -> None:
    clip, kernel = numbers(2, 4, 6, 8, 3), numbers(*kernel_size, 3, 5, seed=1)
    got = value_and_gradients(lambda x, w: phases.convolve(x, w, strides), clip, kernel)
    np.testing.assert_allclose(got[0], loops(clip.numpy(), kernel.numpy(), strides), atol=1e-4)
    native = value_and_gradients(
        lambda x, w: tf.nn.conv3d(x, w, (1, *strides, 1), "SAME"), clip, kernel
    )
    for ours, theirs in zip(got, native, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)


@TABLE_1
def test_transposed_convolution(kernel_size, strides) -> None:
    clip, kernel = numbers(2, 2, 3, 4, 3), numbers(*kernel_size, 5, 3, seed=1)
    size = [n * s for n, s in zip(clip.shape[1:4], strides, strict=True)]
    got = value_and_gradients(lambda x, w: phases.convolve_transposed(x, w, strides), clip, kernel)
    # The adjoint of the convolution: <conv(z), x> = <z, transposed(x)> for any z.
    other = numbers(2, *size, 5, seed=2).numpy()
    adjoint = np.sum(loops(other, kernel.numpy(), strides) * clip.numpy())
    np.testing.assert_allclose(np.sum(got[0] * other), adjoint, rtol=1e-4)
    native = value_and_gradients(
        lambda x, w: tf.nn.conv3d_transpose(x, w, (2, *size, 5), (1, *strides, 1), "SAME"),
        clip,
        kernel,
    )
    for ours, theirs in zip(got, native, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", [Convolution, TransposedConvolution])
@TABLE_1
def test_layers_with_and_without_phases_agree(kind, kernel_size, strides, monkeypatch) -> None:
    clip = numbers(2, 4, 6, 8, 12)
    layer = kind(9, kernel_size, strides, padding="same", activation="tanh")
    layer.build(clip.shape)
    layer.bias.assign(numbers(9))
    called = []
    for name in ("convolve", "convolve_transposed"):
        original = getattr(phases, name)
        monkeypatch.setattr(
            phases, name, lambda *a, original=original: called.append(1) or original(*a)
        )
    with_phases = layer(clip)
    assert called
    monkeypatch.setattr(phases, "applies", lambda *_: False)
    np.testing.assert_allclose(with_phases, layer(clip), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [Convolution, TransposedConvolution])
def test_other_convolutions_are_keras_own(kind) -> None:
    clip = numbers(1, 5, 7, 6, 12)
    for arguments in (
        {"kernel_size": (4, 4, 4), "strides": (2, 2, 2), "padding": "same"},  # odd sizes
        {"kernel_size": (2, 4, 4), "strides": (1, 1, 1), "padding": "valid"},
        {"kernel_size": (3, 3, 3), "strides": (1, 2, 2), "padding": "same"},
    ):
        ours = kind(9, **arguments)
        theirs = kind.__mro__[2](9, **arguments)
        ours.build(clip.shape), theirs.build(clip.shape)
        theirs.set_weights(ours.get_weights())
        np.testing.assert_allclose(ours(clip), theirs(clip), rtol=1e-4, atol=1e-5)


def test_groups_are_keras_own() -> None:
    clip = numbers(1, 4, 6, 8, 4)
    arguments = {"kernel_size": 4, "strides": 2, "padding": "same", "groups": 2}
    ours, theirs = Convolution(6, **arguments), Convolution.__mro__[2](6, **arguments)
    ours.build(clip.shape), theirs.build(clip.shape)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(clip), theirs(clip), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [Convolution, TransposedConvolution])
def test_channels_first_is_refused(kind) -> None:
    with pytest.raises(ValueError, match="channels last"):
        kind(6, 4, data_format="channels_first")
