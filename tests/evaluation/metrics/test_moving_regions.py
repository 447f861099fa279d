from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.evaluation.metrics import METRICS
from ssagan_tf.evaluation.metrics.metric import Clip, Pair
from ssagan_tf.evaluation.metrics.moving_regions import area_under_curve, change_map, regions
from ssagan_tf.evaluation.protocols import PAPER
from ssagan_tf.pixels import to_float

COMPUTE = {metric.key: metric.compute for metric in METRICS}


def blinking(share: float, height: int = 128, width: int = 128, by: int = 10) -> np.ndarray:
    """The left part of the frames changes by some grey levels, the rest stands still."""
    clip = np.full((8, height, width, 3), 100, np.uint8)
    clip[1::2, :, : round(share * width)] += np.uint8(by)
    return clip


def measured(real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """AUC and leak."""
    pair = Pair(Clip(real, PAPER), Clip(fake, PAPER))
    return COMPUTE["moving_auc"](pair), COMPUTE["ground_leak"](pair)


@pytest.mark.parametrize("size", [(128, 128), (64, 64), (256, 256), (96, 200), (7, 9)])
def test_half_of_the_picture_moves(size: tuple[int, int]) -> None:
    real = blinking(0.5, *size)
    half, other, all_of_it = real, real[:, :, ::-1], blinking(1, *size)
    auc, leak = measured(real, half)
    assert auc == 1
    assert leak < 0.02  # the blur's
    auc, leak = measured(real, other)
    assert auc < 0.02 if size == (7, 9) else auc == 0  # an odd width has a middle
    assert leak > 5
    assert measured(real, all_of_it) == (0.5, pytest.approx(1))
    assert measured(real, real[:1].repeat(8, axis=0)) == (0.5, 0)
    # The same for floats, as networks make them.
    assert measured(real, to_float(half)) == measured(real, half)


def test_motion_only_where_nothing_should_move() -> None:
    real = blinking(0.5)
    fake = blinking(0.3)[:, :, ::-1]
    auc, leak = measured(real, fake)
    assert leak > 1e6  # without the blur it would be infinite
    assert auc < 0.5


def test_the_map_is_the_mean_change() -> None:
    # Grey levels 0 to 255, whatever the colour: 0.299 of red.
    clip = np.zeros((5, 16, 16, 3), np.uint8)
    clip[2:, ..., 0] = 200
    np.testing.assert_allclose(change_map(Clip(clip, PAPER)), 200 * 0.299 / 4, rtol=1e-5)


@pytest.mark.parametrize(
    ("share", "by", "counts"),
    [
        (0.5, 10, True),
        (0.5, 1, False),  # a change of 1 is neither moving nor still
        (0.5, 2, True),
        (0.02, 3, False),  # too little moves
        (0.08, 20, True),
        (0.97, 20, False),  # too little stands still
        (0.9, 20, True),
        (0.0, 10, False),
        (1.0, 10, False),
    ],
)
def test_which_clips_count(share: float, by: int, counts: bool) -> None:
    real = blinking(share, by=by)
    assert (regions(Clip(real, PAPER)) is not None) == counts
    values = measured(real, real)
    assert np.isnan(values).tolist() == [not counts] * 2


def test_area_under_the_curve_is_a_share_of_pairs() -> None:
    rng = np.random.default_rng(0)
    for above, below in ((7, 5), (1, 1), (40, 90), (90, 3)):
        a, b = rng.integers(0, 12, above) + 2, rng.integers(0, 12, below)  # with many ties
        pairs = [1.0 if x > y else 0.5 if x == y else 0.0 for x in a for y in b]
        assert area_under_curve(a.astype("float32"), b.astype("float32")) == np.mean(pairs)
    assert area_under_curve(np.ones(3), np.ones(4)) == 0.5
