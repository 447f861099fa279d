"""Exact frame rates as fractions, and timestamps in ticks of a file's clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np

# Broadcast rates are 1000/1001 of these, and usually given with two or three decimals.
_NOMINAL_RATES = (15, 24, 30, 48, 60, 120, 240)
_ROUNDING = 0.005


class TimedFrame(NamedTuple):
    """A frame, `[H, W, 3]` uint8, with its start and duration in ticks."""

    frame: np.ndarray
    start: int
    duration: int


def exact_rate(fps: float | Fraction) -> Fraction:
    """Returns frames per second as a fraction: 30000/1001 for 29.97, 25/2 for 12.5.

    Raises:
      ValueError: It is not between 0.1 and 1000.
    """
    if not 0.1 <= fps <= 1000:
        raise ValueError(f"fps={fps}: must be between 0.1 and 1000")
    for nominal in _NOMINAL_RATES:
        broadcast = Fraction(1000 * nominal, 1001)
        if abs(fps - broadcast) < _ROUNDING:
            return broadcast
    return Fraction(fps).limit_denominator(1001)


def with_timestamps(
    frames: Iterable[np.ndarray], rate: Fraction, unit: Fraction, shortest: int = 1
) -> Iterator[TimedFrame]:
    """Adds timestamps in whole ticks; the total length is right to within one tick.

    Args:
      frames: The frames.
      rate: Frames per second.
      unit: Seconds per tick.
      shortest: Minimum duration in ticks. Frames that would be shown for less are dropped; the
        others keep their times. A single frame is shown for at least this long.

    Yields:
      The frames, with a delay of two.
    """
    waiting: list[tuple[np.ndarray, int]] = []
    end = 0
    for number, frame in enumerate(frames, 1):
        if not waiting or end - waiting[-1][1] >= shortest:
            if len(waiting) == 2:
                (first, start), (_, after) = waiting
                yield TimedFrame(first, start, after - start)
                del waiting[0]
            waiting.append((frame, end))
        end = round(number / (rate * unit))
    if len(waiting) == 2 and end - waiting[1][1] < shortest:
        del waiting[1]
    for (frame, start), (_, after) in zip(waiting, [*waiting[1:], (None, end)], strict=True):
        yield TimedFrame(frame, start, max(after - start, shortest))
