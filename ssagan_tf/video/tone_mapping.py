"""High dynamic range and wide gamuts -> sRGB, by the formulas of ITU-R BT.2100 and BT.2408.

Signals of PQ and HLG are made light, 1 being diffuse white (203 cd/m², BT.2408), and that is
brought to the primaries of BT.709. Up to 0.75 it stays what it is; above, it is compressed so that
diffuse white comes out at 0.875, 240 of 255 in sRGB, and nothing clips. The largest of red, green
and blue tells how much, so that hues stay.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from ssagan_tf.video.primaries import (
    BT709,
    BT2020,
    DCI_P3,
    DISPLAY_P3,
    PRIMARIES,
    srgb_to_linear,
    to_xyz,
)

# Transfers by the numbers of ITU-T H.273, table 3, which FFmpeg has, too.
PQ, HLG = 16, 18
DIFFUSE_WHITE = 203.0  # cd/m²
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2  # of BT.2100's reference display
_KNEE = 0.75
_BAND = 1 << 20  # pixels at a time: light takes 12 bytes each, several times

Conversion = Callable[[np.ndarray, int], np.ndarray]


def is_wide(transfer: int, primaries: int) -> bool:
    """Whether a video with these tags is of the family of BT.2020."""
    return transfer in (PQ, HLG) or primaries == BT2020


def conversion(transfer: int, primaries: int) -> Conversion | None:
    """What makes sRGB of a video with these tags; None if it is that already, or near to it.

    Returns:
      A function of R'G'B' `[3, H, W]` uint16 and the value of 1, that gives `[3, H, W]` uint8.
    """
    if transfer in (PQ, HLG):
        gamut = primaries if primaries in (BT709, DCI_P3, DISPLAY_P3) else BT2020
    elif primaries in (BT2020, DCI_P3, DISPLAY_P3):
        gamut = primaries
    else:
        return None
    gamut = DISPLAY_P3 if gamut == DCI_P3 else gamut  # white shall be white
    return functools.partial(_convert, transfer, gamut)


def _convert(transfer: int, gamut: int, signal: np.ndarray, one: int) -> np.ndarray:
    result = np.empty(signal.shape, np.uint8)
    rows = max(1, _BAND // signal.shape[2])
    linear, to_709 = _linear(transfer, one), _to_bt709(gamut)
    for start in range(0, signal.shape[1], rows):
        band = signal[:, start : start + rows]
        values = linear[band.reshape(3, -1)]
        if transfer == HLG:
            values *= _ootf(values, gamut)
        values = to_709 @ values
        if transfer in (PQ, HLG):
            brightest = values.max(0).clip(1e-6)
            values *= compress_highlights(brightest) / brightest
        codes = (values.clip(0, 1) * 65535 + 0.5).astype(np.uint16)
        result[:, start : start + rows] = _srgb_table()[codes].reshape(band.shape)
    return result


def compress_highlights(light: np.ndarray) -> np.ndarray:
    """Light, 1 being diffuse white, to [0, 1): itself up to 0.75, and smoothly less above."""
    above = np.maximum(light - _KNEE, 0) / (1 - _KNEE)
    return np.minimum(light, _KNEE) + (1 - _KNEE) * above / (1 + above)


@functools.lru_cache(8)
def _linear(transfer: int, one: int) -> np.ndarray:
    """Light of every value of 16 bits, float32: of the scene for HLG, else of the display."""
    signal = np.minimum(np.arange(65536.0) / one, 1)
    if transfer == PQ:
        light = pq_eotf(signal) / DIFFUSE_WHITE
    elif transfer == HLG:
        light = hlg_inverse_oetf(signal)
    else:
        # Any curve does that is undone after the matrix: greys stay what they are.
        light = srgb_to_linear(signal)
    return light.astype(np.float32)


def pq_eotf(signal: np.ndarray) -> np.ndarray:
    """cd/m² of PQ signals in [0, 1]: the EOTF of BT.2100, table 4."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = signal ** (1 / m2)
    return 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)


def hlg_inverse_oetf(signal: np.ndarray) -> np.ndarray:
    """Light of the scene in [0, 1] of HLG signals: the inverse OETF of BT.2100, table 5."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def _ootf(scene: np.ndarray, gamut: int) -> np.ndarray:
    """What light of a scene, `[3, N]`, is multiplied with to be a display's, in diffuse whites."""
    luminance = _to_xyz(gamut)[1].astype(np.float32) @ scene
    return _HLG_PEAK / DIFFUSE_WHITE * luminance.clip(1e-9) ** np.float32(_HLG_GAMMA - 1)


@functools.cache
def _to_bt709(gamut: int) -> np.ndarray:
    return (np.linalg.inv(_to_xyz(BT709)) @ _to_xyz(gamut)).astype(np.float32)


@functools.cache
def _to_xyz(gamut: int) -> np.ndarray:
    return to_xyz(PRIMARIES[gamut])[0]


@functools.cache
def _srgb_table() -> np.ndarray:
    """Values of sRGB (IEC 61966-2-1) of light in 16 bits, uint8."""
    light = np.arange(65536) / 65535
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (signal * 255).round().astype(np.uint8)
