from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.motion.sun import find_sun
from tests.drifting_clips import clouds


def sunset(height: int = 240, width: int = 320, x: float = 0.4, y: float = 0.3) -> np.ndarray:
    rows, columns = np.indices((height, width))
    distance = np.hypot(columns + 0.5 - x * width, rows + 0.5 - y * height) / width
    light = np.where(distance < 0.03, 255, 40 + 150 * np.exp(-distance / 0.06))
    photo = light[..., None] + (clouds(height, width) - 128.0) / 6
    return np.clip(photo, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(120, 160), (480, 640)])
def test_the_sun_is_found_and_stands_still(size: tuple[int, int]) -> None:
    sun = find_sun(sunset(*size), np.ones(size))
    assert sun is not None
    assert (sun.x, sun.y) == pytest.approx((0.4, 0.3), abs=0.01)
    assert sun.radius == pytest.approx(0.03, abs=0.01)
    disc = sun.disc(*size)
    assert disc[int(0.3 * size[0]), int(0.4 * size[1])] == 1
    assert disc[:, int(0.6 * size[1]) :].max() == 0
    np.testing.assert_array_equal(sun.source(1 - disc)[disc == 0], 1)
    assert sun.source(1 - disc)[disc == 1].max() == 0


def test_the_glow_is_what_rings_have_in_common() -> None:
    photo = sunset()
    sun = find_sun(photo, np.ones(photo.shape[:2]))
    glow = sun.glow(photo, sun.source(1 - sun.disc(240, 320)))
    assert (glow <= photo).all()
    rows, columns = np.indices((240, 320))
    radii = np.hypot(columns + 0.5 - 128, rows + 0.5 - 72) / 320 / sun.radius
    near, far = (radii > 1.5) & (radii < 2.5), (radii > 7) & (radii < 9)
    rest = photo.astype(int) - glow
    assert photo[near].mean() - photo[far].mean() > 40
    assert abs(rest[near].mean() - rest[far].mean()) < 6
    assert glow[-1, -1].max() <= 2


@pytest.mark.parametrize(
    "photo",
    [
        np.full((120, 160, 3), 255, np.uint8),
        np.zeros((120, 160, 3), np.uint8),
        np.maximum(sunset(), sunset(x=0.8)),  # two are clouds
        sunset() // 2,  # a spot that is not bright
        np.repeat(sunset(60, 80), 4, axis=0)[:, :, :],  # an oval
    ],
)
def test_other_bright_spots_are_not_the_sun(photo: np.ndarray) -> None:
    assert find_sun(photo, np.ones(photo.shape[:2])) is None


def test_the_sun_is_in_the_sky() -> None:
    photo = sunset()
    sky = np.ones(photo.shape[:2])
    sky[:140] = 0
    assert find_sun(photo, sky) is None
