"""Static clips: one frame repeated. Only the distinct slices are computed. Exact.

A zero-padded convolution in time changes a constant clip at its ends only: in between, all slices
of the result are equal. Such a clip of T frames is held as 2b + 1 slices, `[B, 2b+1, H, W, C]`: b
at its beginning, one that stands for the whole interior, and b at its end. Every layer of the
encoder in Table 1 keeps b at 1: three slices instead of up to 32. (At 256×256 and above there are
several layers with a temporal kernel of 3, each of which but the first adds 1 to b.)

The functions take the slices together with `frames`, the number of frames T that they stand for. A
clip that has all its frames is an ordinary one and is passed through.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops


def is_static(clip: Any, frames: int | None) -> bool:
    """Whether `clip` has fewer slices than the `frames` it stands for."""
    return frames is not None and clip.shape[1] != frames


def multiplicities(slices: int, frames: int) -> np.ndarray:
    """Number of frames that each slice stands for, `[slices]`; ones for an ordinary clip."""
    counts = np.ones(slices)
    if slices != frames:
        counts[slices // 2] = frames - slices + 1
    return counts


def expand(clip: Any, frames: int, period: int = 1) -> Any:
    """Returns all frames of a static clip, or a shorter clip with the same slices.

    Args:
      clip: Slices `[B, 2b + period, H, W, C]`.
      frames: Frames of the result: 2b plus a multiple of `period`.
      period: Number of slices in the middle that repeat as a sequence.

    Returns:
      `[B, frames, H, W, C]`.
    """
    if clip.shape[1] == frames:
        return clip
    border = (clip.shape[1] - period) // 2
    times = (frames - 2 * border) // period
    first, middle, last = ops.split(clip, [border, border + period], axis=1)
    return ops.concatenate([first, ops.tile(middle, (1, times, 1, 1, 1)), last], axis=1)


def pads_by_one(kernel_size: tuple[int, ...], strides: tuple[int, ...], padding: str) -> bool:
    """Whether a convolution pads time with one zero at each end, as those of Table 1 do."""
    return padding == "same" and kernel_size[0] - strides[0] == 2


def for_convolution(clip: Any, frames: int, stride: int) -> Any:
    """Returns the shortest clip whose convolution (`pads_by_one`) has each distinct slice once.

    The convolution's output is then the static clip of `frames` / `stride` frames. `frames` must be
    a multiple of `stride`.
    """
    border = clip.shape[1] // 2
    # Output i reads the frames from stride·i - 1 on. Is one of them in the border?
    touched = math.ceil((border + 1) / stride)
    return expand(clip, min(frames, stride * (2 * touched + 1)))


def shortens_transposed(clip: Any, frames: int | None, stride: int) -> bool:
    """Whether `transposed_convolution` computes fewer frames than there are."""
    return is_static(clip, frames) and stride <= 2 and _shortest(clip, stride) < frames


def _shortest(clip: Any, stride: int) -> int:
    """Frames of the shortest clip whose transposed convolution has each distinct slice."""
    return clip.shape[1] - 1 + (2 if stride == 2 else 3)


def transposed_convolution(
    clip: Any, frames: int, stride: int, convolve: Callable[[Any], Any]
) -> Any:
    """Transposed convolution (`pads_by_one`) of a static clip, computed on a few slices.

    Args:
      clip: Slices `[B, 2b+1, H, W, C]` of `frames` frames.
      frames: The number of frames that the slices stand for.
      stride: Stride in time. Between the ends the output repeats with this period.
      convolve: The transposed convolution itself.

    Returns:
      All `frames` · `stride` frames of the output.
    """
    if not shortens_transposed(clip, frames, stride):
        return convolve(expand(clip, frames))
    shortest = expand(clip, _shortest(clip, stride))
    return expand(convolve(shortest), frames * stride, period=stride)
