"""Shapes cover the right fraction of each pixel."""

from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.skies.camera import Camera, View
from ssagan_tf.skies.masts import Wire
from ssagan_tf.skies.noise import fractal, noise
from ssagan_tf.skies.outlines import Outline
from ssagan_tf.skies.shapes import Box, Canvas, Ellipse, Lines, Polygon, pulses

_CAMERA = Camera((1.0, 1.0), 0.1, 0.0)
_RED = (1.0, 0.0, 0.0)


@pytest.mark.parametrize("side", [16, 64, 200])
@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (Box(0.21, 0.33, 0.57, 0.71, _RED), 0.36 * 0.38),
        (Box(0.2, 0.5, 0.8, 0.502, _RED), 0.6 * 0.002),
        (Ellipse(0.5, 0.5, 0.3, 0.2, _RED), np.pi * 0.06),
        (Polygon(((0.2, 0.2), (0.8, 0.4), (0.5, 0.9)), _RED), 0.18),
        (Polygon(((0.5, 0.9), (0.8, 0.4), (0.2, 0.2)), _RED), 0.18),
        (Lines(((0.2, 0.3, 0.81, 0.57, 0.004, 0.004),), _RED), 0.004 * np.hypot(0.61, 0.27)),
        (Lines(((0.2, 0.3, 0.8, 0.6, 0.08, 0.04),), _RED), 0.06 * np.hypot(0.6, 0.3) + 0.0032),
        (Wire(0.5, 0.0, 1e-6, 0.5, 0.003, _RED), 0.003),
    ],
)
def test_area(shape, area, side):
    canvas = Canvas.of_picture(_CAMERA, side)
    shape.paint(canvas)
    colour, coverage = canvas.result()
    assert coverage.mean() == pytest.approx(area, rel=0.06, abs=0.1 / side**2 + 0.004 / side)
    assert colour[coverage > 0.01][:, 0].min() > 0.999


def test_the_later_shape_covers_the_earlier():
    canvas = Canvas.of_picture(_CAMERA, 8)
    Box(-1, -1, 2, 2, (0.0, 1.0, 0.0)).paint(canvas)
    Box(-1, -1, 0.5, 2, _RED).paint(canvas)
    colour, coverage = canvas.result()
    assert (coverage == 1).all()
    np.testing.assert_allclose(colour[:, :4], np.broadcast_to(_RED, (8, 4, 3)), atol=1e-12)
    np.testing.assert_allclose(colour[:, 4:, 1], 1)


def test_shapes_out_of_the_picture_paint_nothing():
    canvas = Canvas.of_picture(_CAMERA, 16)
    for x, y in ((-2.0, 0.5), (2.0, 0.5), (0.5, -2.0), (0.5, 2.0)):
        Box(x, y, x + 0.5, y + 0.5, _RED).paint(canvas)
        Ellipse(x, y, 0.2, 0.2, _RED).paint(canvas)
        Lines(((x, y, x + 0.1, y, 0.1, 0.1),), _RED).paint(canvas)
    assert not canvas.result()[1].any()


def test_things_stand_upright_on_a_tilted_horizon():
    camera = Camera((1.0, 1.0), 0.1, 0.2)
    canvas = Canvas.of_picture(camera, 64)
    Box(-1, 0.5 + np.tan(0.1), 2, 3, _RED).paint(canvas)
    above = View.of_square(camera, 64).above
    assert np.abs(1 - canvas.result()[1] - above).max() < 0.25
    assert np.abs(above.sum(0)[0] - above.sum(0)[-1]) > 10


def test_an_outline_averages_trees_that_are_finer_than_pixels():
    outline = Outline(level=0.8, height=0.1, length=0.5, offset=7.3, tooth=0.008, tall=0.2)
    shares = []
    for side in (32, 512):
        canvas = Canvas.of_picture(_CAMERA, side)
        share = outline.below(canvas, (slice(None), slice(None)))
        shares.append(share.reshape(32, side // 32, 32, side // 32).mean((1, 3)))
    assert np.abs(shares[0] - shares[1]).mean() < 0.01
    assert (share[: int(outline.top * 512)] == 0).all()


def test_pulses_cover_their_width():
    t = (np.arange(400) + 0.5) / 40
    np.testing.assert_allclose(pulses(t, 0.3, 1 / 40).mean(), 0.3, atol=1e-9)
    np.testing.assert_allclose(pulses(t, 0.3, 1.0), 0.3, atol=1e-9)


def test_noise_is_smooth_and_fades():
    u = np.linspace(-5, 300, 20000)
    values = noise(u, 0.3 * u)
    assert np.abs(values).max() < 1
    assert values.std() > 0.2
    assert np.abs(np.diff(values)).max() < 0.1
    fine, lost = fractal(u, 0.3 * u, 4, 0.0)
    assert lost == 0
    gone, lost = fractal(u, 0.3 * u, 4, 100.0)
    assert not gone.any()
    assert lost == pytest.approx(np.sqrt(12) * fine.std(), rel=0.3)
