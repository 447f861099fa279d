"""Canonical skies drift to the right, and are the same at any resolution, on any machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from ssagan_tf import skies
from ssagan_tf.motion.optical_flow import velocities
from ssagan_tf.skies.camera import View
from ssagan_tf.skies.scene import sample_scene

MANY = range(300)


def clip(index: int, side: int = 64, frames: int = 32) -> np.ndarray:
    return skies.procedural_clip(7, index, side, frames, wind="canonical")


@pytest.fixture(scope="module")
def scenes():
    return [sample_scene(7, index) for index in MANY]


def test_shape_and_type():
    assert clip(0, 32, 2).shape == (2, 32, 32, 3)
    assert clip(0, 32, 2).dtype == np.uint8


@pytest.mark.parametrize("features", ["", "X86_V4 AVX512_ICL AVX512_SPR", "AVX2 FMA3 X86_V3"])
def test_same_in_another_process_and_with_other_instructions(features):
    program = (
        "import hashlib; from ssagan_tf.skies import procedural_clip as clip\n"
        "clip(1, 2, 32, 2, wind='canonical')\n"  # earlier clips must not matter
        "drawn = b''.join(clip(7, i, 64, 3, wind='canonical').tobytes() for i in range(6))\n"
        "print(hashlib.sha256(drawn).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "NPY_DISABLE_CPU_FEATURES": features},
    ).stdout.strip()
    drawn = b"".join(clip(i, 64, 3).tobytes() for i in range(6))
    assert there == hashlib.sha256(drawn).hexdigest()


@pytest.mark.parametrize("make", [skies.procedural_clip, skies.clip_truth])
@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"wind": "canonicl"}, "wind=canonicl: must be one of any, canonical"),
        ({"seed": -1}, "seed=-1: must be at least 0"),
        ({"index": -1}, "index=-1: must be at least 0"),
        ({"resolution": 1}, "resolution=1: must be at least 2"),
        ({"frames": 0}, "frames=0: must be at least 1"),
    ],
)
def test_bad_arguments_are_named(make, given, complaint):
    with pytest.raises(ValueError, match=complaint):
        make(**{"seed": 0, "index": 0, "resolution": 8, "frames": 1} | given)


@pytest.mark.parametrize("wind", ["any", "canonical"])
@pytest.mark.parametrize("side", [2, 3, 8, 50])
def test_any_side(wind, side):
    assert skies.procedural_clip(7, 1, side, 1, wind).shape == (1, side, side, 3)
    assert np.isfinite(skies.clip_truth(7, 1, side, 1, wind).velocity).all()


def test_first_frames_do_not_depend_on_the_number_of_frames():
    np.testing.assert_array_equal(clip(3, 32, 2), clip(3, 32, 5)[:2])


@pytest.mark.slow
def test_same_sky_at_every_resolution():
    for index in range(12):
        small = clip(index, 64, 2).astype(float)
        large = clip(index, 128, 2).astype(float)
        halved = large.reshape(2, 64, 2, 64, 2, 3).mean((2, 4))
        # JPEG blocks have 8 pixels at any resolution.
        assert np.abs(small - halved).mean() < (7 if sample_scene(7, index).lens.quality else 4)
        assert np.corrcoef(small.ravel(), halved.ravel())[0, 1] > 0.97


def test_clouds_drift_to_the_right(scenes):
    angles = []
    for scene in scenes:
        for layer in scene.layers:
            u, v = layer.velocity
            assert u > 0 or layer.kind != "towers"
            if not layer.wall:
                angles.append(np.arctan2(v, u))
    # A clip's angle from N(0, 0.25), each layer's from N(0, 0.2) about it.
    assert abs(np.mean(angles)) < 0.06
    assert abs(np.std(angles) - np.hypot(0.25, 0.2)) < 0.04


def test_every_kind_occurs(scenes):
    kinds = {layer.kind for scene in scenes for layer in scene.layers}
    assert kinds == {
        *("cumulus", "stratocumulus", "stratus", "altocumulus", "cirrus", "veil", "towers"),
    }
    assert any(scene.sea for scene in scenes)
    assert any(scene.light.stars for scene in scenes)
    assert any(scene.light.disc for scene in scenes)
    assert any(scene.light.lamps for scene in scenes)
    assert any(scene.light.overcast > 0.8 for scene in scenes)
    for name in ("brightening", "vignette", "softness", "noise", "quality"):
        given = np.mean([getattr(scene.lens, name) != 0 for scene in scenes])
        assert 0.1 < given < 0.6, name


def test_range_of_horizons(scenes):
    horizons = np.array([scene.camera.horizon for scene in scenes])
    assert horizons.min() > 0.28
    assert 0.05 < (horizons < 0.45).mean() < 0.4
    assert 0.08 < (horizons > 1).mean() < 0.25


def test_the_horizon_is_where_the_camera_sees_it(scenes):
    for scene in scenes[:40]:
        view = View.of_square(scene.camera, 64)
        middle = view.up[:, 31:33].mean(axis=1)
        seen = (middle > 0).mean()
        assert abs(seen - min(scene.camera.horizon, 1)) < 0.03


@pytest.mark.parametrize("wind", ["any", "canonical"])
def test_truth_is_what_optical_flow_finds(wind):
    angles, speeds = [], []
    for index in range(10):
        found = velocities(skies.procedural_clip(1, index, 64, wind=wind))
        truth = skies.clip_truth(1, index, 64, wind=wind)
        true = np.median(truth.velocity, axis=0)
        there = (np.median(truth.opacity, axis=0) > 0.3) & (truth.moving > 0.99)
        if there.sum() < 100:
            continue
        (x, y), (u, v) = found[there].T, true[there].T
        angles.append(np.degrees(np.median(np.abs(np.arctan2(x * v - y * u, x * u + y * v)))))
        speeds.append(np.median(np.hypot(x, y) / np.hypot(u, v)))
    assert len(angles) > 5
    assert np.median(angles) < 6
    assert 0.85 < np.median(speeds) < 1.1


def test_truth_of_a_cloud_layer_is_its_derivative(scenes):
    """The pattern is T(c(x) - w t): a step along the velocity and one in time cancel."""
    for scene in scenes[:20]:
        view = View(scene.camera, *np.meshgrid(np.linspace(0.2, 0.8, 5), np.linspace(0.1, 0.9, 9)))
        whole = np.abs(view.up) > 0.05  # sky or its reflection
        for layer in scene.layers:
            step = 1e-3 * layer.velocities(view, scene.camera)
            moved = View(scene.camera, view.x + step[..., 0], view.y + step[..., 1])
            pairs = zip(layer.coordinates(view), layer.coordinates(moved), strict=True)
            change = np.stack([(b - a)[whole] for a, b in pairs], axis=-1)
            expected = 1e-3 * np.array(layer.velocity)
            assert np.abs(change - expected).max(initial=0) < 2e-3 * np.abs(expected).max()


def test_velocities_at_the_horizon_are_bounded():
    """The sky and its reflection move apart there; these are scenes where it was visible."""
    for index in (94, 163, 180):
        truth = skies.clip_truth(64, index, 64, 1, wind="canonical")
        speed = np.hypot(*truth.velocity[0].T).T
        assert speed[truth.opacity[0] > 0.3].max() < 3


@pytest.mark.parametrize("wind", ["any", "canonical"])
def test_static_parts_do_not_change(wind):
    """Where nothing moves, frames change by light, noise and JPEG compression only."""
    for index in range(12):
        if wind == "canonical":
            lens = sample_scene(7, index).lens
            if lens.noise or lens.quality or lens.brightening or lens.softness:
                continue
        drawn = skies.procedural_clip(7, index, 64, 6, wind=wind).astype(int)
        truth = skies.clip_truth(7, index, 64, 6, wind=wind)
        assert np.abs(np.diff(drawn, axis=0))[:, truth.moving == 0].max(initial=0) == 0
        assert not truth.velocity[:, truth.moving == 0].any()
        assert not truth.opacity[:, truth.moving == 0].any()


def test_truth_of_a_stored_clip():
    settings = {"layout": "synthetic", "seed": 7, "wind": "canonical"}
    found = skies.stored_clip_truth("clouds00003/0", settings, 32)
    np.testing.assert_array_equal(
        found.velocity, skies.clip_truth(7, 3, 32, wind="canonical").velocity
    )
    assert found.velocity.shape == (32, 32, 32, 2)
    assert found.opacity.shape == (32, 32, 32)
    assert found.moving.shape == (32, 32)
    old = skies.stored_clip_truth("clouds00003/0", {"layout": "synthetic", "seed": 7}, 32)
    np.testing.assert_array_equal(old.velocity, skies.clip_truth(7, 3, 32).velocity)
    assert skies.stored_clip_truth("clouds00003/0", {"layout": "frames", "seed": 7}, 32) is None
    assert skies.stored_clip_truth("other/0", settings, 32) is None
    for wrong in ({"wind": "up"}, {"wind": ["any"]}, {"seed": -1}):
        with pytest.raises(ValueError, match="must be"):
            skies.stored_clip_truth("clouds00003/0", settings | wrong, 32)
    with pytest.raises(ValueError, match="digits"):
        skies.stored_clip_truth(f"clouds{'9' * 5000}/0", settings, 32)
