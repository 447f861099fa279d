"""All systems on all clips: numbers per frame, kept for every clip."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ssagan_tf.errors import DataError
from ssagan_tf.evaluation import metrics
from ssagan_tf.evaluation.protocols import Protocol
from ssagan_tf.evaluation.real import RealClips
from ssagan_tf.evaluation.systems import System
from ssagan_tf.pixels import to_float, to_uint8

SIMILARITIES = ("mse", "psnr", "ssim")

Keep = Callable[[str, str, np.ndarray], None]
"""Takes the name of a row, that of a clip, and its frames `[32, H, W, 3]` uint8."""


@dataclasses.dataclass
class Row:
    """The numbers of one system: arrays `[N, 32]`, those of movement `[N, 31]`."""

    name: str
    about: str
    values: dict[str, np.ndarray]


@dataclasses.dataclass
class Scores:
    """The numbers of all systems on the same clips.

    Attributes:
      real: `motion` and perhaps `flow` of the real clips, `[N, 31]`.
      seconds: What took how long.
    """

    protocol: Protocol
    names: list[str]
    videos: list[str]
    rows: list[Row]
    real: dict[str, np.ndarray]
    seconds: dict[str, float]


def score(
    real: RealClips,
    systems: Sequence[System],
    protocol: Protocol,
    *,
    with_flow: bool,
    batch: int,
    report: Callable[[str, int, int], None] = lambda *_: None,
    keep: Keep | None = None,
) -> Scores:
    """Compares the clips of every system with the real ones.

    Args:
      real: The clips to compare with.
      systems: A row each.
      protocol: How.
      with_flow: Whether optical flow is measured.
      batch: Clips at once.
      report: Told what is done, how many clips are, and of how many.
      keep: Given all clips, the real ones as the row `real`.

    Raises:
      DataError: A clip cannot be read, or has values that are no numbers.
    """
    seconds: dict[str, float] = {}
    collected: dict[str, list[dict[str, np.ndarray]]] = {system.name: [] for system in systems}
    real_movement: list[dict[str, np.ndarray]] = []
    move = functools.partial(_movement, protocol=protocol, with_flow=with_flow)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        batches = real.batches(batch)
        while True:
            with _timed(seconds, "reading the real clips"):
                positions, clips = next(batches, ([], None))
            if not positions:
                break
            with _timed(seconds, "measuring"):
                real_movement += pool.map(move, map(to_float, clips))
            names = [real.names[position] for position in positions]
            if keep:
                list(pool.map(functools.partial(keep, "real"), names, clips))
            for system in systems:
                with _timed(seconds, f"clips of {system.name}"):
                    fakes = system.clips(positions, clips)
                if not np.isfinite(fakes).all():
                    raise DataError(f"{system.name} made values that are no finite numbers")
                with _timed(seconds, "measuring"):
                    one = functools.partial(_measure, protocol=protocol, with_flow=with_flow)
                    collected[system.name] += pool.map(one, clips, fakes)
                if keep:
                    list(
                        pool.map(functools.partial(keep, system.name), names, map(to_uint8, fakes))
                    )
            report("evaluate", positions[-1] + 1, len(real))
    rows = [Row(s.name, s.about, _stacked(collected[s.name])) for s in systems]
    return Scores(protocol, real.names, real.videos, rows, _stacked(real_movement), seconds)


def _measure(
    real: np.ndarray, fake: np.ndarray, protocol: Protocol, with_flow: bool
) -> dict[str, np.ndarray]:
    similarity = metrics.measure_similarity(real, fake, protocol)
    return {**similarity, **_movement(fake, protocol, with_flow)}


def _movement(clip: np.ndarray, protocol: Protocol, with_flow: bool) -> dict[str, np.ndarray]:
    movement = {"motion": metrics.motion(protocol.values(clip))}
    if with_flow:
        movement["flow"] = metrics.optical_flow(to_uint8(clip))
    return movement


def _stacked(values: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([value[name] for value in values]) for name in values[0]}


@contextlib.contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[what] = seconds.get(what, 0.0) + time.monotonic() - began
