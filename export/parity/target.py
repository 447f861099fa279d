"""What check_parity needs to know about an export format."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np


@dataclasses.dataclass(frozen=True)
class Runner:
    """One way to run an exported generator.

    Attributes:
      name: Label of its row in the table.
      run: Maps square photos, uint8 `[B, S, S, 3]`, to clips `[B, T, S, S, 3]`: floats in [-1, 1],
        or uint8.
      gives_pixels: Whether the clips are uint8.
    """

    name: str
    run: Callable[[np.ndarray], np.ndarray]
    gives_pixels: bool = False


@dataclasses.dataclass(frozen=True)
class Exported:
    """An exported generator.

    Attributes:
      fingerprint: Fingerprint of the generator that it was exported from, as the export states it.
      types: Data types of its weights and arithmetic.
      load: Loads it and returns the ways to run it. Called only if the fingerprint is the right
        one, so do here what runs code of the export.
    """

    fingerprint: str
    types: frozenset[str]
    load: Callable[[], list[Runner]]


@dataclasses.dataclass(frozen=True)
class Target:
    """An export format.

    Attributes:
      flag: Flag of check_parity that names the exported file or folder.
      help: Help text of the flag.
      open: Reads what the export at a path says about itself; raises `DataError` if it cannot.
    """

    flag: str
    help: str
    open: Callable[[Path], Exported]
