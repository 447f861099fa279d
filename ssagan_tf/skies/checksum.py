"""A checksum of what clips show, which tells whether this version draws what another drew."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ssagan_tf.skies.scene import sample_scene

CHECKED = 48  # clips from the first on
# Of the sets that are frozen (`options.BENCHMARKS`), by name.
FROZEN = {
    "procedural-skies-64-v1": "079c28cd5a7af87bc84dcd36cb2d9403974227dd3a03797edf996f52cf87c063",
}


def parameters(seed: int, indices: Iterable[int]) -> str:
    """SHA-256 over all parameters of canonical clips, with six digits of each, and their names.

    The last digits of a double may differ between machines; six do not.
    """
    digest = hashlib.sha256()
    for index in indices:
        for line in _leaves(sample_scene(seed, index)):
            digest.update(f"{line}\n".encode())
    return digest.hexdigest()


def draws_others(benchmark: str, seed: int) -> bool:
    """Whether this version would draw other clips than those of a frozen set."""
    return parameters(seed, range(CHECKED)) != FROZEN[benchmark]


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
