"""Photos of clouds above land, and a stand-in for a generator that drifts them."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np

HEIGHT, WIDTH, HORIZON = 60, 97, 44  # odd, as H.264 has no such


def clouds(height: int, width: int, seed: int = 0) -> np.ndarray:
    """`[height, width, 3]` uint8."""
    draw = np.random.default_rng(seed)
    size = {"dsize": (width, height), "interpolation": cv2.INTER_CUBIC}
    coarse, fine = (cv2.resize(draw.random((n, 2 * n)), **size) for n in (5, 16))
    white = np.clip(0.7 * coarse + 0.4 * fine, 0, 1)[..., None]
    return np.uint8(white * (235, 238, 240) + (1 - white) * (70, 120, 200))


def landscape(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Clouds above dark ground."""
    photo, top = clouds(height, width), round(height * HORIZON / HEIGHT)
    texture = np.random.default_rng(1).integers(0, 12, (height - top, width, 1))
    photo[top:] = np.uint8(texture + np.array([35, 42, 25]))
    return photo


def plain(*colour: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), colour, np.uint8)


class Drift:
    """Makes clips that drift to the right by half a pixel a frame."""

    options = SimpleNamespace(resolution=64)

    def __call__(self, photos: np.ndarray, training: bool) -> np.ndarray:
        assert not training
        assert photos.shape[1:] == (64, 64, 3)
        return np.stack([np.stack([self._moved(p, 0.5 * t) for t in range(32)]) for p in photos])

    def _moved(self, photo: np.ndarray, pixels: float) -> np.ndarray:
        shift = np.float32([[1, 0, pixels], [0, 1, 0]])
        return cv2.warpAffine(photo, shift, (64, 64), borderMode=cv2.BORDER_REFLECT)
