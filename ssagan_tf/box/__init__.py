"""The bundled models: for each, a `.keras` file and its model card, a `.json` file.

Their names start with `box`; `box` alone is the default one. Such a name always means a bundled
model: give a file or folder of the same name as a path, such as `./box`.
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
_REINSTALL = "reinstall ssagan_tf"


@dataclasses.dataclass(frozen=True)
class BundledModel:
    """A model that is part of the package.

    Attributes:
      name: Name of its files, without suffix.
      card: Its model card, as written by `export/to_box.py`.
    """

    name: str
    card: dict[str, Any]

    @property
    def about(self) -> str:
        """Describes which model this is."""
        return f"{self.name} of {self.card['made']} (SHA-256 {self.card['sha256'][:12]})"

    @contextlib.contextmanager
    def file(self) -> Iterator[Path]:
        """Returns a context with the path of its `.keras` file.

        Raises:
          DataError: The file is missing, or differs from the one that the card describes.
        """
        resource = FOLDER / f"{self.name}.keras"
        if not resource.is_file():
            raise DataError(f"{resource}: not found; {_REINSTALL}")
        with importlib.resources.as_file(resource) as path:
            if sha256_of(path) != self.card["sha256"]:
                raise DataError(
                    f"{path} is damaged: its SHA-256 is not the one in its card; {_REINSTALL}"
                )
            yield path


def is_name(text: str) -> bool:
    """Returns whether a name means a bundled model, whether or not it exists."""
    return _NAME.fullmatch(text) is not None


def bundled_models() -> dict[str, BundledModel]:
    """Returns all bundled models by name, the default one first.

    Raises:
      DataError: A card is damaged.
    """
    names = [each.name.removesuffix(".json") for each in FOLDER.iterdir() if _is_card(each)]
    return {name: _read(name) for name in sorted(names, key=lambda name: (name != DEFAULT, name))}


def find(name: str) -> BundledModel:
    """Returns the bundled model of this name.

    Raises:
      DataError: It does not exist, or its card is damaged.
    """
    models = bundled_models()
    if not models:
        raise DataError(
            f"{name}: this copy of ssagan_tf has no bundled models; give a run or a FILE.keras"
        )
    full_name = DEFAULT if name == BOX else name
    if full_name not in models:
        raise DataError(
            f"{name}: not a bundled model, expected one of {', '.join(models)} (a file or folder "
            f"of this name is ./{name})"
        )
    return models[full_name]


def _is_card(file: Traversable) -> bool:
    return file.name.endswith(".json") and is_name(file.name.removesuffix(".json"))


def _read(name: str) -> BundledModel:
    resource = FOLDER / f"{name}.json"
    try:
        card = limits.parse_json(resource.read_text(encoding="utf-8"))
        if card["format"] != FORMAT or card["name"] != name:
            raise ValueError("it describes another model or has another format")
        if not isinstance(card["sha256"], str) or not isinstance(card["made"], str):
            raise TypeError("it has no checksum or no date")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"cannot read the card {resource}: {error}; {_REINSTALL}") from error
    return BundledModel(name, card)
