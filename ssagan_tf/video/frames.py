"""Checks of pictures and clips: uint8 RGB arrays, `[H, W, 3]` and `[T, H, W, 3]`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

PathLike = str | os.PathLike[str]


def check(array: np.ndarray, rank: int) -> None:
    """Raises ValueError unless an array is a picture (rank 3) or a clip (rank 4)."""
    shape = "[T, H, W, 3]" if rank == 4 else "[H, W, 3]"
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim != rank or array.shape[-1] != 3 or not array.size:
        raise ValueError(f"expected uint8 {shape}, got {array.dtype} {list(array.shape)}")


def check_suffix(path: PathLike, suffix: str) -> None:
    """Raises ValueError unless a path ends in `suffix`, in any case."""
    if Path(path).suffix.lower() != suffix:
        raise ValueError(f"{path}: must end in {suffix}")
