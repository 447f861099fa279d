from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.layers import Convolution, TransposedConvolution, patches

every_layer = pytest.mark.parametrize("kind", [Convolution, TransposedConvolution])
CLIP = (2, 2, 4, 4)  # few enough positions for patches


def numbers(*shape: int, seed: int = 0) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), "float32")


@pytest.fixture
def used(monkeypatch) -> list[str]:
    """Collects the calls of `patches`."""
    calls: list[str] = []
    for name in ("convolve", "convolve_transposed"):
        original = getattr(patches, name)

        def call(*args, name=name, original=original) -> tf.Tensor:
            calls.append(name)
            return original(*args)

        monkeypatch.setattr(patches, name, call)
    return calls


def both(kind: type, shape: tuple, **arguments) -> tuple:
    """Our layer and Keras' own, with the same weights."""
    ours, theirs = kind(9, **arguments), kind.__mro__[2](9, **arguments)
    assert theirs.__class__.__module__.startswith("keras.")
    for layer in (ours, theirs):
        layer.build(shape)
        layer.bias.assign(numbers(9))
    theirs.set_weights(ours.get_weights())
    return ours, theirs


def value_and_gradients(layer: Callable, clip: tf.Tensor) -> list[np.ndarray]:
    arguments = [clip, layer.kernel.value, layer.bias.value]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        output = layer(clip)
        loss = tf.reduce_sum(output**2)
    return [np.asarray(x) for x in (output, *tape.gradient(loss, arguments))]


def assert_same(ours: Callable, theirs: Callable, clip: tf.Tensor) -> None:
    pairs = zip(value_and_gradients(ours, clip), value_and_gradients(theirs, clip), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


@every_layer
@pytest.mark.parametrize("with_patches", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": (4, 4, 4), "strides": (2, 2, 2), "padding": "same"},
        {"kernel_size": (3, 4, 4), "strides": (1, 2, 2), "padding": "same", "activation": "tanh"},
        {"kernel_size": (2, 4, 4), "strides": (1, 1, 1), "padding": "valid"},
        # A kernel smaller than its stride: Keras' transposed output is longer then.
        {"kernel_size": (2, 2, 2), "strides": (2, 3, 3), "padding": "valid"},
    ],
)
def test_keras_own(kind: type, with_patches: bool, arguments: dict, used, monkeypatch) -> None:
    if not with_patches:
        monkeypatch.setattr(patches, "pays", lambda _: False)
    clip = numbers(*CLIP, 5)
    ours, theirs = both(kind, clip.shape, **arguments)
    assert_same(ours, theirs, clip)
    assert bool(used) == with_patches


@every_layer
@pytest.mark.parametrize("clip", [(1, 5, 7, 6, 5), (2, 1, 3, 5, 5)], ids=["large", "small"])
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": (4, 4, 4), "strides": (2, 2, 2), "padding": "same"},
        {"kernel_size": (1, 3, 2), "strides": (1, 1, 1), "padding": "valid"},
        {"kernel_size": (3, 3, 3), "strides": (1, 2, 2), "padding": "same"},
    ],
)
def test_odd_sizes_are_keras_own(kind: type, clip: tuple, arguments: dict) -> None:
    clip = numbers(*clip)
    assert_same(*both(kind, clip.shape, **arguments), clip)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (Convolution, {"groups": 3, "strides": 2}),
        (Convolution, {"dilation_rate": 2}),
        (TransposedConvolution, {"strides": 2, "output_padding": 1}),
    ],
)
def test_what_patches_cannot_do_is_left_to_keras(kind: type, arguments: dict, used) -> None:
    clip = numbers(*CLIP, 6)
    assert_same(*both(kind, clip.shape, kernel_size=3, padding="same", **arguments), clip)
    assert not used


@every_layer
def test_unknown_sizes(kind: type) -> None:
    layer = kind(3, 4, 2, padding="same")
    layer.build((None, None, None, None, 2))
    run = tf.function(
        layer, autograph=False, input_signature=[tf.TensorSpec((None, None, None, None, 2))]
    )
    for shape in [(1, 2, 2, 2, 2), (2, 4, 4, 6, 2)]:
        clip = numbers(*shape)
        np.testing.assert_allclose(run(clip), layer(clip), rtol=1e-4, atol=1e-5)


@every_layer
def test_config(kind: type) -> None:
    layer = kind(3, 4, 2, padding="same", spectral_norm=True)
    again = kind.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.spectral_norm


@every_layer
def test_channels_first_is_refused(kind: type) -> None:
    with pytest.raises(ValueError, match="channels last"):
        kind(6, 4, data_format="channels_first")
