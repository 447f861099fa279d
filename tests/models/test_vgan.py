"""VGAN against its layers written with 2D and 3D operations of TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import ssagan_tf
from ssagan_tf.options import ModelOptions
from tests.exactness import assert_exact
from tests.models.plain import activated, noise, normalised, varied

pytestmark = pytest.mark.numeric

OPTIONS = ModelOptions(network="vgan", resolution=64, base_filters=1)


def halved(x, block):
    """A 2D convolution of stride 2."""
    return tf.nn.conv2d(x, block.convolution.kernel[0], 2, "SAME")


def doubled(x, block):
    """A 2D deconvolution of stride 2."""
    kernel = block.convolution.kernel[0]
    batch, height, width, _ = x.shape
    shape = (batch, 2 * height, 2 * width, kernel.shape[-2])
    return tf.nn.conv2d_transpose(x, kernel, shape, 2, "SAME")


def solid(x, block, padding="SAME"):
    """A 3D deconvolution of stride 2, or of stride 1 without padding."""
    kernel = block.convolution.kernel
    stride = 2 if padding == "SAME" else 1
    sizes = [
        stride * size if padding == "SAME" else size + taps - 1
        for size, taps in zip(x.shape[1:4], kernel.shape[:3], strict=True)
    ]
    shape = (x.shape[0], *sizes, kernel.shape[-2])
    return tf.nn.conv3d_transpose(x, kernel, shape, [1, stride, stride, stride, 1], padding)


def generated(network, image, training):
    x = tf.constant(image)
    for block in network.encoder:
        x = activated(tf.nn.relu, halved(x, block), block, training)
    still, moving = x, x[:, None]
    for block in network.background[:-1]:
        still = tf.nn.relu(normalised(doubled(still, block), block, training))
    last = network.background[-1]
    still = tf.tanh(doubled(still, last) + last.convolution.bias)
    for number, block in enumerate(network.foreground):
        moving = solid(moving, block, "SAME" if number else "VALID")
        moving = tf.nn.relu(normalised(moving, block, training))
    colour, mask = (
        solid(moving, head) + head.convolution.bias for head in (network.colour, network.mask)
    )
    mask = tf.sigmoid(mask)
    return mask * tf.tanh(colour) + (1 - mask) * still[:, None]


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_generator(training: bool) -> None:
    network = varied(ssagan_tf.build_generator(OPTIONS))
    image = noise(2, 64, 64, 3, dtype="float64")
    expected = generated(network, image, training)
    assert np.std(expected) > 0.1
    assert np.std(np.diff(expected, axis=1)) > 0.01  # it moves
    assert_exact([network(image, training=training)], [expected])


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.usefixtures("float64")
def test_discriminator(training: bool) -> None:
    network = varied(ssagan_tf.build_discriminator(OPTIONS))
    clip = noise(2, 32, 64, 64, 3, dtype="float64")
    x = tf.constant(clip)
    for block in network.features:
        x = tf.nn.conv3d(x, block.convolution.kernel, [1, 2, 2, 2, 1], "SAME")
        x = activated(lambda x: tf.maximum(x, 0.2 * x), x, block, training)
    kernel, bias = network.score.convolution.kernel, network.score.convolution.bias
    expected = tf.tensordot(x, kernel[..., 0], 4)[:, None] + bias
    assert np.ptp(expected) > 0.001
    assert_exact([network(clip, training=training)], [expected])


def test_sizes_and_normalisation() -> None:
    generator = ssagan_tf.build_generator(OPTIONS)
    groups = (generator.encoder, generator.background, generator.foreground)
    filters = [[block.get_config()["filters"] for block in group] for group in groups]
    assert filters == [[4, 8, 16, 32], [16, 8, 4, 3], [32, 16, 8, 4]]
    bare = [block.name for group in groups for block in group if block.batch_norm is None]
    assert bare == ["encoder1", "background4"]
