"""What a program under measurement looks like to `measure.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Workload:
    """One program, ready to run: weights and inputs exist, graphs are traced.

    Attributes:
      run: Does the work once and returns when it is done.
      warm_up: Enough of it that `run` is at full speed. None: `run` itself, which counts as a
        repetition where it takes so long that warming up makes no difference.
      operations: Of `run`, if its rate is wanted.
    """

    run: Callable[[], object]
    warm_up: Callable[[], object] | None = None
    operations: int | None = None


def products(
    positions: int, features: int
) -> dict[str, tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """The products of an attention, whose rate is what all else is held against.

    Returns:
      By name: operations and the shapes of the two factors.
    """
    pairs = {
        "[N, F] [F, N]": ((positions, features), (features, positions)),
        "[N, N] [N, F]": ((positions, positions), (positions, features)),
    }
    once = 2 * positions**2 * features
    return {
        **{name: (once, *pair) for name, pair in pairs.items()},
        **{f"2 × {n}": (2 * once, (2, *pair[0]), (2, *pair[1])) for n, pair in pairs.items()},
    }
