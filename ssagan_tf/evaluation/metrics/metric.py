"""What a metric is, and what it is computed from: a generated clip and the real one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np

from ssagan_tf.evaluation.bootstrap import Bootstrap, Estimate
from ssagan_tf.evaluation.protocols import EvaluationProtocol
from ssagan_tf.pixels import to_float, to_uint8

if TYPE_CHECKING:
    from ssagan_tf.skies import Truth

SPREAD = (10.0, 90.0)  # percentiles over clips

Result = TypeVar("Result")


class _Cached:
    """Computes what several metrics share only once."""

    def __init__(self) -> None:
        self._results: dict[Callable[..., Any], Any] = {}

    def cached(self, compute: Callable[[Any], Result]) -> Result:
        """Returns `compute(self)`. The result is kept, so it should be small."""
        if compute not in self._results:
            self._results[compute] = compute(self)
        return self._results[compute]


class Clip(_Cached):
    """A clip, real or generated.

    Args:
      frames: `[T, H, W, 3]`, uint8, or floats nominally in [-1, 1].
      protocol: How clips are compared.
      truth: Returns the ground truth over time, for a real clip of a procedural sky; else None.
    """

    def __init__(
        self,
        frames: np.ndarray,
        protocol: EvaluationProtocol,
        truth: Callable[[], Truth | None] = lambda: None,
    ):
        super().__init__()
        self._frames, self.protocol, self.truth = frames, protocol, truth
        self.pixels = frames if frames.dtype == np.uint8 else to_uint8(frames)

    @property
    def values(self) -> np.ndarray:
        """What the protocol compares, `[T, H, W, 3]` float64."""
        is_uint8 = self._frames.dtype == np.uint8
        return self.protocol.values(to_float(self._frames) if is_uint8 else self._frames)

    @property
    def grey(self) -> np.ndarray:
        """Luma of the 8-bit frames, not rounded: `[T, H, W]` float32 in [0, 255]."""
        return np.stack(
            [cv2.cvtColor(frame.astype("float32"), cv2.COLOR_RGB2GRAY) for frame in self.pixels]
        )


class Pair(_Cached):
    """A generated clip and the real one; a real clip by itself is a pair with itself."""

    def __init__(self, real: Clip, fake: Clip):
        super().__init__()
        self.real, self.fake = real, fake
        self.protocol = real.protocol


def ratio(numerator: float, denominator: float, if_both_zero: float) -> float:
    """numerator / denominator: infinite if only the denominator is 0."""
    if denominator:
        return float(numerator / denominator)
    return np.inf if numerator else if_both_zero


Aggregate = Callable[[Bootstrap, np.ndarray, np.ndarray | None], Estimate]
"""Takes the values of the generated clips `[N]`, and those of the real ones if `also_real`."""


def mean(bootstrap: Bootstrap, values: np.ndarray, real: np.ndarray | None) -> Estimate:
    """Mean over the clips that are not NaN."""
    return bootstrap.mean(values)


def median(bootstrap: Bootstrap, values: np.ndarray, real: np.ndarray | None) -> Estimate:
    """Median over the clips that are not NaN."""
    return bootstrap.median(values)


def median_and_spread(
    bootstrap: Bootstrap, values: np.ndarray, real: np.ndarray | None
) -> Estimate:
    """Median and `SPREAD` over the clips that are not NaN."""
    return bootstrap.median(values, SPREAD)


def ratio_of_means(bootstrap: Bootstrap, values: np.ndarray, real: np.ndarray | None) -> Estimate:
    """Mean of the generated clips over the mean of the real ones."""
    return bootstrap.ratio(values, real)


@dataclasses.dataclass(frozen=True)
class ReportSection:
    """A section of the report: its metrics share a table.

    Sections appear in the order of their first metrics.
    """

    title: str
    description: str = ""


@dataclasses.dataclass(frozen=True)
class Metric:
    """A column of the tables. Everything that `evaluate` writes about it follows from this entry.

    Attributes:
      name: Name of its values per clip and per frame, as in clips.csv.
      key: Key of its value over all clips, as in metrics.json.
      section: Where the report shows it.
      title: Title of its column.
      better: Where good values are: ↑, ↓, or the value to be close to, such as `→ 1`.
      format: Format of its values in tables, such as `.3f`.
      compute: The value of a clip, or one per frame `[T]` or per step between frames `[T - 1]`.
        NaN: undefined for this clip, which is then left out.
      aggregate: Estimates the value over all clips from those of each clip (averaged over frames).
      description: What it is, for the report; empty if the protocol's `rules` say it.
      over_protocol_frames: Whether it is averaged over the protocol's frames, with a column in the
        main table, and again over frames 2 to 32. Otherwise over all frames.
      curve: Title of its curve over the frames; empty if it has none.
      curve_from_zero: Whether the axis of that curve includes 0.
      also_real: Whether it is also computed on the real clips by themselves.
      can_be_nan: Whether clips may be left out, so that the report says how many count.
      needs: What it needs that may be switched off or missing: names that `select` is given.
    """

    name: str
    key: str
    section: ReportSection
    title: str
    better: str
    format: str
    compute: Callable[[Pair], np.ndarray]
    aggregate: Aggregate
    description: str = ""
    over_protocol_frames: bool = False
    curve: str = ""
    curve_from_zero: bool = True
    also_real: bool = False
    can_be_nan: bool = False
    needs: frozenset[str] = frozenset()

    @property
    def has_real_row(self) -> bool:
        """Whether the real clips have a value of their own: not if it is relative to theirs."""
        return self.also_real and self.aggregate is not ratio_of_means

    @property
    def column(self) -> str:
        """Heading of its column."""
        return f"{self.title} {self.better}"

    @property
    def difference_column(self) -> str:
        """Heading of a column of differences, which need not be close to any value."""
        return self.title if self.better.startswith("→") else self.column
