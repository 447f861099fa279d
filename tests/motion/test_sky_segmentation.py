from __future__ import annotations

import cv2
import numpy as np
import pytest

from ssagan_tf.motion.sky_segmentation import find_sky, not_sky_log_odds

BLUE, HAZE, CLOUD = (70, 120, 200), (190, 210, 230), (245, 245, 245)
FOREST, BLACK = (38, 48, 26), (8, 8, 8)


def field(height: int, width: int, seed: int, finest: float = 0.08) -> np.ndarray:
    """Smooth noise in [0, 1], the same at any size."""
    rng = np.random.default_rng(seed)
    total = sum(
        cv2.resize(rng.uniform(-1, 1, (cells, cells)), (width, height), interpolation=3) / cells
        for cells in (3, 6, 12, round(1 / finest))
    )
    return (total - total.min()) / np.ptp(total)


def mixed(first: tuple, second: tuple, share: np.ndarray) -> np.ndarray:
    return np.float32(first) * (1 - share[..., None]) + np.float32(second) * share[..., None]


def clouds(height: int, width: int, blue: tuple = BLUE, white: tuple = CLOUD) -> np.ndarray:
    rows = np.repeat(np.linspace(0, 0.7, height)[:, None], width, axis=1)
    cover = np.clip(2.5 * field(height, width, 3) - 0.9, 0, 1)[..., None]
    return mixed(blue, HAZE, rows) * (1 - cover) + np.float32(white) * cover


def land(height: int, width: int, colour: tuple = FOREST) -> np.ndarray:
    texture = np.random.default_rng(5).normal(0, 9, (height, width, 1))
    return np.float32(colour) + texture * (np.mean(colour) > 10)


def picture(sky: np.ndarray, ground: np.ndarray, where: np.ndarray) -> np.ndarray:
    soft = cv2.GaussianBlur(where.astype(np.float32), (0, 0), 0.6)[..., None]
    return np.clip(sky * soft + ground * (1 - soft), 0, 255).astype(np.uint8)


def hills(height: int, width: int) -> np.ndarray:
    """The mask of the sky above hills."""
    y, x = np.mgrid[:height, :width] / [[[height]], [[width]]]
    return y < 0.68 - 0.06 * np.sin(6 * x) - 0.03 * np.sin(17 * x + 1)


def agreement(found: np.ndarray, where: np.ndarray) -> float:
    assert found.dtype == np.float32
    assert found.shape == where.shape
    assert found.min() >= 0
    assert found.max() <= 1
    return float(((found > 0.5) == where).mean())


@pytest.mark.parametrize(
    "size", [(64, 64), (128, 128), (360, 640), (700, 500), (1500, 2300), (100, 900)]
)
def test_hills_at_any_size(size: tuple[int, int]) -> None:
    where = hills(*size)
    found = find_sky(picture(clouds(*size), land(*size), where))
    assert agreement(found, where) > 0.98
    middle = size[1] // 2
    assert found[2, middle] == 1  # truly moves
    assert found[-3, middle] == 0  # truly stands still


@pytest.mark.parametrize(
    ("sky", "ground"),
    [
        ((BLUE, CLOUD), (112, 66, 48)),  # red earth, as light as the sky
        ((BLUE, CLOUD), (150, 140, 60)),  # a ripe field
        (((120, 124, 130), (190, 192, 195)), FOREST),  # overcast
        (((250, 130, 60), (255, 190, 110)), BLACK),  # dusk
        (((14, 18, 44), (44, 46, 70)), (2, 3, 2)),  # night
    ],
)
def test_colours_of_day_and_night(sky: tuple, ground: tuple) -> None:
    where = hills(128, 160)
    rows = np.repeat(np.linspace(0, 1, 128)[:, None], 160, axis=1)
    above = mixed(*sky, 0.4 * rows + 0.6 * field(128, 160, 8))
    assert agreement(find_sky(picture(above, land(128, 160, ground), where)), where) > 0.97


@pytest.mark.parametrize(("blue", "white"), [(BLUE, CLOUD), ((90, 95, 105), (170, 172, 178))])
@pytest.mark.parametrize("seed", range(3))
def test_all_sky(blue: tuple, white: tuple, seed: int) -> None:
    above = mixed(blue, white, np.clip(2 * field(120, 160, seed) - 0.5, 0, 1))
    assert find_sky(above.astype(np.uint8)).mean() > 0.98


@pytest.mark.parametrize("colour", [(60, 110, 190), (128, 128, 128), (255, 255, 255)])
def test_a_plain_picture_is_sky(colour: tuple) -> None:
    np.testing.assert_array_equal(find_sky(np.full((50, 70, 3), colour, np.uint8)), 1)


