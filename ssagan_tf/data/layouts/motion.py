"""Measures of motion: change from frame to frame, drift, and the best frame stride.

All are measured at 128×128, so that they do not depend on the resolution.
"""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Iterable

import cv2
import numpy as np

from ssagan_tf.data.layouts.clip import Picture, resolved_fit
from ssagan_tf.motion.optical_flow import velocities
from ssagan_tf.options import FRAMES, PrepareOptions

SIDE = 128
STRIDES = (1, 2, 3, 4, 6, 8, 12, 16)  # that `auto` chooses from
FLOW_SIDE, FLOW_STRIDE = 64, 4  # size and stride of the frames for optical flow; see docs/design.md
MAX_FRAMES = 1024  # of a video that `auto` looks at


def thumbnail(picture: Picture, options: PrepareOptions) -> np.ndarray:
    """Returns the picture at the size for measuring, `[128, 128, 3]` uint8."""
    return picture.square(SIDE, resolved_fit(options))


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Returns the mean absolute difference of two uint8 images, in [0, 1]."""
    # Unsigned subtraction without a wider type.
    return float((np.maximum(a, b) - np.minimum(a, b)).mean()) / 255


def drift(clip: Iterable[np.ndarray]) -> float:
    """Returns the mean horizontal velocity of a clip in frame widths per frame, right positive.

    Args:
      clip: Its frames, from `thumbnail`.
    """
    size = (FLOW_SIDE, FLOW_SIDE)
    # With a stride, as footage may have each frame twice.
    strided = itertools.islice(clip, None, None, FLOW_STRIDE)
    frames = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in strided]
    mean = velocities(np.stack(frames))[..., 0].mean(dtype=np.float64) / FLOW_STRIDE
    return round(float(np.clip(mean / FLOW_SIDE, -1, 1)), 6)


def choose_stride(pictures: Iterable[Picture], options: PrepareOptions) -> int:
    """Returns the frame stride whose motion is closest to `--motion_target`, by their ratio.

    The motion of a stride is the median change over it, which is robust to scene cuts and
    lightning. Strides that leave fewer than 32 frames are not considered.

    Args:
      pictures: Frames of a video, of which the first 1024 are used.
      options: Has the target.
    """
    changes: dict[int, list[float]] = {stride: [] for stride in STRIDES}
    last: collections.deque[np.ndarray] = collections.deque(maxlen=max(STRIDES))
    count = 0
    for picture in itertools.islice(pictures, MAX_FRAMES):
        current = thumbnail(picture, options)
        for stride in STRIDES:
            if stride <= len(last) and count % 2 == 0:  # every other frame suffices
                changes[stride].append(difference(current, last[-stride]))
        last.append(current)
        count += 1
    possible = [stride for stride in STRIDES if (count - 1) // stride + 1 >= FRAMES]

    def distance(stride: int) -> float:
        change = max(float(np.median(changes[stride])), 1e-9)
        return abs(math.log(change / options.motion_target))

    return min(possible, key=distance, default=1)
