"""What goes into the network and comes out, against Python."""

from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf import video
from ssagan_tf.pixels import to_float, to_uint8
from tests.export.web.javascript import Node, start_node

node = pytest.fixture(scope="module")(start_node)


@pytest.mark.parametrize(
    ("height", "width", "side"),
    [(64, 64, 64), (1, 1, 64), (37, 500, 64), (700, 64, 64), (333, 1000, 64), (50, 20, 128)],
)
def test_photos_are_squeezed_as_by_pillow(height: int, width: int, side: int, node: Node) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    squeezed = node("network.js", "squeezed", photo, side)
    np.testing.assert_array_equal(squeezed, video.fit(photo, side, "stretch"))


def test_pixels(node: Node) -> None:
    pixels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(node("network.js", "toFloat", pixels), to_float(pixels))
    halves = (np.arange(255) + 0.5) / 127.5 - 1
    noise = np.random.default_rng(0).uniform(-1.1, 1.1, 10_000)
    values = np.concatenate([to_float(pixels), halves, noise]).astype("float32")
    np.testing.assert_array_equal(node("network.js", "toBytes", values), to_uint8(values))
