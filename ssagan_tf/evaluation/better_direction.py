"""The better of two directions: which way clouds drift cannot be seen in a photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssagan_tf.evaluation.metrics.similarity import mean_squared_error
from ssagan_tf.evaluation.protocols import EvaluationProtocol
from ssagan_tf.evaluation.systems import System, still_clips
from ssagan_tf.pixels import to_float

RULE = (
    "the better one: every system makes each clip in both mirrored directions (the photo mirrored, "
    "its clip mirrored back), and the one of less MSE over the protocol's frames is taken; "
    "baselines that see the real clip stand as they are, and so do clips of a folder, unless "
    "--generated_mirrored names those of the other direction"
)


class Mirrored:
    """A system in the other direction: the photo mirrored, its clip mirrored back."""

    about = "the photo mirrored, its clip mirrored back"

    def __init__(self, system: System):
        self._system, self.name = system, system.name

    @property
    def still(self) -> dict[int, str]:
        """As the system says, in its words."""
        return still_clips(self._system)

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        return _mirrored(self._system.clips(positions, _mirrored(real)))


class BetterDirection:
    """A system whose clips are the better ones of two directions.

    Args:
      given: The clips as they are.
      other: Those of the other direction, as they compare with the same real ones; None: there are
        none.
      protocol: By whose frames and values the MSE is taken.

    Attributes:
      mirrored: Whether the clip of the other direction was taken, by position. What was chosen
        once stays.
    """

    def __init__(self, given: System, other: System | None, protocol: EvaluationProtocol):
        self._given, self._other, self._protocol = given, other, protocol
        self.name = given.name
        self.needs_whole_batches = getattr(given, "needs_whole_batches", False)
        self.mirrored: dict[int, bool] = {}

    @property
    def about(self) -> str:
        """Where the clips come from, and how many are of the other direction so far."""
        if self._other is None:
            return f"{self._given.about}; in this direction only"
        count = f"{sum(self.mirrored.values())} of {len(self.mirrored)} clips"
        return f"{self._given.about}; {count} from the other direction ({self._other.about})"

    @property
    def still(self) -> dict[int, str]:
        """Why nothing moves, for the clips taken."""
        of = {False: still_clips(self._given), True: still_clips(self._other)}
        return {p: of[taken][p] for p, taken in self.mirrored.items() if p in of[taken]}

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        given = self._given.clips(positions, real)
        if self._other is None:
            self.mirrored |= dict.fromkeys(positions, False)
            return given
        other = self._other.clips(positions, real)
        for index, position in enumerate(positions):
            if position not in self.mirrored:
                errors = (self._error(real[index], clips[index]) for clips in (given, other))
                self.mirrored[position] = _second_is_taken(*errors)
        taken = np.array([self.mirrored[position] for position in positions])
        return np.where(taken[:, None, None, None, None], other, given)

    def _error(self, real: np.ndarray, fake: np.ndarray) -> float:
        values = self._protocol.values
        errors = mean_squared_error(values(to_float(real)), values(fake))
        return float(errors[self._protocol.frames].mean())


def _second_is_taken(first: float, second: float) -> bool:
    # What is no number is taken, too, so that it is found out about.
    return second < first or not np.isfinite(second)


def _mirrored(clips: np.ndarray) -> np.ndarray:
    """`[B, T, H, W, 3]`, left and right exchanged."""
    return np.ascontiguousarray(clips[:, :, :, ::-1])
