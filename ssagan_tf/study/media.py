"""The clips of a study as videos that differ only in their pixels."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ssagan_tf import video

_BOX_HEADER = struct.Struct(">I4s")
_NOISE = 60.0  # standard deviation, on a scale of 0 to 255


def encode(clip: np.ndarray, fps: float) -> bytes:
    """Encodes `[T, H, W, 3]` uint8 as an mp4, with the same settings for every system."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        video.write_mp4(path, clip, fps)
        return path.read_bytes()


def pad_to_same_length(videos: Sequence[bytes]) -> list[bytes]:
    """Pads mp4s to the same length: otherwise a small file would give a blurred clip away.

    The padding is a `free` box at the end, which players ignore.
    """
    length = max(map(len, videos)) + _BOX_HEADER.size
    return [data + _free_box(length - len(data)) for data in videos]


def _free_box(size: int) -> bytes:
    return _BOX_HEADER.pack(size, b"free") + bytes(size - _BOX_HEADER.size)


def break_clip(clip: np.ndarray, seed: int) -> np.ndarray:
    """Makes a clip that no attentive subject prefers: shuffled frames under heavy noise."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, _NOISE, clip.shape)
    return np.clip(clip[rng.permutation(len(clip))] + noise, 0, 255).astype(np.uint8)
