from __future__ import annotations

import cv2
import numpy as np
import pytest

from ssagan_tf.motion.moving_mask import horizon_height, moving_mask
from tests.drifting_clips import clouds


def scene(height: int = 180, width: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Bright clouds over dark land, and the mask of the sky."""
    photo = 100 + clouds(height, width) // 2
    sky = np.ones((height, width), np.float32)
    sky[int(0.8 * height) :] = 0
    photo[sky == 0] = 30, 40, 20
    return photo, sky


def test_the_sky_moves_up_to_the_borders_and_land_does_not() -> None:
    photo, sky = scene()
    mask = moving_mask(photo, sky)
    assert mask.dtype == np.float32
    assert (mask[:140] == 1).all()
    assert (mask[144:] == 0).all()
    assert horizon_height(mask) == pytest.approx(0.8, abs=0.02)
    assert horizon_height(0 * mask) == 1


def test_masts_wires_and_branches_are_static() -> None:
    photo, sky = scene()
    photo[40:150, 60:62] = 25  # a mast on land
    wire = 30 + np.arange(240) // 12
    photo[wire, np.arange(240)] = 35  # from border to border
    for step in range(50):
        photo[20 + step // 2, 239 - step] = 20  # a twig from the border
    mask = moving_mask(photo, sky)
    assert mask[42:140, 60:62].max() < 0.02
    assert mask[wire, np.arange(240)].max() < 0.02
    assert mask[22:40, 200:236][np.diag_indices(18)].mean() < 1
    assert mask.mean() > 0.55  # and no more than that


def test_turbines_lighter_than_the_sky_are_static() -> None:
    photo, sky = scene()
    photo[:144] = 60 + photo[:144] // 3
    clouded = moving_mask(photo, sky)
    photo[50:144, 120:122] = 245  # its tower
    for end in ((95, 30), (150, 30), (120, 80)):  # and its blades
        cv2.line(photo, (120, 50), end, (240, 240, 240), 1)
    photo[30:33, 20:60] = 250  # a streak of cloud hangs in the air
    mask = moving_mask(photo, sky)
    assert mask[52:140, 120].max() < 0.05
    assert mask[40, 135:137].max() < 0.3
    assert mask[31, 25:55].min() == 1
    assert mask.mean() > clouded.mean() - 0.03


def test_soft_gaps_and_birds_move() -> None:
    photo, sky = scene()
    photo[60:64, 100:130] = 20  # a bird
    x = np.arange(240)
    dark = np.exp(-(((x - 120) / 12.0) ** 2))  # a shadow between clouds
    photo[:144] = photo[:144] * (1 - 0.5 * dark[:, None])
    mask = moving_mask(photo, sky)
    assert mask[:140].min() == 1


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_a_frame_around_the_photo_is_static(side: str) -> None:
    photo = 100 + clouds(300, 300) // 2
    line = {"top": np.s_[:2], "bottom": np.s_[-2:], "left": np.s_[:, :2], "right": np.s_[:, -2:]}
    photo[line[side]] = 10
    mask = moving_mask(photo, np.ones((300, 300), np.float32))
    assert mask[line[side]].max() == 0
    assert mask[6:-6, 6:-6].min() == 1
    assert mask.mean() > 0.97


def test_water_moves_if_it_moves_in_the_clip() -> None:
    photo, sky = scene()
    photo[144:, :120] = 60 + clouds(36, 120) // 4  # water on the left
    change, rest = np.full((2, 64, 64), 1.0, np.float32)
    change[:51] = change[51:, :32] = 20
    rest[:51], rest[51:] = 4, 1
    mask = moving_mask(photo, sky, None, change, rest)
    assert mask[155:, 5:100].min() > 0.9
    assert mask[155:, 150:].max() == 0
    unexplained = moving_mask(photo, sky, None, change, change)
    np.testing.assert_array_equal(unexplained, moving_mask(photo, sky))
