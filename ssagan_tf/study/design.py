"""What is shown to whom: pairs, their order, and which clip is on the left."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from ssagan_tf.evaluation.real_clips import REAL
from ssagan_tf.options import OptionError

BROKEN = "(broken)"  # the obviously worse clip of a catch pair
_ORDER, _SIDES, _PAIRS = range(3)  # uses of the seed, which need independent random numbers


@dataclasses.dataclass(frozen=True)
class Pair:
    """The same clip of two systems. In a catch pair the second system is `BROKEN`."""

    first: str
    second: str
    clip: str

    @property
    def is_catch(self) -> bool:
        return self.second == BROKEN


def read_cases(values: Sequence[str], systems: Sequence[str]) -> list[tuple[str, str]]:
    """Reads the cases, `A:B` each; without any, every system is compared with every other.

    Raises:
      OptionError: A case does not name two of the systems, or is a duplicate.
    """
    if not values:
        return list(itertools.combinations(systems, 2))
    cases: list[tuple[str, str]] = []
    for value in values:
        first, _, second = value.partition(":")
        if first == second or not {first, second} <= set(systems):
            raise OptionError("cases", value, f"must be A:B, with two of {', '.join(systems)}")
        if {first, second} in map(set, cases):
            raise OptionError("cases", value, "is a duplicate")
        cases.append((first, second))
    return cases


def draw_pairs(
    cases: Sequence[tuple[str, str]],
    clips: Sequence[str],
    pairs: int,
    catch_pairs: int,
    seed: int,
) -> list[Pair]:
    """Draws the pairs of a study at random: for each case, then the catch pairs.

    Args:
      cases: Names of two systems each.
      clips: Clips that all systems have.
      pairs: Number of pairs per case.
      catch_pairs: Number of catch pairs. They show real clips, or those of the first system if
        none is named `real`.
      seed: Seed of the random choice.

    Raises:
      OptionError: There are too few clips.
    """
    for name, number in (("pairs", pairs), ("catch_pairs", catch_pairs)):
        if number > len(clips):
            raise OptionError(name, number, f"the folders have only {len(clips)} clips in common")
    systems = [name for case in cases for name in case]
    intact = REAL if REAL in systems else systems[0]
    rng = np.random.default_rng([seed, _PAIRS])
    numbers = [pairs] * len(cases) + [catch_pairs]
    return [
        Pair(first, second, clips[index])
        for (first, second), number in zip([*cases, (intact, BROKEN)], numbers, strict=True)
        for index in rng.choice(len(clips), number, replace=False)
    ]


def order_for(subject: int, pairs: Sequence[Pair], seed: int) -> list[tuple[int, bool]]:
    """The order in which one subject sees the pairs, and the sides.

    In every case the first system is on the left in half of the pairs. Subjects 1 and 2, 3 and 4
    and so on see every pair with opposite sides.

    Args:
      subject: Number of the subject, from 1.
      pairs: All pairs of the study.
      seed: Seed of the study.

    Returns:
      For each trial, the index of its pair and whether the pair's first system is on the left.
    """
    group, is_second = divmod(subject - 1, 2)
    sides = np.random.default_rng([seed, _SIDES, group])
    left = np.empty(len(pairs), bool)
    for case in dict.fromkeys((pair.first, pair.second) for pair in pairs):
        of_case = [i for i, pair in enumerate(pairs) if (pair.first, pair.second) == case]
        half = np.arange(len(of_case)) % 2 == sides.integers(2)
        left[of_case] = sides.permutation(half) ^ bool(is_second)
    order = np.random.default_rng([seed, _ORDER, subject]).permutation(len(pairs))
    return [(int(index), bool(left[index])) for index in order]