@pytest.mark.parametrize("colour", [FOREST, (70, 90, 30), (92, 70, 40)])
def test_no_sky(colour: tuple) -> None:
    assert not find_sky(np.clip(land(90, 120, colour), 0, 255).astype(np.uint8)).any()


def test_a_strip_of_sky_above_land() -> None:
    y, x = np.mgrid[:128, :128]
    where = y < 24 + 3 * np.sin(x / 11)
    assert agreement(find_sky(picture(clouds(128, 128), land(128, 128), where)), where) > 0.98


def test_trees_at_both_sides() -> None:
    y, x = np.mgrid[:128, :128]
    crowns = 14 + 6 * np.sin(y / 7.0)
    where = (x > crowns) & (x < 127 - crowns) & (y < 110)
    found = find_sky(picture(clouds(128, 128), land(128, 128), where))
    assert agreement(found, where) > 0.97


def test_a_tower_stands_in_the_sky() -> None:
    where = hills(128, 128)
    where[30:, 70:82] = False
    found = find_sky(picture(clouds(128, 128), land(128, 128), where))
    assert agreement(found, where) > 0.97
    assert found[40:, 73:79].max() < 0.1


def test_a_lit_lattice_stands_in_the_sky() -> None:
    """Lighter and warmer than a dusky sky, as no land is by day."""
    where = hills(160, 160)
    photo = picture(clouds(160, 160, (20, 40, 90), (70, 80, 110)), land(160, 160), where)
    tower = np.zeros((160, 160), np.uint8)
    for left in range(60, 100, 6):
        cv2.line(tower, (left, 120), (left + 6, 30), 1, 1)
        cv2.line(tower, (left + 6, 120), (left, 30), 1, 1)
    for row in range(30, 120, 6):
        tower[row, 60:106] = 1
    photo[tower > 0] = 250, 200, 90
    found = find_sky(photo)
    assert found[45:105, 70:96].mean() < 0.1
    assert found[10:90, 5:45].mean() > 0.95
    assert found[10:90, 120:155].mean() > 0.95


def test_the_sea_is_not_sky_though_it_looks_like_it() -> None:
    y, _ = np.mgrid[:120, :160]
    where = y < 60
    sky = clouds(120, 160, HAZE, (215, 222, 230))
    sea = 0.8 * sky[::-1] + 6 * np.sin(y / 1.5)[..., None]
    assert agreement(find_sky(picture(sky, sea, where)), where) > 0.97


def test_a_lake_below_the_hills_is_not_sky() -> None:
    where = hills(128, 128)
    ground = land(128, 128)
    ground[100:115, 20:100] = HAZE
    found = find_sky(picture(clouds(128, 128), ground, where))
    assert agreement(found, where) > 0.97


@pytest.mark.parametrize("upright", [False, True])
def test_black_bars_are_not_sky(upright: bool) -> None:
    where = np.zeros((128, 128), bool)
    shown = (slice(0, 128), slice(16, 112)) if upright else (slice(16, 112), slice(0, 128))
    scene = np.zeros((128, 128, 3), np.uint8)
    inner = scene[shown].shape[:2]
    where[shown] = hills(*inner)
    scene[shown] = picture(clouds(*inner), land(*inner), hills(*inner))
    found = find_sky(scene)
    assert agreement(found, where) > 0.97
    bars = np.ones_like(where)
    bars[shown] = False
    assert not found[bars].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (300, 1), (2, 3), (5, 4000)])
@pytest.mark.parametrize("value", [0, 200])
def test_odd_shapes(shape: tuple[int, int], value: int) -> None:
    found = find_sky(np.full((*shape, 3), value, np.uint8))
    assert found.shape == shape
    assert np.isfinite(found).all()
    assert found.max() == (value > 0)


def test_the_mask_of_noise_is_reproducible() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    first = find_sky(noise)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(find_sky(noise), first)


def test_a_checkerboard_is_less_likely_a_sky() -> None:
    sky = clouds(120, 160).astype(np.uint8)
    checks = np.kron(np.indices((12, 16)).sum(axis=0) % 2, np.ones((10, 10)))[..., None]
    board = np.clip(90 + 80 * checks + np.float32([20, 0, -30]), 0, 255).astype(np.uint8)
    ones = np.ones((120, 160), np.float32)
    assert not_sky_log_odds(sky, ones, 0.0) < 0 < not_sky_log_odds(board, ones, 0.0)
    # Drifting is evidence for a sky.
    assert not_sky_log_odds(board, ones, 0.6) < not_sky_log_odds(board, ones, 0.0)
    assert not_sky_log_odds(board, 0 * ones, 0.0) == 0
