"""The clips of a study as videos that differ in nothing but their pictures."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ssagan_tf import video

_HEAD = struct.Struct(">I4s")
_NOISE = 60.0  # standard deviation, of 255


def encode(clip: np.ndarray, fps: float) -> bytes:
    """An mp4 of `[T, H, W, 3]` uint8: the same encoder and settings for every system."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        video.write_mp4(path, clip, fps)
        return path.read_bytes()


def of_one_length(videos: Sequence[bytes]) -> list[bytes]:
    """Fills mp4s up to the same length, as a blurred clip would be told by its small file.

    What is added is a `free` box at the end, which players pass over.
    """
    length = max(map(len, videos)) + _HEAD.size
    return [
        data + _HEAD.pack(length - len(data), b"free") + bytes(length - len(data) - _HEAD.size)
        for data in videos
    ]


def break_clip(clip: np.ndarray, seed: int) -> np.ndarray:
    """A clip that nobody who looks takes for real: frames out of order, under heavy noise."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, _NOISE, clip.shape)
    return np.clip(clip[rng.permutation(len(clip))] + noise, 0, 255).astype(np.uint8)
