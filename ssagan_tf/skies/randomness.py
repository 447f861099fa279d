"""Random numbers that are the same on every machine and with every version of NumPy.

NumPy guarantees the raw bits of PCG64 forever, but not the distributions of its `Generator`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

Name = TypeVar("Name", bound=str)


class RandomStream:
    """A stream of random numbers that is a pure function of its key.

    Args:
      *key: Integers of at least 0.
    """

    def __init__(self, *key: int):
        self._key = key
        # NumPy pads short keys with zeros: without the length, a stream would equal its part 0.
        self._bits = np.random.PCG64(np.random.SeedSequence((len(key), *key)))

    def part(self, *number: int) -> RandomStream:
        """Returns an independent stream, whatever has been drawn from this one."""
        return RandomStream(*self._key, *number)

    def uniform(
        self, low: float = 0.0, high: float = 1.0, size: int | tuple[int, ...] | None = None
    ) -> Any:
        """Returns numbers in [low, high): a float, or a float64 array of shape `size`."""
        if size is None:
            unit = (self._bits.random_raw() >> 11) * 2.0**-53
        else:
            bits = self._bits.random_raw(int(np.prod(size)))
            unit = (bits >> np.uint64(11)).astype(np.float64).reshape(size) * 2.0**-53
        return low + (high - low) * unit

    def normal(
        self, mean: float = 0.0, deviation: float = 1.0, size: int | tuple[int, ...] | None = None
    ) -> Any:
        """Returns normally distributed numbers (Box and Muller, 1958)."""
        number = 1 if size is None else int(np.prod(size))
        half = (number + 1) // 2
        radius = np.sqrt(-2 * np.log(1 - self.uniform(size=half)))
        angle = 2 * np.pi * self.uniform(size=half)
        pairs = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:number]
        values = mean + deviation * pairs
        return float(values[0]) if size is None else values.reshape(size)

    def chance(self, probability: float) -> bool:
        """Returns True with this probability."""
        return self.uniform() < probability

    def choice(self, weights: Mapping[Name, float]) -> Name:
        """Returns one of the names, with a probability in proportion to its weight."""
        rest = self.uniform(0, sum(weights.values()))
        names = list(weights)
        while len(names) > 1 and rest >= weights[names[0]]:
            rest -= weights[names.pop(0)]
        return names[0]
