"""A checksum of generated clips, to check that this version draws the same as another."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ssagan_tf.skies.scene import sample_scene

CHECKED_CLIPS = 48  # the first ones
BENCHMARK_CHECKSUMS = {  # of `options.BENCHMARKS`
    "procedural-skies-64-v1": "079c28cd5a7af87bc84dcd36cb2d9403974227dd3a03797edf996f52cf87c063",
}


def parameters(seed: int, indices: Iterable[int]) -> str:
    """Returns the SHA-256 of all parameters of canonical clips, to six digits, and their names.

    The last digits of a float may differ between machines.
    """
    digest = hashlib.sha256()
    for index in indices:
        for line in _leaves(sample_scene(seed, index)):
            digest.update(f"{line}\n".encode())
    return digest.hexdigest()


def matches(benchmark: str, seed: int) -> bool:
    """Returns whether this version draws the clips of a benchmark unchanged."""
    return parameters(seed, range(CHECKED_CLIPS)) == BENCHMARK_CHECKSUMS[benchmark]


def _leaves(value: Any) -> Iterator[str]:
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield field.name
            yield from _leaves(getattr(value, field.name))
    elif isinstance(value, (tuple, list, np.ndarray)):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, (float, np.floating)):
        yield f"{float(value) + 0.0:.6g}"  # -0.0 is 0
    else:
        yield str(value)
