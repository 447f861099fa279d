"""All systems on all clips: the numbers of every measure, kept for every clip."""

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
from ssagan_tf.evaluation.real_clips import RealClips
from ssagan_tf.evaluation.systems import System, still_clips
from ssagan_tf.pixels import to_uint8

Keep = Callable[[str, str, np.ndarray], None]
"""Takes the name of a row, that of a clip, and its frames `[32, H, W, 3]` uint8."""


@dataclasses.dataclass
class Row:
    """The numbers of one system.

    Attributes:
      values: By measure, `[N]`, or per frame `[N, 32]` or step `[N, 31]`.
      mirrored: Which clips are of the other direction, where the better one is taken.
      still: Why nothing moves in some clips, by their names.
    """

    name: str
    about: str
    values: dict[str, np.ndarray]
    mirrored: list[bool] | None = None
    still: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Scores:
    """The numbers of all systems on the same clips.

    Attributes:
      measures: What was measured.
      real: The real clips' own numbers, of the measures that have them (`of_real`).
      seconds: What took how long.
    """

    protocol: EvaluationProtocol
    measures: Sequence[Metric]
    names: list[str]
    videos: list[str]
    rows: list[Row]
    real: dict[str, np.ndarray]
    seconds: dict[str, float]


def score(
    real: RealClips,
    systems: Sequence[System],
    protocol: EvaluationProtocol,
    measures: Sequence[Metric],
    *,
    batch: int,
    report: Callable[[str, int, int], None] = lambda *_: None,
    keep: Keep | None = None,
) -> Scores:
    """Compares the clips of every system with the real ones.

    Args:
      real: The clips to compare with.
      systems: A row each.
      protocol: How.
      measures: What is measured.
      batch: Clips at once.
      report: Told what is done, how many clips are, and of how many.
      keep: Given all clips, the real ones as the row `real`.

    Raises:
      DataError: A clip cannot be read, or has values that are no numbers.
    """
    seconds: dict[str, float] = {}
    collected: dict[str, list[dict[str, np.ndarray]]] = {system.name: [] for system in systems}
    of_real: list[dict[str, np.ndarray]] = []
    alone = [measure for measure in measures if measure.of_real]
    with _a_thread_each(), ThreadPoolExecutor(os.cpu_count()) as pool:
        batches = real.batches(batch)
        while True:
            with _timed(seconds, "reading the real clips"):
                positions, clips = next(batches, ([], None))
            if not positions:
                break
            truths = (functools.partial(real.truth, position) for position in positions)
            subjects = [Clip(clip, protocol, of) for clip, of in zip(clips, truths, strict=True)]
            with _timed(seconds, "measuring"):
                of_real += pool.map(lambda clip: _measure(alone, clip, clip), subjects)
            names = [real.names[position] for position in positions]
            if keep:
                list(pool.map(functools.partial(keep, "real"), names, clips))
            for system in systems:
                with _timed(seconds, f"clips of {system.name}"):
                    fakes = system.clips(positions, clips)
                if not np.isfinite(fakes).all():
                    raise DataError(f"{system.name} made values that are no finite numbers")
                with _timed(seconds, "measuring"):
                    collected[system.name] += pool.map(
                        lambda clip, fake: _measure(measures, clip, Clip(fake, protocol)),
                        subjects,
                        fakes,
                    )
                if keep:
                    list(
                        pool.map(functools.partial(keep, system.name), names, map(to_uint8, fakes))
                    )
            report("evaluate", positions[-1] + 1, len(real))
    rows = [
        Row(
            system.name,
            system.about,
            _stacked(collected[system.name]),
            _mirrored(system),
            {real.names[position]: why for position, why in sorted(still_clips(system).items())},
        )
        for system in systems
    ]
    return Scores(protocol, measures, real.names, real.videos, rows, _stacked(of_real), seconds)


def _mirrored(system: System) -> list[bool] | None:
    if not isinstance(system, BetterDirection):
        return None
    return [taken for _, taken in sorted(system.mirrored.items())]


def _measure(measures: Sequence[Metric], real: Clip, fake: Clip) -> dict[str, np.ndarray]:
    pair = Pair(real, fake)
    return {measure.name: measure.of(pair) for measure in measures}


def _stacked(values: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([value[name] for value in values]) for name in values[0]}


@contextlib.contextmanager
def _a_thread_each() -> Iterator[None]:
    """Clips are spread over the cores: OpenCV's own threads would be in the way."""
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
