"""What a `.keras` file holds, checked before any of it is used: it may be a stranger's.

Keras makes whatever objects a file names, and HDF5 reads whatever files it links to. Here a file
is three members of a zip archive, plain settings, and plain arrays that are all in it.
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
LARGEST_CONFIG = 1 << 16  # bytes; that of two stages takes 1,500


def check_members(archive: zipfile.ZipFile) -> None:
    """Raises ValueError unless the members are those that Keras writes, uncompressed."""
    names = [member.filename for member in archive.infolist()]
    if wrong := sorted(set(names) - MEMBERS):
        raise ValueError(f"it holds {wrong[0][:50]!r}, which no generator needs")
    if missing := sorted(MEMBERS - set(names)):
        raise ValueError(f"it lacks {missing[0]}")
    if len(names) > len(MEMBERS):
        raise ValueError("it holds two members of one name")
    for member in archive.infolist():
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"its {member.filename} is compressed, which Keras does not do")


def read_config(archive: zipfile.ZipFile) -> Any:
    """What its settings say, as plain values.

    Raises:
      ValueError: They are too long or no JSON.
    """
    if archive.getinfo(CONFIG).file_size > LARGEST_CONFIG:
        raise ValueError(f"its {CONFIG} is longer than {LARGEST_CONFIG} bytes")
    try:
        return limits.parse_json(archive.read(CONFIG).decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"its {CONFIG} cannot be read: {error}") from error


def extract_weights(archive: zipfile.ZipFile, folder: Path) -> Path:
    """Copies the weights into a folder, and returns their path.

    Raises:
      ValueError: There is no room for them.
    """
    path = folder / WEIGHTS
    try:
        with archive.open(WEIGHTS) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except OSError as error:
        where = f"{folder.parent}, where its weights are copied first (TMPDIR names another place)"
        raise ValueError(f"{error.strerror or error} in {where}") from error
    return path


def weighed(path: Path) -> int:
    """Numbers, whole ones apart, in all arrays of a file of weights.

    Raises:
      ValueError: It holds something else than groups and plain arrays that are all in it: links,
        arrays in other files, made of others, compressed, or larger than the file.
    """
    weights, total, most = 0, 0, path.stat().st_size
    with h5py.File(path, "r") as file:
        groups: list[h5py.Group] = [file]
        while groups:
            group = groups.pop()
            for name in group:
                where = f"its {WEIGHTS} at {f'{group.name}/{name}'[:80]!r}"
                if type(group.get(name, getlink=True)) is not h5py.HardLink:
                    raise ValueError(f"{where} links to elsewhere")
                each = group[name]
                if h5py.h5o.get_info(each.id).rc != 1:  # a group may hold itself
                    raise ValueError(f"{where} has two names")
                if isinstance(each, h5py.Group):
                    groups.append(each)
                    continue
                total += _size(each, where)
                if total > most:
                    raise ValueError(f"{where} claims more than the file holds")
                weights += math.prod(each.shape) if each.dtype.kind == "f" else 0
    return weights


def _size(array: Any, where: str) -> int:
    if not isinstance(array, h5py.Dataset) or array.shape is None or array.dtype.kind not in "fiub":
        raise ValueError(f"{where} is no array of numbers")
    plan = array.id.get_create_plist()
    if plan.get_external_count():
        raise ValueError(f"{where} is in another file")
    if plan.get_layout() != h5py.h5d.CONTIGUOUS:
        raise ValueError(f"{where} is not stored as it is")
    size = math.prod(array.shape) * array.dtype.itemsize
    if array.id.get_storage_size() != size:
        raise ValueError(f"{where} claims more than the file holds")
    return size
