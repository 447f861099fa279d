"""Writes the clips of an evaluation, for `compare` and `study`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ssagan_tf import video
from ssagan_tf.errors import DataError

_LONGEST_NAME = 255  # bytes, on most file systems


class ClipWriter:
    """Writes clips as mp4 files or as folders of frames, in a folder per row.

    Args:
      folder: The folder.
      form: `mp4` or `frames`.
      fps: Frames per second of an mp4.
      names: Names of all clips.

    Raises:
      DataError: A name is too long for a file with an ending.
    """

    def __init__(self, folder: Path, form: str, fps: float, names: Iterable[str]):
        self._folder, self._fps = folder, fps
        self._ending = ".mp4" if form == "mp4" else ""
        for name in names:
            if len(f"{Path(name).name}{self._ending}".encode()) > _LONGEST_NAME:
                raise DataError(
                    f"the name of clip {name} is too long for a file ending in {self._ending}; "
                    "use --save_clips=frames"
                )

    def __call__(self, row: str, clip: str, frames: np.ndarray) -> None:
        """Writes one clip, `[32, H, W, 3]` uint8."""
        path = self._folder / row / f"{clip}{self._ending}"
        if self._ending:
            video.write_mp4(path, frames, self._fps)
        else:
            video.write_frames(path, frames)
