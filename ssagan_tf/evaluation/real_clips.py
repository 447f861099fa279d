"""The real clips of an evaluation: which of them, in which order, at which size."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np

from ssagan_tf import skies, video
from ssagan_tf.data.evaluation_clips import Footage
from ssagan_tf.errors import DataError

Size = tuple[int, int]
"""Height and width in pixels."""
REAL = "real"  # the name of their row
_CACHED_TRUTHS = 16  # of the last clips: several metrics and rows ask for the same


def sample_indices(total: int, number: int, seed: int) -> list[int]:
    """`number` of `total` indices at random (0: all of them), in ascending order."""
    if not number or number >= total:
        return list(range(total))
    return sorted(np.random.default_rng(seed).choice(total, number, replace=False).tolist())


class RealClips:
    """Some clips of footage, resized to the size of the generated ones.

    Args:
      footage: The clips to read.
      indices: Which of them, ascending.
      size: Size of the frames. Footage of another size is made square by `fit`.
      fit: `stretch`, `crop` or `letterbox`.
    """

    def __init__(self, footage: Footage, indices: Sequence[int], size: Size, fit: str):
        self._footage, self._indices = footage, list(indices)
        self.size, self._fit = size, fit
        described = [footage.clips[index] for index in indices]
        self.names = [clip.name for clip in described]
        self.videos = [clip.video for clip in described]
        self.stored_sizes = sorted({clip.size for clip in described})
        self._cached_truth = functools.lru_cache(_CACHED_TRUTHS)(self._truth)

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def fitting(self) -> str:
        """Describes how the frames were resized."""
        height, width = self.size
        others = [f"{w}×{h}" for h, w in self.stored_sizes if (h, w) != self.size]
        made = f" (made square by {self._footage.fit})" if self._footage.fit else ""
        if not others:
            return f"{width}×{height} as stored{made}"
        how = {"stretch": "stretched", "crop": "centre crop", "letterbox": "letterboxed"}[self._fit]
        return f"{', '.join(others)} → {width}×{height}, {how} (Pillow, bilinear, antialiased)"

    def batches(self, number: int) -> Iterator[tuple[list[int], np.ndarray]]:
        """All clips once, `number` at a time: their positions and `[B, 32, H, W, 3]` uint8."""
        stream = self._footage.stream(self._indices)
        for first in range(0, len(self), number):
            positions = list(range(first, min(first + number, len(self))))
            yield positions, np.stack([self._fitted(next(stream)) for _ in positions])

    def clip(self, position: int) -> np.ndarray:
        """One clip, `[32, H, W, 3]` uint8."""
        return self._fitted(next(self._footage.stream([self._indices[position]])))

    def truth(self, position: int) -> skies.Truth | None:
        """True motion over time of a clip of a procedural sky, at this size; None for other clips.

        Raises:
          DataError: The settings of the prepared set are damaged.
        """
        return self._cached_truth(position)

    def _truth(self, position: int) -> skies.Truth | None:
        settings = self._footage.synthetic_settings
        if settings is None:
            return None
        name = self.names[position]
        try:
            truth = skies.stored_clip_truth(name, settings, self.size[0])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"the settings of the prepared set do not say how {name} was drawn ({error}); "
                "prepare it again"
            ) from error
        return truth and truth.over_time()

    def _fitted(self, clip: np.ndarray) -> np.ndarray:
        if clip.shape[1:3] == self.size:
            return clip
        return np.stack([video.fit(frame, self.size[0], self._fit) for frame in clip])
