"""High dynamic range and wide gamuts -> sRGB, by the formulas of ITU-R BT.2100 and BT.2408.

PQ and HLG signals are converted to linear light, with diffuse white (203 cd/m², BT.2408) at 1, and
to the primaries of BT.709. Values up to 0.75 are kept; above, they are compressed so that diffuse
white becomes 0.875, or 240 of 255 in sRGB, and nothing clips. All channels are scaled like the
largest one, which preserves hues.
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

# Transfer characteristics by the codes of ITU-T H.273, table 3, which FFmpeg uses as well.
PQ, HLG = 16, 18
DIFFUSE_WHITE = 203.0  # cd/m²
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2  # BT.2100's reference display
_KNEE = 0.75
_BAND = 1 << 20  # pixels at a time; each takes 12 bytes, several times

Conversion = Callable[[np.ndarray, int], np.ndarray]


def is_wide(transfer: int, primaries: int) -> bool:
    """Returns whether a video with these tags uses BT.2020 or high dynamic range."""
    return transfer in (PQ, HLG) or primaries == BT2020


def conversion(transfer: int, primaries: int) -> Conversion | None:
    """Returns the conversion to sRGB of a video with these tags; None if it is close to sRGB.

    Returns:
      A function of R'G'B' `[3, H, W]` uint16 and the value that means 1, which returns sRGB
      `[3, H, W]` uint8.
    """
    if transfer in (PQ, HLG):
        gamut = primaries if primaries in (BT709, DCI_P3, DISPLAY_P3) else BT2020
    elif primaries in (BT2020, DCI_P3, DISPLAY_P3):
        gamut = primaries
    else:
        return None
    gamut = DISPLAY_P3 if gamut == DCI_P3 else gamut  # white stays white
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
    """Compresses linear light (diffuse white is 1) to [0, 1); values up to 0.75 are unchanged."""
    above = np.maximum(light - _KNEE, 0) / (1 - _KNEE)
    return np.minimum(light, _KNEE) + (1 - _KNEE) * above / (1 + above)


@functools.lru_cache(8)
def _linear(transfer: int, one: int) -> np.ndarray:
    """Returns linear light of 16-bit values, float32: scene light for HLG, else display light."""
    signal = np.minimum(np.arange(65536.0) / one, 1)
    if transfer == PQ:
        light = pq_eotf(signal) / DIFFUSE_WHITE
    elif transfer == HLG:
        light = hlg_inverse_oetf(signal)
    else:
        # Any curve will do that is undone after the matrix: greys are unchanged.
        light = srgb_to_linear(signal)
    return light.astype(np.float32)


def pq_eotf(signal: np.ndarray) -> np.ndarray:
    """Converts PQ signals in [0, 1] to cd/m²: the EOTF of BT.2100, table 4."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = signal ** (1 / m2)
    return 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)


def hlg_inverse_oetf(signal: np.ndarray) -> np.ndarray:
    """Converts HLG signals to scene light in [0, 1]: the inverse OETF of BT.2100, table 5."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def _ootf(scene: np.ndarray, gamut: int) -> np.ndarray:
    """Returns factors from scene light, `[3, N]`, to display light in units of diffuse white."""
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
    """Returns the sRGB values (IEC 61966-2-1) of 16-bit linear light, uint8."""
    light = np.arange(65536) / 65535
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (signal * 255).round().astype(np.uint8)
