"""Velocities of pixels -> a file, by the ending of its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ssagan_tf.files import replacing_file
from ssagan_tf.options import FLOW_ENDINGS
from ssagan_tf.video.frames import PathLike
from ssagan_tf.video.pictures import encode_png

_FLO = np.float32(202021.25)  # begins a .flo file, as the Middlebury benchmark has defined it


def write_flow(path: PathLike, velocities: np.ndarray) -> None:
    """Writes a field of velocities.

    Args:
      path: Ends in .flo (Middlebury's format), .npz (the array `velocities`), or .png (see
        `flow_to_rgb`).
      velocities: `[H, W, 2]` float32, pixels a frame: x to the right, y down.

    Raises:
      ValueError: The name ends otherwise.
      DataError: The file cannot be written.
    """
    kind = Path(path).suffix.lower()
    if kind not in FLOW_ENDINGS:
        raise ValueError(f"{path}: must end in {', '.join(FLOW_ENDINGS)}")
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
    """Velocities as colours: the hue is the direction, the saturation the speed.

    To the right is red, down is yellow-green, to the left cyan, up violet. White stands still; the
    fastest pixel has a pure colour.

    Args:
      velocities: `[H, W, 2]`.

    Returns:
      `[H, W, 3]` uint8.
    """
    x, y = np.moveaxis(np.asarray(velocities, np.float64), -1, 0)
    speed, sixth = np.hypot(x, y), np.arctan2(y, x) * 3 / np.pi
    saturation = speed / max(float(speed.max()), 1e-12)
    # From hue and saturation, at full value, to red, green and blue.
    turned = (np.stack([sixth + 5, sixth + 3, sixth + 1], axis=-1)) % 6
    weakened = np.clip(np.minimum(turned, 4 - turned), 0, 1)
    return np.rint(255 * (1 - saturation[..., None] * weakened)).astype(np.uint8)
