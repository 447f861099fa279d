"""Decodes the frames of a record, if they have the size that the set has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ssagan_tf import video


def decode_frames(frames: Sequence[bytes], side: int) -> Iterator[np.ndarray]:
    """Decodes the frames of a clip.

    Args:
      frames: JPEGs.
      side: Expected height and width in pixels.

    Yields:
      `[side, side, 3]` uint8.

    Raises:
      ValueError: One is broken, not a JPEG, or of another size.
    """
    for number, frame in enumerate(frames, 1):
        try:
            height, width = video.image_size(frame, "JPEG")  # training decodes no other format
            decoded = video.decode_image(frame) if (height, width) == (side, side) else None
        except ValueError as error:
            raise ValueError(f"frame {number} is broken: {error}") from error
        if decoded is None:
            raise ValueError(f"frame {number} is {width}×{height}, expected {side}×{side}")
        yield decoded
