"""Names that come out of a file: a relative path of plain names, or they are refused.

A name is checked once, where it is read. What passes is below the folder it is put in and no
device, on any system; two names may still be one where case does not count.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

_LONGEST, _DEEPEST = 255, 4096  # bytes of a component, as file systems have it, and of a path
_SHOWN = 80  # characters of a name in a message
_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.I)
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # controls, lone surrogates, ends of lines and paragraphs


def fault(name: object) -> str | None:
    """What is wrong with a name, to follow it in a message; None if nothing is."""
    if not isinstance(name, str):
        return "is no text"
    if not name:
        return "is empty"
    if any(unicodedata.category(letter) in _UNPRINTABLE for letter in name):
        return "has a character that cannot be printed"
    if "\\" in name:
        return "has a backslash"
    if name.startswith("/"):
        return "is an absolute path"
    if _DRIVE.match(name):
        return "begins with a drive"
    if len(name.encode()) > _DEEPEST:
        return f"is longer than {_DEEPEST} bytes"
    for part in name.split("/"):
        if part in ("", ".", ".."):
            return "leaves its folder" if part == ".." else "has an empty part"
        if part[-1] in ". ":
            return "has a part that ends with a dot or a space"
        if _DEVICE.fullmatch(part):
            return "is that of a device on some systems"
        if len(part.encode()) > _LONGEST:
            return f"has a part longer than {_LONGEST} bytes"
    return None


def checked(name: object, what: str = "name") -> str:
    """The name itself, a relative path with slashes.

    Args:
      name: As it was read.
      what: What it is the name of, for the message.

    Raises:
      ValueError: It is refused; the message has the name with what cannot be printed escaped.
    """
    if why := fault(name):
        raise ValueError(f"the {what} {shown(name)} {why}")
    return str(name)


def checked_video(name: object) -> str:
    """The name of a clip's video, which may be that of the footage's own folder: a dot.

    Raises:
      ValueError: It is refused.
    """
    return "." if name == "." else checked(name, "video name")


def check_folders(folder: Path, name: str, what: str = "name") -> None:
    """Refuses a checked name that a linked folder leads out of the folder it is below.

    The file itself may be a link: people link data.

    Raises:
      ValueError: It leads out.
    """
    if "/" in name and not (folder / name).parent.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"the {what} {shown(name)} leads out of {folder} by a link")


def shown(name: object) -> str:
    """A name as it can be printed: quoted, on one line, cut where it is long."""
    text = str(name)
    return f"'{escaped(text[:_SHOWN])}{'…' if len(text) > _SHOWN else ''}'"


def escaped(text: str) -> str:
    """A text with what cannot be printed as Python writes it."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
