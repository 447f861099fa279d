"""Optical flow and the fitted field of the web page against the Python modules of these names."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ssagan_tf.motion import optical_flow
from ssagan_tf.motion.field import Field, basis, fit, prior_mean
from tests.drifting_clips import drifting
from tests.export.web.javascript import Node, start_node

node = pytest.fixture(scope="module")(start_node)

FIELD = Field(0.6, np.array([[0.004, 0.001], [0.003, -0.002], [0.01, 0.004]]))


def noisy(shape: tuple[int, int], clip: np.ndarray) -> np.ndarray:
    """A clip at another size, with the noise of a network."""
    noise = np.random.default_rng(2).normal(0, 3, (len(clip), *shape, 3))
    resized = np.stack([cv2.resize(frame, shape[::-1]) for frame in clip])
    return np.uint8(np.clip(np.round(resized + noise), 0, 255))


CLIPS = {
    "drifting": drifting((0.7, -0.3)),
    "noisy": noisy((64, 64), drifting((1.4, 0.4))),
    "two levels below, odd": noisy((131, 173), drifting((0.5, 0.2), frames=3)),
    "wide and low": noisy((20, 90), drifting((0.5, 0.2), frames=3)),
    "as small as the border": noisy((7, 3), drifting((0.5, 0.2), frames=3)),
    "still": np.repeat(drifting((0, 0), frames=1), 3, axis=0),
}


def plain(field: Field) -> dict:
    return {"horizon": field.horizon, "coefficients": field.coefficients.tolist()}


@pytest.mark.parametrize("name", CLIPS)
def test_flow_and_what_it_explains(node: Node, name: str) -> None:
    clip = CLIPS[name]
    apart = min(2, len(clip) - 1)
    measured = optical_flow.velocities(clip, apart)
    found = node("motion/optical_flow.js", "velocities", list(clip), apart)
    np.testing.assert_allclose(found, measured, rtol=0, atol=1e-3)
    expected = optical_flow.change_and_residual(clip, measured, apart)
    found = node("motion/optical_flow.js", "changeAndResidual", list(clip), measured, apart)
    np.testing.assert_allclose(found["change"], expected[0], rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(found["residual"], expected[1], rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(
        node("motion/optical_flow.js", "texture", list(clip)),
        optical_flow.texture(clip),
        rtol=1e-5,
        atol=1e-2,
    )


@pytest.mark.parametrize("size", [(64, 64), (37, 50), (1, 1), (1, 90)])
def test_velocities_of_a_field(node: Node, size: tuple[int, int]) -> None:
    for field in (FIELD, prior_mean(1.0), prior_mean(0.0)):
        found = node("motion/field.js", "velocities", plain(field), *size)
        np.testing.assert_allclose(found, field.velocities(*size), rtol=1e-6, atol=1e-7)
    found = node("motion/field.js", "basis", *size, 0.6)
    features, below = basis(*size, 0.6)
    assert np.array_equal(found["below"], below)
    np.testing.assert_allclose(found["features"].reshape(-1, 3), features, atol=1e-12)


def test_fields_in_the_other_direction(node: Node) -> None:
    for function, expected in (("mirrored", FIELD.mirrored()), ("scaled", FIELD.scaled(-2))):
        arguments = [plain(FIELD)] + [-2] * (function == "scaled")
        assert node("motion/field.js", function, *arguments) == plain(expected)


@pytest.mark.parametrize("confidence", [0, 0.3, 1])
@pytest.mark.parametrize("horizon", [1.0, 0.55])
def test_fit(node: Node, horizon: float, confidence: float) -> None:
    rng = np.random.default_rng(3)
    for height, width, share in ((64, 64, 0.7), (40, 90, 0.9), (64, 64, 0.001)):
        true = Field(horizon, FIELD.coefficients).velocities(height, width)
        velocities = np.float32(true + rng.standard_t(2, true.shape) * 0.1)
        weights = np.float32(rng.uniform(0, 1, (height, width)))
        weights *= rng.uniform(0, 1, weights.shape) < share
        expected = fit(velocities, weights, horizon, confidence)
        found = node("motion/field.js", "fit", velocities, weights, horizon, confidence)
        assert found["horizon"] == horizon
        np.testing.assert_allclose(
            found["coefficients"], expected.coefficients, rtol=1e-6, atol=1e-9
        )


def test_no_motion_leaves_the_prior(node: Node) -> None:
    still, everywhere = np.zeros((8, 8, 2), np.float32), np.ones((8, 8), np.float32)
    for weights in (everywhere, everywhere * 0):
        found = node("motion/field.js", "fit", still, weights, 0.8, 1)
        assert found == plain(prior_mean(0.8))
