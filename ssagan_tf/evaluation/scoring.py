"""Computes every metric for every clip of every system."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from ssagan_tf.errors import DataError
from ssagan_tf.evaluation.better_direction import BetterDirection
from ssagan_tf.evaluation.metrics.metric import Clip, Metric, Pair
from ssagan_tf.evaluation.protocols import EvaluationProtocol
from ssagan_tf.evaluation.real_clips import REAL, RealClips
from ssagan_tf.evaluation.systems import System, still_clips
from ssagan_tf.pixels import to_uint8
from ssagan_tf.progress import ProgressCallback

SaveClip = Callable[[str, str, np.ndarray], None]
"""Takes the name of a row, that of a clip, and its frames `[32, H, W, 3]` uint8."""


@dataclasses.dataclass
class Row:
    """The values of one system.

    Attributes:
      values: By name of the metric: `[N]`, or per frame `[N, 32]`, or per step `[N, 31]`.
      mirrored: Which clips are from the other direction, if the better one is taken.
      still: Why nothing moves in some clips, by clip name.
    """

    name: str
    description: str
    values: dict[str, np.ndarray]
    mirrored: list[bool] | None = None
    still: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Scores:
    """The values of all systems on the same clips.

    Attributes:
      metrics: What was computed.
      names: Names of the clips.
      videos: Name of the video of each clip.
      real: Values of the real clips by themselves, for the metrics that have them (`also_real`).
      seconds: How long each part of the work took.
    """

    protocol: EvaluationProtocol
    metrics: Sequence[Metric]
    names: list[str]
    videos: list[str]
    rows: list[Row]
    real: dict[str, np.ndarray]
    seconds: dict[str, float]


def score(
    real: RealClips,
    systems: Sequence[System],
    protocol: EvaluationProtocol,
    metrics: Sequence[Metric],
    *,
    batch: int,
    report: ProgressCallback = lambda *_: None,
    save: SaveClip | None = None,
) -> Scores:
    """Compares the clips of every system with the real ones.

    Args:
      real: The clips to compare with.
      systems: One row each.
      protocol: How clips are compared.
      metrics: What to compute.
      batch: Clips per batch.
      report: Called with what is being done, how many clips are done, and of how many.
      save: Called with every clip, including the real ones (row `real`).

    Raises:
      DataError: A clip cannot be read, or has values that are NaN or infinite.
    """
    seconds: dict[str, float] = {}
    collected: dict[str, list[dict[str, np.ndarray]]] = {system.name: [] for system in systems}
    of_real: list[dict[str, np.ndarray]] = []
    metrics_of_real = [metric for metric in metrics if metric.also_real]
    with _opencv_in_one_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        batches = real.batches(batch)
        while True:
            with _timed(seconds, "reading the real clips"):
                positions, clips = next(batches, ([], None))
            if not positions:
                break
            truths = (functools.partial(real.truth, position) for position in positions)
            real_clips = [
                Clip(clip, protocol, truth) for clip, truth in zip(clips, truths, strict=True)
            ]
            with _timed(seconds, "measuring"):
                of_real += pool.map(lambda clip: _compute(metrics_of_real, clip, clip), real_clips)
            names = [real.names[position] for position in positions]
            if save:
                list(pool.map(functools.partial(save, REAL), names, clips))
            for system in systems:
                with _timed(seconds, f"clips of {system.name}"):
                    fakes = system.clips(positions, clips)
                if not np.isfinite(fakes).all():
                    raise DataError(f"clips of {system.name} have values that are NaN or infinite")
                with _timed(seconds, "measuring"):
                    collected[system.name] += pool.map(
                        lambda clip, fake: _compute(metrics, clip, Clip(fake, protocol)),
                        real_clips,
                        fakes,
                    )
                if save:
                    list(
                        pool.map(functools.partial(save, system.name), names, map(to_uint8, fakes))
                    )
            report("evaluate", positions[-1] + 1, len(real))
    rows = [
        Row(
            system.name,
            system.description,
            _stacked(collected[system.name]),
            _mirrored(system),
            {real.names[position]: why for position, why in sorted(still_clips(system).items())},
        )
        for system in systems
    ]
    return Scores(protocol, metrics, real.names, real.videos, rows, _stacked(of_real), seconds)


def _mirrored(system: System) -> list[bool] | None:
    if not isinstance(system, BetterDirection):
        return None
    return [is_mirrored for _, is_mirrored in sorted(system.mirrored.items())]


def _compute(metrics: Sequence[Metric], real: Clip, fake: Clip) -> dict[str, np.ndarray]:
    pair = Pair(real, fake)
    return {metric.name: metric.compute(pair) for metric in metrics}


def _stacked(values: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([value[name] for value in values]) for name in values[0]}


@contextlib.contextmanager
def _opencv_in_one_thread() -> Iterator[None]:
    """Turns off OpenCV's own threads: clips are already spread over the cores."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@contextlib.contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[what] = seconds.get(what, 0.0) + time.monotonic() - began
