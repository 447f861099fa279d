"""The models that come with the package: a `.keras` file and a card, `.json`, of each.

Their names begin with `box`; `box` alone is the default one. A plain word of this form always
means such a model: a file or folder of the same name is written as a path, `./box`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.resources
import re
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from ssagan_tf import limits
from ssagan_tf.errors import DataError
from ssagan_tf.files import sha256_of

BOX = "box"
DEFAULT = "box64"
FORMAT = 1
FOLDER: Traversable = importlib.resources.files(__name__)
_NAME = re.compile(r"box[0-9]*(-[a-z0-9]+)*")
_AGAIN = "install ssagan_tf again"


@dataclasses.dataclass(frozen=True)
class Box:
    """A model of the package.

    Attributes:
      name: Of its files.
      card: What it is: see `export/to_box.py`, which writes it.
    """

    name: str
    card: dict[str, Any]

    @property
    def about(self) -> str:
        """Which model it is, in words."""
        return f"{self.name} of {self.card['made']} (SHA-256 {self.card['sha256'][:12]})"

    @contextlib.contextmanager
    def file(self) -> Iterator[Path]:
        """Its `.keras` file, for as long as it is needed.

        Raises:
          DataError: It is missing, or is not the one that the card is of.
        """
        resource = FOLDER / f"{self.name}.keras"
        if not resource.is_file():
            raise DataError(f"{resource} is missing; {_AGAIN}")
        with importlib.resources.as_file(resource) as path:
            if sha256_of(path) != self.card["sha256"]:
                raise DataError(f"{path} is damaged: its SHA-256 is not that of its card; {_AGAIN}")
            yield path


def is_name(text: str) -> bool:
    """Whether a word means a model of the package, be there one or not."""
    return _NAME.fullmatch(text) is not None


def boxes() -> dict[str, Box]:
    """All models of the package by name, the default one first.

    Raises:
      DataError: A card is damaged.
    """
    names = [each.name.removesuffix(".json") for each in FOLDER.iterdir() if _is_card(each)]
    return {name: _read(name) for name in sorted(names, key=lambda name: (name != DEFAULT, name))}


def find(name: str) -> Box:
    """The model of a name.

    Raises:
      DataError: There is none, or its card is damaged.
    """
    there = boxes()
    if not there:
        raise DataError(
            f"{name}: this ssagan_tf comes without a model; name a run or a FILE.keras, or put a "
            "model in it by python -m export.to_box"
        )
    wanted = DEFAULT if name == BOX else name
    if wanted not in there:
        raise DataError(
            f"{name}: no such model comes with ssagan_tf; there are {', '.join(there)} (a file or "
            f"folder of this name is ./{name})"
        )
    return there[wanted]


def _is_card(each: Traversable) -> bool:
    return each.name.endswith(".json") and is_name(each.name.removesuffix(".json"))


def _read(name: str) -> Box:
    resource = FOLDER / f"{name}.json"
    try:
        card = limits.parse_json(resource.read_text(encoding="utf-8"))
        if card["format"] != FORMAT or card["name"] != name:
            raise ValueError("it is of another model or version")
        if not isinstance(card["sha256"], str) or not isinstance(card["made"], str):
            raise TypeError("it lacks a checksum or a date")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"cannot read the card {resource}: {error}; {_AGAIN}") from error
    return Box(name, card)
