"""Takes the better of two directions: a photo does not show which way clouds drift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssagan_tf.evaluation.metrics.similarity import mean_squared_error
from ssagan_tf.evaluation.protocols import EvaluationProtocol
from ssagan_tf.evaluation.systems import System, still_clips
from ssagan_tf.pixels import to_float

RULE = (
    "the better one: every system makes each clip twice, the second time from the mirrored photo "
    "(its clip is mirrored back), and the clip with the smaller MSE over the protocol's frames is "
    "taken; baselines that see the real clip are left as they are, and so are clips of a folder, "
    "unless --generated_mirrored gives those of the other direction"
)


class Mirrored:
    """A system in the other direction: the photo is mirrored, and its clip mirrored back."""

    description = "the photo mirrored, its clip mirrored back"

    def __init__(self, system: System):
        self._system, self.name = system, system.name

    @property
    def still(self) -> dict[int, str]:
        """Reasons why nothing moves in some clips, as reported by the system."""
        return still_clips(self._system)

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        return _mirrored(self._system.clips(positions, _mirrored(real)))


class BetterDirection:
    """A system that takes the better clip of two directions.

    Args:
      system: The system in its own direction.
      other: The same in the other direction, mirrored back so that its clips compare with the same
        real ones; None if there is none.
      protocol: Says over which frames and values the MSE is computed.

    Attributes:
      mirrored: Whether the clip of the other direction was taken, by position. A choice once made
        is kept.
    """

    def __init__(self, system: System, other: System | None, protocol: EvaluationProtocol):
        self._system, self._other, self._protocol = system, other, protocol
        self.name = system.name
        self.needs_whole_batches = getattr(system, "needs_whole_batches", False)
        self.mirrored: dict[int, bool] = {}

    @property
    def description(self) -> str:
        """Where the clips come from, and how many are from the other direction so far."""
        if self._other is None:
            return f"{self._system.description}; in this direction only"
        count = f"{sum(self.mirrored.values())} of {len(self.mirrored)} clips"
        other = self._other.description
        return f"{self._system.description}; {count} from the other direction ({other})"

    @property
    def still(self) -> dict[int, str]:
        """Why nothing moves in some of the clips taken."""
        still = {False: still_clips(self._system), True: still_clips(self._other)}
        return {p: still[other][p] for p, other in self.mirrored.items() if p in still[other]}

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        clips = self._system.clips(positions, real)
        if self._other is None:
            self.mirrored |= dict.fromkeys(positions, False)
            return clips
        other = self._other.clips(positions, real)
        for index, position in enumerate(positions):
            if position not in self.mirrored:
                errors = (self._error(real[index], each[index]) for each in (clips, other))
                self.mirrored[position] = _is_second_better(*errors)
        take_other = np.array([self.mirrored[position] for position in positions])
        return np.where(take_other[:, None, None, None, None], other, clips)

    def _error(self, real: np.ndarray, fake: np.ndarray) -> float:
        values = self._protocol.values
        errors = mean_squared_error(values(to_float(real)), values(fake))
        return float(errors[self._protocol.frames].mean())


def _is_second_better(first: float, second: float) -> bool:
    # NaN is taken as well, so that it does not go unnoticed.
    return second < first or not np.isfinite(second)


def _mirrored(clips: np.ndarray) -> np.ndarray:
    """`[B, T, H, W, 3]` with left and right exchanged."""
    return np.ascontiguousarray(clips[:, :, :, ::-1])
