"""A clip that begins as one frame repeated, carried as its distinct slices only. Exact.

A zero-padded convolution in time touches a constant clip at its ends only: in between, all slices
of the result are equal. Such a clip of T frames is carried as 2b + 1 slices, `[B, 2b+1, H, W, C]`:
b at its beginning, the interior that fills the rest, b at its end. Every layer of the encoder in
Table 1 keeps b at 1: three slices instead of up to 32. (At 256×256 and above there are several
layers with a temporal kernel of 3, and b grows by 1 with each but the first.)

The functions take the slices together with `frames`, the length T that they stand for; a clip that
has all its slices is an ordinary one and passes through.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops


def is_static(clip: Any, frames: int | None) -> bool:
    """Whether `clip` has fewer slices than the frames it stands for."""
    return frames is not None and clip.shape[1] != frames


def multiplicities(slices: int, frames: int) -> np.ndarray:
    """How many frames each slice stands for, `[slices]`; ones for an ordinary clip."""
    counts = np.ones(slices)
    if slices != frames:
        counts[slices // 2] = frames - slices + 1
    return counts


def expand(clip: Any, frames: int, period: int = 1) -> Any:
    """All frames (or the first and last of a shorter clip with the same slices).

    Args:
      clip: Slices `[B, 2b + period, H, W, C]`.
      frames: Length of the result: 2b plus a multiple of `period`.
      period: Number of slices in the middle that repeat in turn.

    Returns:
      `[B, frames, H, W, C]`.
    """
    if clip.shape[1] == frames:
        return clip
    border = (clip.shape[1] - period) // 2
    times = (frames - 2 * border) // period
    first, middle, last = ops.split(clip, [border, border + period], axis=1)
    return ops.concatenate([first, ops.tile(middle, (1, times, 1, 1, 1)), last], axis=1)


def padded_by_one(kernel_size: tuple[int, ...], strides: tuple[int, ...], padding: str) -> bool:
    """Whether a convolution pads time by one zero on each side, as those of Table 1 do."""
    return padding == "same" and kernel_size[0] - strides[0] == 2


def for_convolution(clip: Any, frames: int, stride: int) -> Any:
    """The shortest clip whose convolution (`padded_by_one`) has all distinct slices once.

    Its output is the static clip of the `frames` / `stride` output frames; `frames` is a multiple.
    """
    border = clip.shape[1] // 2
    # Output i sees the frames from stride·i - 1 on: is one of them in the border?
    touched = math.ceil((border + 1) / stride)
    return expand(clip, min(frames, stride * (2 * touched + 1)))


def transposed_convolution(
    clip: Any, frames: int, stride: int, convolve: Callable[[Any], Any]
) -> Any:
    """Transposed convolution (`padded_by_one`) of a static clip, computed on few slices.

    Args:
      clip: Slices `[B, 2b+1, H, W, C]` of `frames` frames.
      stride: In time. Between the ends the output repeats with this period.
      convolve: The transposed convolution itself.

    Returns:
      All `frames` · `stride` frames.
    """
    border = clip.shape[1] // 2
    shortest = 2 * border + (2 if stride == 2 else 3)
    if stride > 2 or shortest >= frames:
        return convolve(expand(clip, frames))
    return expand(convolve(expand(clip, shortest)), frames * stride, period=stride)
