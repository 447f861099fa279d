"""Perceptual hashes: similar images have hashes that differ in few bits.

A hash has a bit for each of the lowest frequencies of the luma, except the constant one, that is
above their median (as in pHash, C. Zauner, 2010). Compression, size and exposure hardly change it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FREQUENCIES = 12  # along each axis
BITS = FREQUENCIES**2 - 1
HASHED = (0, 16)  # frames of a clip; so clips that overlap by half have almost one in common
_BLOCKS = 32
_FEATURELESS = 2.0  # standard deviation, of 255 levels, below which there is nothing to compare
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


def _cosines() -> np.ndarray:
    positions = (np.arange(_BLOCKS) + 0.5) / _BLOCKS
    return np.cos(np.pi * np.arange(FREQUENCIES)[:, None] * positions).astype(np.float32)


_COSINES = _cosines()


def picture_bits(picture: np.ndarray) -> np.ndarray:
    """Returns the hash of an image, `[143]` bool. All bits of a featureless image are False.

    Args:
      picture: `[S, S, 3]` uint8, S a multiple of 32.
    """
    size = picture.shape[0] // _BLOCKS
    blocks = picture.reshape(_BLOCKS, size, _BLOCKS, size, 3).mean((1, 3), np.float32) @ _GREY
    if blocks.std() < _FEATURELESS:
        return np.zeros(BITS, bool)
    frequencies = (_COSINES @ blocks @ _COSINES.T).ravel()[1:]
    return frequencies > np.median(frequencies)


def clip_hashes(frames: Sequence[np.ndarray]) -> bytes:
    """Returns the packed hashes of a clip: `len(HASHED)` times 18 bytes."""
    bits = np.stack([picture_bits(frames[number]) for number in HASHED])
    return np.packbits(bits, axis=1).tobytes()


def unpack(hashes: Sequence[bytes]) -> np.ndarray:
    """Returns the bits of the packed hashes of clips, `[clips, len(HASHED), 143]` uint8."""
    packed = np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), len(HASHED), -1)
    return np.unpackbits(packed, axis=2, count=BITS)
