"""Colours computed in float64 by the standards' formulas, and ICC profiles built byte by byte."""

from __future__ import annotations

import struct

import numpy as np

# CSS Color 4, section 18: light of sRGB from that of Display P3 and of Adobe RGB.
FROM_P3 = [
    [1.2249401, -0.2249404, 0],
    [-0.0420569, 1.0420571, 0],
    [-0.0196376, -0.0786361, 1.0982735],
]
FROM_ADOBE = [[1.3983557, -0.3983557, 0], [0, 1, 0], [0, -0.0429290, 1.0429290]]
# Colorants adapted to D50, as in the profiles of phones and cameras.
P3 = [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)]
ADOBE = [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]
# IEC 61966-2-1 from XYZ of D50, by Bradford.
FROM_XYZ = [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540]]
FROM_XYZ += [[0.0719453, -0.2289914, 1.4052427]]


def light(values: np.ndarray) -> np.ndarray:
    """Converts sRGB values in [0, 1] to linear light."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def shown(of_light: np.ndarray) -> np.ndarray:
    """Converts linear light with sRGB's primaries to sRGB levels in [0, 255]."""
    of_light = np.clip(of_light, 0, 1)
    curve = np.where(of_light <= 0.0031308, of_light * 12.92, 1.055 * of_light ** (1 / 2.4) - 0.055)
    return 255 * curve


def pq(values: np.ndarray) -> np.ndarray:
    """Converts PQ values (SMPTE ST 2084) to cd/m²."""
    root = values ** (32 / 2523)
    above = np.maximum(root - 107 / 128, 0)
    return 10000 * (above / (2413 / 128 - 2392 / 128 * root)) ** (8192 / 1305)


def from_lab(lab: np.ndarray) -> np.ndarray:
    """Converts CIELAB with white D50, `[..., 3]`, to sRGB levels."""
    lab = np.asarray(lab, np.float64)
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * (0.9642, 1, 0.8249)
    return shown(xyz @ np.transpose(FROM_XYZ))


def _profile(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    at, directory, content = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        directory += struct.pack(">4sII", name, at + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    head = struct.pack(
        ">I4xI4s4s4s12x4s28x", at + len(content), 0x2200000, kind, space, pcs, b"acsp"
    )
    head += _xyz((0.9642, 1, 0.8249))[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + content


def _xyz(colour: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in colour))


def _curve(gamma: float) -> bytes:
    if gamma:
        return b"curv" + struct.pack(">4xIH", 1, round(gamma * 256))
    values = [round(65535 * float(light(np.float64(index / 1023)))) for index in range(1024)]
    return b"curv" + struct.pack(">4xI1024H", 1024, *values)


def rgb_profile(colorants: list[tuple[float, ...]], gamma: float = 0.0) -> bytes:
    """Returns the profile of a display; gamma 0 is sRGB's curve."""
    tags = {
        f"{name}XYZ".encode(): _xyz(colour) for name, colour in zip("rgb", colorants, strict=True)
    }
    tags |= {f"{name}TRC".encode(): _curve(gamma) for name in "rgb"}
    return _profile(b"mntr", b"RGB ", b"XYZ ", {b"wtpt": _xyz((0.9642, 1, 0.8249)), **tags})


def grey_profile(gamma: float) -> bytes:
    tags = {b"wtpt": _xyz((0.9642, 1, 0.8249)), b"kTRC": _curve(gamma)}
    return _profile(b"mntr", b"GRAY", b"XYZ ", tags)


def cmyk_profile(corners: np.ndarray) -> bytes:
    """Returns the profile of a printer from the CIELAB colours of mixed inks, `[2, 2, 2, 2, 3]`."""
    ramp = bytes(range(256))
    encoded = np.rint(np.asarray(corners) * (2.55, 1, 1) + (0, 128, 128)).astype(np.uint8)
    one = [65536, 0, 0, 0, 65536, 0, 0, 0, 65536]
    table = b"mft1" + struct.pack(">4x4B9i", 4, 3, 2, 0, *one)
    table += 4 * ramp + encoded.tobytes() + 3 * ramp
    tags = {b"wtpt": _xyz((0.9642, 1, 0.8249)), b"A2B0": table}
    return _profile(b"prtr", b"CMYK", b"Lab ", tags)
