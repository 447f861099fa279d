from __future__ import annotations

import numpy as np

from ssagan_tf.pixels import to_float, to_uint8


def test_round_trip() -> None:
    pixels = np.arange(256, dtype=np.uint8)
    values = np.asarray(to_float(pixels))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, pixels / 127.5 - 1, atol=1e-6)
    assert (values.min(), values.max()) == (-1, 1)
    np.testing.assert_array_equal(to_uint8(values), pixels)


def test_rounds_and_clips() -> None:
    step = 2 / 255
    values = np.array([-1.5, -1 + 0.4 * step, -1 + 0.6 * step, 1 - 0.6 * step, 7.0])
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 1, 254, 255])
