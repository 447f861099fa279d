"""RNN-GAN against its layers written with 2D operations, a frame at a time."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import ssagan_tf
from ssagan_tf.options import ModelOptions
from tests.exactness import EXACT, assert_exact
from tests.models.plain import activated, noise, normalised, varied

pytestmark = pytest.mark.numeric

OPTIONS = ModelOptions(network="rnngan", resolution=64, base_filters=1)


def halved(x, block):
    return tf.nn.conv2d(x, block.convolution.kernel[0], 2, "SAME")


def doubled(x, block):
    kernel = block.convolution.kernel[0]
    batch, height, width, _ = x.shape
    shape = (batch, 2 * height, 2 * width, kernel.shape[-2])
    return tf.nn.conv2d_transpose(x, kernel, shape, 2, "SAME")


def recurrent(code: np.ndarray, lstm) -> np.ndarray:
    """The equations of an LSTM from a zero state, fed with the same code 32 times."""
    kernel, recurrent_kernel, bias = (np.asarray(w, "float64") for w in lstm.weights)
    state = cell = np.zeros_like(code, "float64")
    outputs = []
    for _ in range(32):
        gates = code @ kernel + state @ recurrent_kernel + bias
        enter, keep, new, leave = np.split(gates, 4, axis=-1)
        enter, keep, leave = (1 / (1 + np.exp(-gate)) for gate in (enter, keep, leave))
        cell = keep * cell + enter * np.tanh(new)
        state = leave * np.tanh(cell)
        outputs.append(state)
    return np.stack(outputs, axis=1)


def generated(network, image, training):
    x = tf.constant(image)
    *encoder, code = network.encoder
    for block in encoder:
        x = tf.nn.relu(normalised(halved(x, block), block, training))
    code = tf.tensordot(x, code.convolution.kernel[0], 3) + code.convolution.bias
    codes = recurrent(np.tanh(code), network.lstm)
    batch, size = codes.shape[0], codes.shape[-1]
    first, *middle, last = network.decoder
    x = tf.einsum("nc,hwoc->nhwo", codes.reshape(-1, size), first.convolution.kernel[0])
    x = tf.nn.relu(normalised(x, first, training))  # over all steps at once
    for block in middle:
        x = tf.nn.relu(normalised(doubled(x, block), block, training))
    x = tf.tanh(doubled(x, last) + last.convolution.bias)
    return tf.reshape(x, (batch, 32, 64, 64, 3))


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.usefixtures("float64")
def test_generator(training: bool) -> None:
    network = varied(ssagan_tf.build_generator(OPTIONS))
    image = noise(2, 64, 64, 3, dtype="float64")
    expected = generated(network, image, training)
    assert np.std(expected) > 0.1
    assert np.std(np.diff(expected, axis=1)) > 0.001  # it moves
    assert_exact([network(image, training=training)], [expected])


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.usefixtures("float64")
def test_discriminator(training: bool) -> None:
    network = varied(ssagan_tf.build_discriminator(OPTIONS))
    clip = noise(2, 32, 64, 64, 3, dtype="float64")
    x = tf.reshape(clip, (-1, 64, 64, 3))
    for block in network.features:
        x = activated(lambda x: tf.maximum(x, 0.2 * x), halved(x, block), block, training)
    kernel, bias = network.score.convolution.kernel, network.score.convolution.bias
    expected = np.reshape(tf.tensordot(x, kernel[0, ..., 0], 3) + bias, (2, 32))
    assert np.ptp(expected) > 0.001
    scores = network(clip, training=training, every_frame=True)
    clips = network(clip, training=training)
    assert_exact([scores, clips], [expected, expected.mean(1, keepdims=True)])


@pytest.mark.usefixtures("float64")
def test_a_frame_is_scored_by_itself() -> None:
    network = varied(ssagan_tf.build_discriminator(OPTIONS))
    clip = noise(1, 32, 64, 64, 3, dtype="float64")
    changed = clip.copy()
    changed[:, 5] *= 0.5
    before, after = (np.asarray(network(x, every_frame=True)) for x in (clip, changed))
    assert np.flatnonzero(np.abs(after - before) > EXACT).tolist() == [5]


def test_sizes_and_normalisation() -> None:
    generator = ssagan_tf.build_generator(OPTIONS)
    groups = (generator.encoder, generator.decoder)
    filters = [[block.get_config()["filters"] for block in group] for group in groups]
    assert filters == [[2, 4, 8, 16, 16], [16, 8, 4, 2, 3]]
    bare = [block.name for group in groups for block in group if block.batch_norm is None]
    assert bare == ["code", "decoder5"]
    assert generator.lstm.units == 16
