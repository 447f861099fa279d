"""How much a picture changes from frame to frame, how fast a video is best played, where it drifts.

Everything is measured on pictures of 128×128, so that it does not depend on the resolution.
"""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Iterable

import cv2
import numpy as np

from ssagan_tf.data.layouts.clip import Picture, fit_of
from ssagan_tf.motion.optical_flow import velocities
from ssagan_tf.options import FRAMES, PrepareOptions

SIDE = 128
STRIDES = (1, 2, 3, 4, 6, 8, 12, 16)  # those that `auto` chooses from
FLOW_SIDE, FLOW_APART = 64, 4  # size and distance of the frames of optical flow; see BUILD.md
MEASURED = 1024  # frames of a video that it looks at


def small(picture: Picture, options: PrepareOptions) -> np.ndarray:
    """The picture at the size at which changes are measured, `[128, 128, 3]` uint8."""
    return picture.square(SIDE, fit_of(options))


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference of two uint8 pictures, in [0, 1]."""
    # The difference of unsigned numbers without a wider type.
    return float((np.maximum(a, b) - np.minimum(a, b)).mean()) / 255


def drift(clip: Iterable[np.ndarray]) -> float:
    """Mean horizontal velocity of a clip: the share of the width a frame, positive to the right.

    Args:
      clip: Its frames, as `small` has them.
    """
    size = (FLOW_SIDE, FLOW_SIDE)
    # Apart, as footage may have each frame twice.
    apart = itertools.islice(clip, None, None, FLOW_APART)
    frames = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in apart]
    mean = velocities(np.stack(frames))[..., 0].mean(dtype=np.float64) / FLOW_APART
    return round(float(np.clip(mean / FLOW_SIDE, -1, 1)), 6)


def choose_stride(pictures: Iterable[Picture], options: PrepareOptions) -> int:
    """The stride whose motion is nearest to `--motion_target`, as a ratio.

    The motion of a stride is the median change over it, which scene cuts and lightning do not
    move. A stride that leaves no whole clip is not taken.

    Args:
      pictures: Frames of a video; the first 1024 are looked at.
      options: Has the target.
    """
    changes: dict[int, list[float]] = {stride: [] for stride in STRIDES}
    last: collections.deque[np.ndarray] = collections.deque(maxlen=max(STRIDES))
    count = 0
    for picture in itertools.islice(pictures, MEASURED):
        now = small(picture, options)
        for stride in STRIDES:
            if stride <= len(last) and count % 2 == 0:  # every other frame is plenty
                changes[stride].append(difference(now, last[-stride]))
        last.append(now)
        count += 1
    possible = [stride for stride in STRIDES if (count - 1) // stride + 1 >= FRAMES]

    def distance(stride: int) -> float:
        change = max(float(np.median(changes[stride])), 1e-9)
        return abs(math.log(change / options.motion_target))

    return min(possible, key=distance, default=1)
