"""The static parts of procedural skies."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ssagan_tf.skies.camera import Camera, View, sample_camera
from ssagan_tf.skies.land import Land, sample_land
from ssagan_tf.skies.lighting import mix, sample_light
from ssagan_tf.skies.randomness import RandomStream
from ssagan_tf.skies.shapes import Canvas


def _land(number: int, with_ground: bool = True, water: bool = False) -> Land:
    rng = RandomStream(11, number)
    camera = sample_camera(rng.part(0), with_ground)
    return sample_land(rng.part(1), camera, sample_light(rng.part(2)), water)


def _any_land(number: int) -> Land:
    return _land(number, with_ground=number % 4 != 0, water=number % 4 == 1)


def _picture(land: Land, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The land on a white sky, and the visible fraction of the sky."""
    view = View.of_square(land.camera, side)
    picture, free = np.ones((side, side, 3)), np.ones((side, side))
    for colour, coverage in (land.far(view), land.near(side)):
        picture = mix(picture, colour, coverage[..., None])
        free = free * (1 - coverage)
    return picture, free


@pytest.mark.parametrize("number", range(6))
def test_same_key_gives_the_same_land(number):
    land, again = _any_land(number), _any_land(number)
    assert dataclasses.asdict(land) == dataclasses.asdict(again)
    np.testing.assert_array_equal(_picture(land, 24)[0], _picture(again, 24)[0])


def test_parameters_are_plain():
    def check(value):
        if isinstance(value, dict):
            for part in value.values():
                check(part)
        elif isinstance(value, tuple):
            for part in value:
                check(part)
        else:
            assert type(value) in (float, int, str), type(value)

    for number in range(60):
        check(dataclasses.asdict(_any_land(number)))


def test_colours_and_coverage_are_in_range():
    for number in range(24):
        land = _any_land(number)
        view = View.of_square(land.camera, 40)
        for colour, coverage in (land.far(view), land.near(40)):
            assert colour.shape == (40, 40, 3)
            assert coverage.shape == (40, 40)
            assert colour.dtype == coverage.dtype == np.float64
            for values in (colour, coverage):
                assert np.isfinite(values).all()
                assert values.min() >= 0
                assert values.max() <= 1


def test_the_same_land_at_any_resolution():
    differences = []
    for number in range(16):
        land = _any_land(number)
        small, large = _picture(land, 64)[0], _picture(land, 256)[0]
        differences.append(255 * np.abs(large.reshape(64, 4, 64, 4, 3).mean((1, 3)) - small).mean())
    assert max(differences) < 2.5
    assert np.mean(differences) < 1


def test_windows_contain_all_of_a_shape(monkeypatch):
    lands = [_any_land(number) for number in range(40)]
    pictures = [_picture(land, 32) for land in lands]
    monkeypatch.setattr(Canvas, "window", lambda *bounds: (slice(None), slice(None)))
    for land, (picture, free) in zip(lands, pictures, strict=True):
        whole, whole_free = _picture(land, 32)
        np.testing.assert_allclose(picture, whole, atol=1e-9)
        np.testing.assert_allclose(free, whole_free, atol=1e-9)


def test_most_of_the_sky_is_visible():
    shares = []
    for number in range(200):
        land = _any_land(number)
        above = View.of_square(land.camera, 24).above
        shares.append((_picture(land, 24)[1] * above).sum() / above.sum())
    assert np.mean(np.array(shares) > 0.35) >= 0.95


def test_there_is_ground_below_the_horizon_unless_it_is_water():
    for number in range(20):
        land = _land(number)
        below = View.of_square(land.camera, 48).above == 0
        assert land.near(48)[1][below].min() > 0.999
    shares = []
    for number in range(20):
        land = _land(number, water=True)
        below = View.of_square(land.camera, 48).above == 0
        shares.append(land.near(48)[1][below].mean())
    assert np.mean(shares) < 0.5


def test_all_kinds_occur():
    often: dict[str, int] = {}
    for number in range(400):
        for kind in set(_any_land(number).kinds):
            often[kind] = often.get(kind, 0) + 1
    frequent = {"mountains", "snow", "hills", "frame", "village", "skyline", "treeline", "grass",
                "field", "people", "roof", "beach", "boats", "tower", "lights"}  # fmt: skip
    rare = {"poles", "wires", "pylon", "crane", "turbines", "lamp", "city", "street", "tree",
            "desert", "sand", "rocks", "road", "cars", "fence", "sign", "bushes", "pier",
            "island", "rail", "blades", "slope", "grove"}  # fmt: skip
    assert {kind for kind in frequent if often.get(kind, 0) < 8} == set()
    assert {kind for kind in rare if kind not in often} == set()


def test_often_empty_without_a_horizon():
    empty = [_land(number, with_ground=False).kinds == () for number in range(100)]
    assert 0.35 < np.mean(empty) < 0.65


def test_water_reflects_distant_things():
    camera = Camera((0.8, 1.2), 0.0, 0.0)
    view = View.of_square(camera, 64)
    covered = 0.0
    for number in range(20):
        rng = RandomStream(5, number)
        land = sample_land(rng, camera, sample_light(rng.part(9)), water=True)
        colour, coverage = land.far(view)
        np.testing.assert_allclose(coverage, coverage[::-1], atol=1e-9)
        np.testing.assert_allclose(colour, colour[::-1], atol=1e-9)
        covered += coverage.mean()
    assert covered > 0.2
