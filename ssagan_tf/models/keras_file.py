"""Checks a `.keras` file before any of it is used: it may be untrusted.

Keras creates whatever objects a file names, and HDF5 reads whatever files it links to. Here a file
must be a zip archive of three members, with plain settings, and plain arrays that are stored in it.
"""

from __future__ import annotations

import math
import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py

from ssagan_tf import limits

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MEMBERS = {CONFIG, METADATA, WEIGHTS}
MAX_CONFIG = 1 << 16  # bytes; that of two stages has 1,500


def check_members(archive: zipfile.ZipFile) -> None:
    """Raises ValueError unless the members are those that Keras writes, uncompressed."""
    names = [member.filename for member in archive.infolist()]
    if wrong := sorted(set(names) - MEMBERS):
        raise ValueError(f"unexpected member {wrong[0][:50]!r}")
    if missing := sorted(MEMBERS - set(names)):
        raise ValueError(f"{missing[0]} is missing")
    if len(names) > len(MEMBERS):
        raise ValueError("it has two members of the same name")
    for member in archive.infolist():
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"its {member.filename} is compressed; Keras writes it uncompressed")


def read_config(archive: zipfile.ZipFile) -> Any:
    """Returns its settings as plain values.

    Raises:
      ValueError: They are too long or invalid JSON.
    """
    if archive.getinfo(CONFIG).file_size > MAX_CONFIG:
        raise ValueError(f"its {CONFIG} is longer than {MAX_CONFIG} bytes")
    try:
        return limits.parse_json(archive.read(CONFIG).decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"its {CONFIG} cannot be read: {error}") from error


def extract_weights(archive: zipfile.ZipFile, folder: Path) -> Path:
    """Copies the weights into a folder, and returns their path.

    Raises:
      ValueError: There is not enough space.
    """
    path = folder / WEIGHTS
    try:
        with archive.open(WEIGHTS) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except OSError as error:
        where = f"{folder.parent}, to which its weights are copied (set TMPDIR for another folder)"
        raise ValueError(f"{error.strerror or error} in {where}") from error
    return path


def count_weights(path: Path) -> int:
    """Number of floating-point weights in a weights file.

    Raises:
      ValueError: It has anything but groups and plain arrays that are stored in it: links, arrays
        that are compressed, virtual, in other files, or larger than the file.
    """
    weights, total, file_size = 0, 0, path.stat().st_size
    with h5py.File(path, "r") as file:
        groups: list[h5py.Group] = [file]
        while groups:
            group = groups.pop()
            for name in group:
                where = f"its {WEIGHTS} at {f'{group.name}/{name}'[:80]!r}"
                if type(group.get(name, getlink=True)) is not h5py.HardLink:
                    raise ValueError(f"{where} is a link")
                node = group[name]
                if h5py.h5o.get_info(node.id).rc != 1:  # a group may contain itself
                    raise ValueError(f"{where} has two names")
                if isinstance(node, h5py.Group):
                    groups.append(node)
                    continue
                total += _size(node, where)
                if total > file_size:
                    raise ValueError(f"{where} claims to be larger than the file")
                weights += math.prod(node.shape) if node.dtype.kind == "f" else 0
    return weights


def _size(array: Any, where: str) -> int:
    if not isinstance(array, h5py.Dataset) or array.shape is None or array.dtype.kind not in "fiub":
        raise ValueError(f"{where} is not a numeric array")
    properties = array.id.get_create_plist()
    if properties.get_external_count():
        raise ValueError(f"{where} is stored in another file")
    if properties.get_layout() != h5py.h5d.CONTIGUOUS:
        raise ValueError(f"{where} is not stored contiguously")
    size = math.prod(array.shape) * array.dtype.itemsize
    if array.id.get_storage_size() != size:
        raise ValueError(f"{where} claims to be larger than the file")
    return size
