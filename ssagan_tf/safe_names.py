"""Checks of names that are read from files: they must be relative paths of portable names.

Names are checked where they are read. A valid name is inside the folder it is joined to, and not a
device, on any operating system. Where case is ignored, two valid names may still be the same file.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

_MAX_PART, _MAX_PATH = 255, 4096  # bytes
_MAX_SHOWN = 80  # characters of a name in a message
_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.I)
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # controls, lone surrogates, line and paragraph separators


def fault(name: object) -> str | None:
    """Returns what is wrong with a name, to come after it in a message; None if it is valid."""
    if not isinstance(name, str):
        return "is not a string"
    if not name:
        return "is empty"
    if any(unicodedata.category(letter) in _UNPRINTABLE for letter in name):
        return "has an unprintable character"
    if "\\" in name:
        return "has a backslash"
    if name.startswith("/"):
        return "is an absolute path"
    if _DRIVE.match(name):
        return "begins with a drive letter"
    if len(name.encode()) > _MAX_PATH:
        return f"is longer than {_MAX_PATH} bytes"
    for part in name.split("/"):
        if part in ("", ".", ".."):
            return "leads out of its folder" if part == ".." else "has an empty part"
        if part[-1] in ". ":
            return "has a part that ends with a dot or a space"
        if _DEVICE.fullmatch(part):
            return "is a device name on some systems"
        if len(part.encode()) > _MAX_PART:
            return f"has a part longer than {_MAX_PART} bytes"
    return None


def checked(name: object, what: str = "name") -> str:
    """Returns the name if it is valid, a relative path with slashes.

    Args:
      name: The name as it was read.
      what: What kind of name it is, for the message.

    Raises:
      ValueError: It is invalid. The message has the name, with unprintable characters escaped.
    """
    if why := fault(name):
        raise ValueError(f"the {what} {shown(name)} {why}")
    return str(name)


def checked_video(name: object) -> str:
    """Returns the name of a clip's video if it is valid; it may be a dot, the source itself.

    Raises:
      ValueError: It is invalid.
    """
    return "." if name == "." else checked(name, "video name")


def check_folders(folder: Path, name: str, what: str = "name") -> None:
    """Checks that no linked subfolder makes a valid name lead out of its folder.

    The file itself may be a link, as those to data are common.

    Raises:
      ValueError: One does.
    """
    if "/" in name and not (folder / name).parent.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"the {what} {shown(name)} leads out of {folder} through a link")


def shown(name: object) -> str:
    """Returns a name for messages: quoted, on one line, and shortened."""
    text = str(name)
    return f"'{escaped(text[:_MAX_SHOWN])}{'…' if len(text) > _MAX_SHOWN else ''}'"


def escaped(text: str) -> str:
    """Returns a text with unprintable characters escaped as in Python."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
