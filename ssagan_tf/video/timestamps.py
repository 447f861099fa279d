"""Exact times: frame rates as fractions, and frames in the units that a file counts in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np

# Broadcasters' rates are 1000/1001 of these, and written with two or three decimals.
_NOMINAL = (15, 24, 30, 48, 60, 120, 240)
_ROUNDED = 0.005


class TimedFrame(NamedTuple):
    """A frame, uint8 `[H, W, 3]`, and when and how long it is seen, in units of the file."""

    frame: np.ndarray
    start: int
    duration: int


def exact_rate(fps: float | Fraction) -> Fraction:
    """Frames per second as a fraction: 29.97 is 30000/1001, 12.5 is 25/2.

    Raises:
      ValueError: It is not between 0.1 and 1000.
    """
    if not 0.1 <= fps <= 1000:
        raise ValueError(f"fps={fps}: must be between 0.1 and 1000")
    for nominal in _NOMINAL:
        broadcast = Fraction(1000 * nominal, 1001)
        if abs(fps - broadcast) < _ROUNDED:
            return broadcast
    return Fraction(fps).limit_denominator(1001)


def with_timestamps(
    frames: Iterable[np.ndarray], rate: Fraction, unit: Fraction, shortest: int = 1
) -> Iterator[TimedFrame]:
    """Gives frames their times in whole units, so that the total is right to one.

    Args:
      frames: The frames.
      rate: Frames per second.
      unit: Seconds.
      shortest: Units that a frame must be seen. Frames that would be seen shorter are left out;
        the others keep their times. One frame alone is seen so long in any case.

    Yields:
      The frames; two are held back until others come.
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
