from __future__ import annotations

import numpy as np
import pytest

import ssagan_tf
from ssagan_tf.evaluation.attention_maps import attention_maps, attention_row, gammas
from ssagan_tf.layers import SpatialSelfAttention
from ssagan_tf.layers.static_clip import expand
from ssagan_tf.options import ModelOptions
from ssagan_tf.pixels import to_float
from tests.exactness import assert_exact

pytestmark = pytest.mark.numeric


def test_the_map_is_a_row_of_the_softmax() -> None:
    """Compared with the softmax in NumPy, and with the output of the layer."""
    clip = np.random.default_rng(0).normal(0, 1, (1, 3, 2, 4, 8))
    module = SpatialSelfAttention(gate="none", dtype="float64")
    module(clip)
    weights = attention_row(module, clip, (1, 2))
    assert weights.shape == (2, 4)
    query, key = (np.asarray(f(clip), "float64")[0] for f in (module.query, module.key))
    logits = np.array([[np.sum(query[:, 1, 2] * key[:, i, j]) for j in range(4)] for i in range(2)])
    np.testing.assert_allclose(weights, np.exp(logits) / np.exp(logits).sum(), rtol=1e-9)
    values = np.asarray(module.value(clip), "float64")[0]
    attended = np.einsum("hw,thwc->tc", weights, values)
    output = np.asarray(module(clip))[0, :, 1, 2] - clip[0, :, 1, 2]
    assert_exact([output], [attended])


def test_the_map_of_a_static_clip() -> None:
    slices = np.random.default_rng(1).normal(0, 0.3, (1, 3, 2, 4, 8))
    module = SpatialSelfAttention(dtype="float64")
    module(slices)
    whole = np.asarray(expand(slices, 32))
    assert_exact(
        [attention_row(module, slices, (0, 3), frames=32)], [attention_row(module, whole, (0, 3))]
    )


def test_the_maps_of_a_generator() -> None:
    options = ModelOptions(resolution=64, base_filters=2)
    generator = ssagan_tf.build_generator(options)
    photo = np.random.default_rng(2).integers(0, 256, (64, 64, 3), np.uint8)
    clip = np.asarray(generator(to_float(photo)[None], training=False))
    maps = attention_maps(generator, photo, 10, 60)
    layers = ["conv2", "conv3", "conv4", "conv5", "deconv1", "deconv2", "deconv3", "deconv4"]
    assert [shown.layer for shown in maps] == layers
    assert [shown.weights.shape[0] for shown in maps] == [32, 16, 8, 4, 4, 8, 16, 32]
    for shown in maps:
        assert shown.weights.sum() == pytest.approx(1)
    np.testing.assert_array_equal(
        np.asarray(generator(to_float(photo)[None], training=False)), clip
    )

    values = gammas(generator)
    assert list(values) == layers
    assert set(values.values()) == {0.0}
    [weight] = [
        w
        for w in generator.weights
        if w.path.endswith("conv3/ssa/gamma") and "deconv" not in w.path
    ]
    weight.assign(0.25)
    assert gammas(generator)["conv3"] == 0.25
    with pytest.raises(ValueError, match="64,3 is outside"):
        attention_maps(generator, photo, 64, 3)


def test_the_maps_of_two_stages() -> None:
    """Modules of both stages are named after their stage."""
    first, second = (
        ssagan_tf.build_generator(
            ModelOptions(network=name, resolution=64, base_filters=1, ssa_layers="conv5")
        )
        for name in ("ssagan", "ssagan_stage2")
    )
    [gamma] = [weight for weight in first.weights if weight.path.endswith("ssa/gamma")]
    gamma.assign(0.5)
    both = ssagan_tf.models.TwoStage(first, second)
    both.build_variables()
    assert gammas(both) == {"stage1/conv5": 0.5, "stage2/conv5": 0.0}
    photo = np.zeros((64, 64, 3), np.uint8)
    assert [shown.layer for shown in attention_maps(both, photo, 0, 0)] == list(gammas(both))
