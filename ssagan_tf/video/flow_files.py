"""Velocity fields -> files: .flo, .npz or .png."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ssagan_tf.files import replacing_file
from ssagan_tf.options import FLOW_SUFFIXES
from ssagan_tf.video.frames import PathLike
from ssagan_tf.video.pictures import encode_png

_FLO = np.float32(202021.25)  # magic number of .flo files (Middlebury)


def write_flow(path: PathLike, velocities: np.ndarray) -> None:
    """Writes a velocity field in the format of the path's suffix.

    Args:
      path: Ends in .flo (Middlebury's format), .npz (the array `velocities`), or .png (see
        `flow_to_rgb`).
      velocities: `[H, W, 2]` float32, pixels a frame: x to the right, y down.

    Raises:
      ValueError: The path has another suffix.
      DataError: The file cannot be written.
    """
    kind = Path(path).suffix.lower()
    if kind not in FLOW_SUFFIXES:
        raise ValueError(f"{path}: must end in {', '.join(FLOW_SUFFIXES)}")
    height, width = velocities.shape[:2]
    with replacing_file(path) as temporary, open(temporary, "wb") as file:
        if kind == ".png":
            file.write(encode_png(flow_to_rgb(velocities)))
        elif kind == ".npz":
            np.savez_compressed(file, velocities=velocities)
        else:
            file.write(_FLO.tobytes() + np.int32([width, height]).tobytes())
            file.write(np.ascontiguousarray(velocities, "<f4"))


def flow_to_rgb(velocities: np.ndarray) -> np.ndarray:
    """Draws velocities as colours: hue is direction, saturation is speed.

    Right is red, down is yellow-green, left is cyan, up is violet. Static pixels are white; the
    fastest one has full saturation.

    Args:
      velocities: `[H, W, 2]`.

    Returns:
      `[H, W, 3]` uint8.
    """
    x, y = np.moveaxis(np.asarray(velocities, np.float64), -1, 0)
    speed, sixth = np.hypot(x, y), np.arctan2(y, x) * 3 / np.pi
    saturation = speed / max(float(speed.max()), 1e-12)
    # HSV to RGB at full value.
    phase = (np.stack([sixth + 5, sixth + 3, sixth + 1], axis=-1)) % 6
    chroma = np.clip(np.minimum(phase, 4 - phase), 0, 1)
    return np.rint(255 * (1 - saturation[..., None] * chroma)).astype(np.uint8)
