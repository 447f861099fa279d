"""What `measure.py` runs and times."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Workload:
    """A computation that is ready to run: weights and inputs exist, graphs are traced.

    Attributes:
      run: Runs it once, and returns when it is done.
      warm_up: Enough work for `run` to reach full speed. None: `run` itself, whose first run counts
        as a repetition if it takes so long that warming up makes no difference.
      operations: Floating-point operations of `run`, where a rate is measured.
    """

    run: Callable[[], object]
    warm_up: Callable[[], object] | None = None
    operations: int | None = None


def matrix_products(
    positions: int, features: int
) -> dict[str, tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """The matrix products of attention, whose rate is the machine's reference speed.

    Returns:
      By name: number of operations, and the shapes of the two factors.
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
