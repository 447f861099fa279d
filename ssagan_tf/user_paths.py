"""Paths as people give them: from home, as another system spells them, in lists, as patterns."""

from __future__ import annotations

import contextlib
import glob
import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from ssagan_tf.options import ADDRESS

_LONGEST = 255  # bytes of a name


def resolve(text: str) -> str:
    """A path of this machine. Addresses, and whatever else nothing is called like, stay as given.

    `~` is the home folder. What is there under a name that is written the same, but coded otherwise
    (macOS has é as two characters, which most systems have as one), is meant.
    """
    return text if ADDRESS.match(text) else _existing_spelling(os.path.expanduser(text))


def resolve_named(text: str) -> str:
    """Likewise `PATH`, or that of `NAME=PATH`."""
    name, sign, rest = text.partition("=")
    found = resolve(text)
    if not sign or os.sep in name or os.path.lexists(found):
        return found
    return f"{name}={resolve(rest)}"


def split_paths(text: str) -> list[str]:
    """Splits a list of `PATH` or `NAME=PATH` at its commas, but not a name that is there.

    A pattern that fits something counts as one that is there.

    Returns:
      Each as `resolve_named` has it.
    """
    parts, found = text.split(","), []
    while parts:
        number = _parts_of_first(parts)
        first = ",".join(parts[:number])
        found.append(resolve_named(first if _exists(first) else first.strip()))
        del parts[:number]
    return list(filter(None, found))


def expand_pattern(name: str) -> list[str]:
    """The files that a pattern fits, in order; else, or where it is there itself, the name.

    Folders that are there are meant as they are called, whatever is in their names.
    """
    if os.path.lexists(name) or not glob.has_magic(name):
        return [name]
    there = next(filter(os.path.isdir, map(str, Path(name).parents)), ".")
    pattern = name
    if there != ".":
        pattern = os.path.join(glob.escape(there), os.path.relpath(name, there))
    return sorted(glob.glob(pattern)) or [name]


def _parts_of_first(parts: list[str]) -> int:
    """How many parts the first entry of a list has: the most that make a name that is there."""
    if os.path.isfile(parts[0]):
        return 1
    longest = 1
    for number in range(2, len(parts) + 1):
        text = ",".join(parts[:number])
        if not any(map(_may_be_prefix, _readings(text))):  # nor may any longer one
            break
        if _exists(text):
            longest = number
    return longest


def _readings(text: str) -> Iterable[str]:
    """A list's entry as `PATH` and as that of `NAME=PATH`."""
    name, _, rest = text.partition("=")
    return (resolve(each) for each in (text, "" if {",", os.sep} & set(name) else rest) if each)


def _may_be_prefix(name: str) -> bool:
    """Whether a name, or a longer one, may be there."""
    folder, last = os.path.split(name)
    if len(os.fsencode(last)) > _LONGEST or ADDRESS.match(name):
        return False
    return not folder or os.path.isdir(folder) or glob.has_magic(folder)


def _exists(text: str) -> bool:
    return any(os.path.lexists(expand_pattern(name)[0]) for name in _readings(text))


def _existing_spelling(text: str) -> str:
    if text.isascii() or os.path.lexists(text):
        return text
    folder, name = os.path.split(text)
    folder = _existing_spelling(folder)
    alike = []
    with contextlib.suppress(OSError):
        alike = [
            each
            for each in os.listdir(folder or ".")
            if normalized_name(each) == normalized_name(name)
        ]
    return os.path.join(folder, alike[0] if len(alike) == 1 else name)


def normalized_name(name: str) -> str:
    """The same text for all ways to code a name."""
    return unicodedata.normalize("NFC", name)
