"""The whole estimate of motion of the web page against `estimate_motion`."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ssagan_tf import skies, video
from ssagan_tf.motion.transfer import Motion, NothingMovesError, estimate_motion
from tests.export.web.javascript import JavaScriptError, Node, start_node
from tests.sample_photos import Drift, landscape, plain

node = pytest.fixture(scope="module")(start_node)

BLOB = cv2.resize(np.float32([[0, 1, 1.2], [-0.2, 1, 0]]), (97, 60))
CHECKS = np.kron(np.indices((12, 16)).sum(axis=0) % 2, np.ones((8, 8)))[..., None]
MOVING = {
    "landscape": (landscape(), None),
    "upright, with a mask of another size": (landscape(130, 50), np.clip(BLOB, 0, 1)),
    "wide, with a mask that is not clipped": (landscape(), BLOB),
    "procedural": (skies.procedural_clip(901, 1, 160, 1, "canonical")[0][:, :120], None),
}
STILL = {
    "fog": (plain(120, 160, 220), None),
    "dark green": (plain(20, 40, 20), None),
    "wall": (np.uint8(30 + CHECKS * [150, 90, 60]), None),
    "black mask": (landscape(), np.zeros((60, 97), np.float32)),
    "a single column": (landscape(60, 1), None),
}


def clip_of(photo: np.ndarray) -> np.ndarray:
    return np.uint8(Drift()(video.fit(photo, 64, "stretch")[None].astype(np.float32), False)[0])


def estimated(node: Node, photo: np.ndarray, mask: np.ndarray | None) -> tuple[dict, Motion]:
    clip = clip_of(photo)
    found = node("motion/transfer.js", "estimateMotion", list(clip), photo, mask)
    return found, estimate_motion(clip, photo, mask)


@pytest.mark.parametrize("name", MOVING)
def test_motion(node: Node, name: str) -> None:
    found, expected = estimated(node, *MOVING[name])
    field = found["field"]
    assert field["horizon"] == expected.field.horizon
    np.testing.assert_allclose(field["coefficients"], expected.field.coefficients, atol=1e-6)
    assert found["confidence"] == pytest.approx(expected.confidence, abs=1e-5)
    np.testing.assert_allclose(found["mask"], expected.mask, atol=1e-3)
    assert found["sun"] is None is expected.sun

    assert node("motion/transfer.js", "driftDirection", found) == expected.drift_direction
    mirrored = node("motion/transfer.js", "mirrored", found)
    assert node("motion/transfer.js", "driftDirection", mirrored) != expected.drift_direction
    assert np.array_equal(mirrored["mask"], found["mask"][:, ::-1])


@pytest.mark.parametrize("name", STILL)
def test_nothing_moves(node: Node, name: str) -> None:
    photo, mask = STILL[name]
    clip = clip_of(photo)
    with pytest.raises(NothingMovesError) as expected:
        estimate_motion(clip, photo, mask)
    with pytest.raises(JavaScriptError) as found:
        node("motion/transfer.js", "estimateMotion", list(clip), photo, mask)
    assert found.value.name == "NothingMovesError"
    assert found.value.properties["reason"] == expected.value.reason
    assert found.value.properties["maskHelps"] == expected.value.mask_helps


def test_the_sun_of_a_mirrored_photo_is_on_the_other_side(node: Node) -> None:
    motion = {
        "field": {"horizon": 1, "coefficients": [[1, 2], [3, 4], [5, 6]]},
        "mask": np.ones((2, 3), np.float32),
        "sun": {"x": 0.2, "y": 0.1, "radius": 0.05},
        "confidence": 0.5,
    }
    mirrored = node("motion/transfer.js", "mirrored", motion)
    assert mirrored["sun"] == {"x": 0.8, "y": 0.1, "radius": 0.05}
    assert mirrored["field"]["coefficients"] == [[-1, 2], [3, -4], [-5, 6]]
