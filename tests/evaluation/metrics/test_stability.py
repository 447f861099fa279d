from __future__ import annotations

import cv2
import numpy as np
import pytest

from ssagan_tf.evaluation.metrics import METRICS
from ssagan_tf.evaluation.metrics.metric import Clip, Pair
from ssagan_tf.evaluation.metrics.stability import contrast, flicker, pumping, seam, sharpness
from ssagan_tf.evaluation.protocols import PAPER
from tests.drifting_clips import drifting

COMPUTE = {metric.key: metric.compute for metric in METRICS}


def rising(step: float, frames: int = 32) -> np.ndarray:
    """A clip in which each frame is brighter than the one before."""
    return np.broadcast_to(step * np.arange(frames)[:, None, None], (frames, 8, 8)).astype("f4")


STILL = np.broadcast_to(np.random.default_rng(0).uniform(0, 255, (8, 8)), (32, 8, 8)).astype("f4")


def test_flicker() -> None:
    assert flicker(STILL) == 0
    assert flicker(rising(3)) == 0  # changes evenly
    assert flicker(rising(1) % 2) == 2  # to and fro
    noise = np.random.default_rng(1).normal(0, 1, (32, 40, 40))
    assert flicker(noise) == pytest.approx(np.sqrt(3), abs=0.01)


def test_seam() -> None:
    assert seam(STILL) == 0
    assert seam(rising(3)) == 31  # falls back by 31 steps
    to_and_fro = np.concatenate([rising(2, 17), rising(2, 17)[-2:0:-1]])
    assert seam(to_and_fro) == 1
    # A wave that goes once around in 32 frames, and one that stops four frames earlier.
    x, t = np.meshgrid(np.arange(64), np.arange(32))
    wave = 100 * np.sin(2 * np.pi * (x - 2 * t) / 64)[:, None]
    assert seam(wave) == pytest.approx(1, abs=1e-6)
    assert seam(wave[:-4]) == pytest.approx(4.9, abs=0.1)
    jump = STILL.copy()
    jump[-1] += 9
    assert seam(jump) == np.inf


def test_pumping() -> None:
    assert pumping(np.array([4.0, 1.0, 2.0])) == 0.25
    assert pumping(np.zeros(3)) == 1
    fading = STILL - STILL.mean()
    fading = fading * np.linspace(1, 0.6, 32, dtype="f4")[:, None, None]
    assert pumping(contrast(fading)) == pytest.approx(0.6, abs=1e-5)
    assert pumping(sharpness(fading)) == pytest.approx(0.6, abs=1e-5)
    assert pumping(contrast(STILL + rising(5))) == pytest.approx(1, abs=1e-5)
    # As soft a frame has nearly the same contrast.
    soft = drifting((0, 0), frames=3)[..., 0].astype("f4")
    soft[1] = cv2.GaussianBlur(soft[1], (0, 0), 1.5)
    assert pumping(contrast(soft)) > 0.7
    assert pumping(sharpness(soft)) < 0.6


def test_sharpness() -> None:
    real = drifting((1.0, 0.0), frames=32) // 2 * 2
    other = real // 2  # half the contrast

    def relative(real: np.ndarray, fake: np.ndarray) -> float:
        return COMPUTE["sharpness"](Pair(Clip(real, PAPER), Clip(fake, PAPER)))

    assert relative(real, real) == 1
    assert relative(real, other) == pytest.approx(0.5, abs=1e-4)
    patched = other.copy()
    patched[[4, 12, 20, 28]] = real[[4, 12, 20, 28]]  # only these frames are looked at
    assert relative(real, patched) == 1
    patched = real.copy()
    patched[4] = 0
    assert relative(real, patched) == pytest.approx(0.75, abs=0.02)
    assert np.isnan(relative(real * 0, real))
    # The Laplacian of a slope is 0, that of a checkerboard of ±a is ±8a.
    slope = np.tile(np.arange(16, dtype="f4"), (1, 16, 1))
    assert sharpness(slope)[0] < 1
    checker = np.float32(3) * (-1) ** np.indices((1, 16, 16)).sum(axis=0)
    assert sharpness(checker.astype("f4"))[0] == pytest.approx(24)


def test_motion_ratio_of_a_clip() -> None:
    real = drifting((1.0, 0.0), frames=8)
    of = COMPUTE["motion_ratio_median"]
    assert of(Pair(Clip(real, PAPER), Clip(real, PAPER))) == 1
    assert of(Pair(Clip(real, PAPER), Clip(real // 2, PAPER))) == pytest.approx(0.5, abs=0.03)
    assert of(Pair(Clip(real, PAPER), Clip(real * 0, PAPER))) == 0
    assert np.isnan(of(Pair(Clip(real * 0, PAPER), Clip(real, PAPER))))
