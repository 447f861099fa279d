"""What a measure is, and what it looks at: a real clip and a generated one."""

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

SPREAD = (10.0, 90.0)  # percentiles of clips

Derived = TypeVar("Derived")


class _Subject:
    """What several measures derive from it is computed once."""

    def __init__(self) -> None:
        self._derived: dict[Callable[..., Any], Any] = {}

    def once(self, derive: Callable[[Any], Derived]) -> Derived:
        """`derive(self)`, kept: it should be small."""
        if derive not in self._derived:
            self._derived[derive] = derive(self)
        return self._derived[derive]


class Clip(_Subject):
    """A clip, real or generated.

    Args:
      frames: `[T, H, W, 3]`, uint8, or floats meant to lie in [-1, 1].
      protocol: How clips are compared.
      truth: Draws what is known of it over time, for a real clip of a procedural sky.
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
        is_real = self._frames.dtype == np.uint8
        return self.protocol.values(to_float(self._frames) if is_real else self._frames)

    @property
    def grey(self) -> np.ndarray:
        """Luma of the 8-bit frames, not rounded: `[T, H, W]` float32 in [0, 255]."""
        return np.stack(
            [cv2.cvtColor(frame.astype("float32"), cv2.COLOR_RGB2GRAY) for frame in self.pixels]
        )


class Pair(_Subject):
    """A generated clip and the real one that it is compared with; for its own value, twice that."""

    def __init__(self, real: Clip, fake: Clip):
        super().__init__()
        self.real, self.fake = real, fake
        self.protocol = real.protocol


def quotient(top: float, bottom: float, of_nothing: float) -> float:
    """top / bottom: infinite over 0, and `of_nothing` where both are 0."""
    if bottom:
        return float(top / bottom)
    return np.inf if top else of_nothing


Over = Callable[[Bootstrap, np.ndarray, np.ndarray | None], Estimate]
"""Takes the values of the clips `[N]` and those of the real ones, if the measure has them."""


def mean(bootstrap: Bootstrap, values: np.ndarray, real: np.ndarray | None) -> Estimate:
    """Over the clips that count."""
    return bootstrap.mean(values)


def median(bootstrap: Bootstrap, values: np.ndarray, real: np.ndarray | None) -> Estimate:
    """Over the clips that count."""
    return bootstrap.median(values)


def median_and_spread(
    bootstrap: Bootstrap, values: np.ndarray, real: np.ndarray | None
) -> Estimate:
    """Over the clips that count."""
    return bootstrap.median(values, SPREAD)


def ratio_of_means(bootstrap: Bootstrap, values: np.ndarray, real: np.ndarray | None) -> Estimate:
    """Over all clips."""
    return bootstrap.ratio(values, real)


@dataclasses.dataclass(frozen=True)
class ReportSection:
    """Measures that share a table of the report."""

    title: str
    about: str = ""


# These two have tables of their own making: the paper's form, and both of frames 2 to 32.
LIKENESS = ReportSection("Likeness")
MOVEMENT = ReportSection("Movement")
REGIONS = ReportSection(
    "What moves, and how sharp it is",
    "Of all frames. Whether what moves in the real clips moves, and nothing else.",
)


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure of the tables.

    Attributes:
      name: Of the numbers of each clip, as in clips.csv.
      figure: Of the figure over all clips, as in metrics.json.
      section: Where the report has it.
      title: Over its column.
      better: Where good values lie: ↑, ↓, or what they should be near, as `→ 1`.
      format: Of a number.
      of: A clip's number, or one per frame `[T]` or step between frames `[T - 1]`. NaN: the clip
        does not count.
      over: Makes the figure of the numbers of all clips, averaged over frames.
      words: What it is; empty if that depends on the protocol, which says it.
      curve: Over its curve over the frames; empty if it has none.
      of_real: Whether real clips are measured by themselves, too (as a pair with itself).
      partial: Whether clips may not count, so that it is told how many do.
      needs: What the user may switch off or the data lack: names of `select`'s `given`.
    """

    name: str
    figure: str
    section: ReportSection
    title: str
    better: str
    format: str
    of: Callable[[Pair], np.ndarray]
    over: Over
    words: str = ""
    curve: str = ""
    of_real: bool = False
    partial: bool = False
    needs: frozenset[str] = frozenset()

    @property
    def has_real_row(self) -> bool:
        """Whether the real clips have such a figure, too: not one that compares with them."""
        return self.of_real and self.over is not ratio_of_means

    @property
    def head(self) -> str:
        """Of its column."""
        return f"{self.title} {self.better}"

    @property
    def difference_head(self) -> str:
        """Of differences, which need not be near anything."""
        return self.title if self.better.startswith("→") else self.head
