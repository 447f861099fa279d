"""What is shown to whom: pairs, their order, and which clip is on the left."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from ssagan_tf.options import OptionError

BROKEN = "(broken)"  # the plainly worse clip of a catch pair
_ORDER, _SIDES, _PAIRS = range(3)  # uses of the seed that must not share their numbers


@dataclasses.dataclass(frozen=True)
class Pair:
    """The same clip of two systems. In a catch pair the second is `BROKEN`."""

    first: str
    second: str
    clip: str

    @property
    def is_catch(self) -> bool:
        return self.second == BROKEN


def read_cases(values: Sequence[str], systems: Sequence[str]) -> list[tuple[str, str]]:
    """The cases: `A:B` each, or every system with every other.

    Raises:
      OptionError: A case is not of two of the systems, or is there twice.
    """
    if not values:
        return list(itertools.combinations(systems, 2))
    cases: list[tuple[str, str]] = []
    for value in values:
        first, _, second = value.partition(":")
        if first == second or not {first, second} <= set(systems):
            raise OptionError("cases", value, f"must be A:B, of {', '.join(systems)}")
        if {first, second} in map(set, cases):
            raise OptionError("cases", value, "is there twice")
        cases.append((first, second))
    return cases


def draw_pairs(
    cases: Sequence[tuple[str, str]],
    clips: Sequence[str],
    pairs: int,
    catch_pairs: int,
    seed: int,
) -> list[Pair]:
    """Draws the pairs of a study: for each case clips of its own, then the catch pairs.

    Args:
      cases: Names of two systems each.
      clips: Clips that all systems have.
      pairs: Pairs per case.
      catch_pairs: Catch pairs, of the real clips, or of the first system where `real` is none.
      seed: Of the draws.

    Raises:
      OptionError: There are too few clips.
    """
    for name, number in (("pairs", pairs), ("catch_pairs", catch_pairs)):
        if number > len(clips):
            raise OptionError(name, number, f"all folders have only {len(clips)} clips in common")
    systems = [name for case in cases for name in case]
    whole = "real" if "real" in systems else systems[0]
    rng = np.random.default_rng([seed, _PAIRS])
    numbers = [pairs] * len(cases) + [catch_pairs]
    return [
        Pair(first, second, clips[index])
        for (first, second), number in zip([*cases, (whole, BROKEN)], numbers, strict=True)
        for index in rng.choice(len(clips), number, replace=False)
    ]


def order_for(subject: int, pairs: Sequence[Pair], seed: int) -> list[tuple[int, bool]]:
    """What one subject sees.

    In every case half of the pairs have the first system on the left. Of each two subjects in a
    row one sees every pair the other way round.

    Args:
      subject: Number of the subject, from 1.
      pairs: Of the study.
      seed: Of the study.

    Returns:
      Index of the pair, and whether its first system is on the left, in order.
    """
    couple, is_second = divmod(subject - 1, 2)
    sides = np.random.default_rng([seed, _SIDES, couple])
    left = np.empty(len(pairs), bool)
    for case in dict.fromkeys((pair.first, pair.second) for pair in pairs):
        own = [i for i, pair in enumerate(pairs) if (pair.first, pair.second) == case]
        half = np.arange(len(own)) % 2 == sides.integers(2)
        left[own] = sides.permutation(half) ^ bool(is_second)
    order = np.random.default_rng([seed, _ORDER, subject]).permutation(len(pairs))
    return [(int(index), bool(left[index])) for index in order]
