"""Paths as users type them: `~`, Unicode spellings of other systems, lists, patterns."""

from __future__ import annotations

import contextlib
import glob
import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from ssagan_tf.options import ADDRESS

_MAX_NAME = 255  # bytes


def resolve(text: str) -> str:
    """Returns a path of this machine: expands `~`, and finds names in another Unicode form.

    macOS writes é as two characters, most other systems as one; if only the other form exists, it
    is meant. URLs and names that do not exist are returned unchanged.
    """
    return text if ADDRESS.match(text) else _existing_spelling(os.path.expanduser(text))


def resolve_named(text: str) -> str:
    """Resolves `PATH`, or the path of `NAME=PATH`."""
    name, sign, rest = text.partition("=")
    found = resolve(text)
    if not sign or os.sep in name or os.path.lexists(found):
        return found
    return f"{name}={resolve(rest)}"


def split_paths(text: str) -> list[str]:
    """Splits a list of `PATH` or `NAME=PATH` at its commas, except within existing names.

    A pattern that matches something counts as an existing name.

    Returns:
      The entries, resolved by `resolve_named`.
    """
    parts, found = text.split(","), []
    while parts:
        number = _parts_of_first(parts)
        first = ",".join(parts[:number])
        found.append(resolve_named(first if _exists(first) else first.strip()))
        del parts[:number]
    return list(filter(None, found))


def expand_pattern(name: str) -> list[str]:
    """Returns the sorted files that match a pattern; the name itself if it exists or none matches.

    Special characters in the names of existing folders are taken literally.
    """
    if os.path.lexists(name) or not glob.has_magic(name):
        return [name]
    existing = next(filter(os.path.isdir, map(str, Path(name).parents)), ".")
    pattern = name
    if existing != ".":
        pattern = os.path.join(glob.escape(existing), os.path.relpath(name, existing))
    return sorted(glob.glob(pattern)) or [name]


def _parts_of_first(parts: list[str]) -> int:
    """Returns how many parts form the first entry: the most that form an existing name."""
    if os.path.isfile(parts[0]):
        return 1
    longest = 1
    for number in range(2, len(parts) + 1):
        text = ",".join(parts[:number])
        if not any(map(_may_be_prefix, _readings(text))):  # nor does any longer one exist
            break
        if _exists(text):
            longest = number
    return longest


def _readings(text: str) -> Iterable[str]:
    """Yields an entry's path, read as `PATH` and as `NAME=PATH`."""
    name, _, rest = text.partition("=")
    return (resolve(each) for each in (text, "" if {",", os.sep} & set(name) else rest) if each)


def _may_be_prefix(name: str) -> bool:
    """Returns whether a name, or a longer one that begins with it, may exist."""
    folder, last = os.path.split(name)
    if len(os.fsencode(last)) > _MAX_NAME or ADDRESS.match(name):
        return False
    return not folder or os.path.isdir(folder) or glob.has_magic(folder)


def _exists(text: str) -> bool:
    return any(os.path.lexists(expand_pattern(name)[0]) for name in _readings(text))


def _existing_spelling(text: str) -> str:
    if text.isascii() or os.path.lexists(text):
        return text
    folder, name = os.path.split(text)
    folder = _existing_spelling(folder)
    matches = []
    with contextlib.suppress(OSError):
        matches = [
            each
            for each in os.listdir(folder or ".")
            if normalized_name(each) == normalized_name(name)
        ]
    return os.path.join(folder, matches[0] if len(matches) == 1 else name)


def normalized_name(name: str) -> str:
    """Returns the canonical Unicode form of a name (NFC)."""
    return unicodedata.normalize("NFC", name)
