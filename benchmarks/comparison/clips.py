"""Clips that `evaluate` saved as frames: folders of PNGs, one a clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SHOWN_CLIPS = 3


def mean_absolute_error(real: Path, generated: Path) -> float:
    """Mean absolute difference of the clips' 8-bit frames in [-1, 1]: the content loss (Eq. 7)."""
    errors = []
    for clip in clips_in(real):
        pair = [read_clip(folder / clip).astype(float) for folder in (real, generated)]
        errors.append(np.abs(pair[0] - pair[1]).mean() / 127.5)
    return float(np.mean(errors))


def clips_in(folder: Path) -> list[str]:
    """Names of the clips below a folder: paths of the folders that hold frames."""
    return sorted({path.parent.relative_to(folder).as_posix() for path in folder.rglob("*.png")})


def shown_clips(folder: Path) -> list[str]:
    """The clips that are drawn: at random, the same for all rows."""
    names = clips_in(folder)
    chosen = np.random.default_rng(0).choice(len(names), SHOWN_CLIPS, replace=False)
    return [names[index] for index in sorted(chosen)]


def read_clip(folder: Path) -> np.ndarray:
    """Reads a clip, `[32, H, W, 3]` uint8."""
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])
