from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.evaluation.metrics import METRICS
from ssagan_tf.evaluation.metrics.ground_truth import angle_between
from ssagan_tf.evaluation.metrics.metric import Clip, Pair
from ssagan_tf.evaluation.protocols import PAPER
from ssagan_tf.skies.truth import Truth
from tests.drifting_clips import drifting

COMPUTE = {metric.key: metric.compute for metric in METRICS}
TRUE = (0.9, 0.3)


def truth(velocity=TRUE, side: int = 64) -> Truth:
    """Clouds everywhere but at the border, where pixels enter that no flow can follow."""
    moving = np.zeros((side, side), "f4")
    moving[8:-8, 8:-8] = 1
    return Truth(
        velocity=np.broadcast_to(np.float32(velocity), (8, side, side, 2)).copy(),
        opacity=np.ones((8, side, side), "f4"),
        moving=moving,
    )


def measured(fake: np.ndarray, known: Truth | None) -> tuple[float, float]:
    pair = Pair(Clip(drifting(TRUE), PAPER, lambda: known and known.over_time()), Clip(fake, PAPER))
    return COMPUTE["angle_error"](pair), COMPUTE["speed_ratio"](pair)


@pytest.mark.parametrize(
    ("velocity", "angle", "speed"),
    [
        (TRUE, 0, 1),
        ((0.45, 0.15), 0, 0.5),
        ((-0.3, 0.9), 90, 1),
        ((-0.9, -0.3), 180, 1),
        ((0.9, -0.3), 2 * np.degrees(np.arctan2(0.3, 0.9)), 1),  # turned the other way
    ],
)
def test_a_drifting_texture(velocity, angle: float, speed: float) -> None:
    found = measured(drifting(velocity), truth())
    assert found[0] == pytest.approx(angle, abs=4)
    assert found[1] == pytest.approx(speed, abs=0.1)


def test_a_still_picture_has_no_direction() -> None:
    angle, speed = measured(drifting((0, 0)), truth())
    assert np.isnan(angle)
    assert speed == 0


def test_which_pixels_are_compared() -> None:
    fake, right = drifting(TRUE), truth()
    expected = measured(fake, right)
    wrong = truth()
    wrong.velocity[:, :, :32] *= -1
    assert measured(fake, wrong)[0] > 5
    for hide in (
        lambda known: known.opacity[:, :, :32].fill(0.3),  # too thin
        lambda known: known.opacity[:5, :, :32].fill(0.0),  # most of the time
        lambda known: known.moving[:, :32].fill(0.98),  # something in front
        lambda known: known.velocity[:, :, :32].fill(0.0),  # the truth stands still
    ):
        known = truth()
        known.velocity[:, :, :32] *= -1
        hide(known)
        assert measured(fake, known) == pytest.approx(expected, abs=0.5)
    some = truth()
    some.velocity[:3] *= -1  # not most of the time
    assert measured(fake, some) == expected


def test_clips_without_clouds_or_truth_do_not_count() -> None:
    clear = truth()
    clear.opacity[:] = 0
    assert np.isnan(measured(drifting(TRUE), clear)).all()
    assert np.isnan(measured(drifting(TRUE), None)).all()


def test_angle_between() -> None:
    a = np.array([[1.0, 0], [1, 0], [0, 2], [1, 1], [3, 0]])
    b = np.array([[5.0, 0], [0, 1], [0, -1], [1, 0], [1, -1]])
    np.testing.assert_allclose(angle_between(a, b), [0, 90, 180, 45, 45])
