"""Primaries of ITU-T H.273 and the transfer curve of sRGB, for videos and pictures."""

from __future__ import annotations

import numpy as np

Chromaticities = tuple[float, ...]
"""CIE x and y of white, red, green and blue."""

D65 = (0.3127, 0.3290)
BT709, BT2020, DCI_P3, DISPLAY_P3 = 1, 9, 11, 12
# By the code points of table 2, which FFmpeg, cICP chunks and `nclx` boxes use as well.
PRIMARIES: dict[int, Chromaticities] = {
    BT709: (*D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060),  # and sRGB
    4: (0.310, 0.316, 0.670, 0.330, 0.210, 0.710, 0.140, 0.080),
    5: (*D65, 0.640, 0.330, 0.290, 0.600, 0.150, 0.060),
    6: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    BT2020: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    DCI_P3: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    DISPLAY_P3: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_MIN_DETERMINANT = 1e-3  # below, the primaries are almost on a line


def to_xyz(chromaticities: Chromaticities) -> tuple[np.ndarray, np.ndarray]:
    """Returns the matrix from linear RGB to XYZ, and XYZ of white with Y = 1.

    Raises:
      ValueError: The chromaticities are invalid.
    """
    x, y = np.reshape(chromaticities, (4, 2)).T
    if y.min() <= 0:
        raise ValueError("a primary without luminance")
    xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    white, columns = xyz[:, 0], xyz[:, 1:]
    if abs(np.linalg.det(columns)) < _MIN_DETERMINANT:
        raise ValueError("primaries on a line")
    return columns * np.linalg.solve(columns, white), white


def srgb_to_linear(signal: np.ndarray) -> np.ndarray:
    """Converts sRGB values in [0, 1] to linear light (IEC 61966-2-1)."""
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
