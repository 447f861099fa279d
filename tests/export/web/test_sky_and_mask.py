"""The sky, the sun and the moving mask of the web page against the Python modules."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from ssagan_tf.motion.guided_filter import guided_filter
from ssagan_tf.motion.moving_mask import horizon_height, moving_mask
from ssagan_tf.motion.sky_segmentation import find_sky, not_sky_log_odds
from ssagan_tf.motion.sun import Sun, find_sun
from ssagan_tf.skies import procedural_clip
from tests.export.web.javascript import Node, start_node

node = pytest.fixture(scope="module")(start_node)

SCENES = {"trees": (0, 301, 399), "portrait": (1, 333, 201), "small": (3, 97, 131)}


def scene(name: str) -> np.ndarray:
    index, height, width = SCENES[name]
    picture = procedural_clip(5, index, 160, 1, "canonical")[0]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)


def clouds(height: int, width: int) -> np.ndarray:
    grain = np.random.default_rng(1).normal(0, 60, (height, width, 1)).astype(np.float32)
    return np.float32([110, 150, 220]) + cv2.GaussianBlur(grain, (0, 0), 4)[..., None]


def sea() -> np.ndarray:
    picture = clouds(240, 321)
    picture[131:] *= 0.55
    return np.uint8(np.clip(picture, 0, 255))


def sunset() -> np.ndarray:
    """A low sun, a mast, a ridge; between black bars."""
    height, width = 199, 303
    y, x = np.mgrid[:height, :width]
    glow = np.exp(-((np.hypot(x - 0.6 * width, y - 0.3 * height) / (0.04 * width)) ** 2))
    picture = 0.6 * clouds(height, width) + 330 * glow[..., None]
    picture[y > 160 + 9 * np.sin(x / 20)] = 25
    picture[70:, 50:53] = 12
    bars = ((20, 27), (0, 0), (0, 0))
    return np.pad(np.uint8(np.clip(picture, 0, 255)), bars, constant_values=7)


def framed() -> np.ndarray:
    return np.pad(np.uint8(np.clip(clouds(233, 350), 0, 255)), ((2, 2), (3, 3), (0, 0)))


MADE = {"sea": sea, "sunset": sunset, "framed": framed}


@pytest.fixture(params=[*SCENES, *MADE], scope="module")
def photo(request: pytest.FixtureRequest) -> np.ndarray:
    name = request.param
    return MADE[name]() if name in MADE else scene(name)


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-3) -> None:
    """Within the tolerance at 99.9 percent of the pixels."""
    assert found.shape == expected.shape
    assert (np.abs(found.astype(np.float32) - expected) > tolerance).mean() <= 1e-3


def evidence_of_motion() -> tuple[np.ndarray, np.ndarray]:
    """Change of a clip, stronger in its lower half, and a residual."""
    random = np.random.default_rng(2)
    change = 1 + np.repeat([[0.0], [0.4]], 32, axis=0) + random.uniform(0, 0.2, (64, 64))
    return np.float32(change), np.float32(0.4 * change)


def test_photos(node: Node, photo: np.ndarray) -> None:
    sky = find_sky(photo)
    assert_close(node("motion/sky_segmentation.js", "findSky", photo), sky)
    sun = find_sun(photo, sky)
    found = node("motion/sun.js", "findSun", photo, sky)
    assert found == pytest.approx(sun and dataclasses.asdict(sun))

    mask = moving_mask(photo, sky, sun)
    assert_close(node("motion/moving_mask.js", "movingMask", photo, sky, found), mask)
    evidence = evidence_of_motion()
    assert_close(
        node("motion/moving_mask.js", "movingMask", photo, sky, found, *evidence),
        moving_mask(photo, sky, sun, *evidence),
    )
    assert node("motion/moving_mask.js", "horizonHeight", mask) == horizon_height(mask)
    odds = node("motion/sky_segmentation.js", "notSkyLogOdds", photo, mask, 0.4)
    assert odds == pytest.approx(not_sky_log_odds(photo, mask, 0.4), abs=1e-3)


def test_sun(node: Node) -> None:
    photo = sunset()
    sky = find_sky(photo)
    sun = find_sun(photo, sky)
    assert sun is not None
    packed = dataclasses.asdict(sun)
    mask = moving_mask(photo, sky, sun)
    source = sun.source(mask)
    assert_close(node("motion/sun.js", "disc", packed, *mask.shape), sun.disc(*mask.shape))
    assert_close(node("motion/sun.js", "source", packed, mask), source)
    # The light of a ring may lie half-way between two levels.
    glow = node("motion/sun.js", "glow", packed, photo, source)
    expected = sun.glow(photo, source)
    assert expected.any()
    assert_close(glow, expected, tolerance=1)
    assert (glow != expected).mean() < 0.05


def test_sun_among_clouds_of_unknown_light(node: Node) -> None:
    """No ring is visible, so nothing glows."""
    photo = sea()
    nothing = np.zeros(photo.shape[:2], np.float32)
    sun = Sun(0.4, 0.3, 0.02)
    glow = node("motion/sun.js", "glow", dataclasses.asdict(sun), photo, nothing)
    np.testing.assert_array_equal(glow, sun.glow(photo, nothing))


def test_tiny_and_plain_photos(node: Node) -> None:
    random = np.random.default_rng(3)
    for photo in [
        np.zeros((20, 30, 3), np.uint8),
        np.full((1, 1, 3), 200, np.uint8),
        np.full((64, 64, 3), (90, 140, 220), np.uint8),
        random.integers(0, 256, (1, 50, 3), np.uint8),
        random.integers(0, 256, (50, 1, 3), np.uint8),
        random.integers(0, 256, (90, 70, 3), np.uint8),
    ]:
        sky = find_sky(photo)
        assert_close(node("motion/sky_segmentation.js", "findSky", photo), sky)
        assert find_sun(photo, sky) is None
        assert node("motion/sun.js", "findSun", photo, sky) is None
        found = node("motion/moving_mask.js", "movingMask", photo, sky)
        assert_close(found, moving_mask(photo, sky))


def test_guided_filter(node: Node) -> None:
    random = np.random.default_rng(4)
    mask, guide = random.uniform(0, 1, (2, 40, 33)).astype(np.float32)
    full = cv2.resize(guide, (101, 121))
    found = node("motion/guided_filter.js", "guidedFilter", mask, guide, 3, 1e-3, full)
    assert_close(found, guided_filter(mask, guide, 3, 1e-3, full))
