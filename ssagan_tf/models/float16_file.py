"""Writes a network as a `.keras` file of half the size, which loads like any other.

Keras stores weights unchanged and casts what it loads to the variable's dtype, so kernels in
float16 need nothing special. Vectors are kept in float32: they are a thousandth of the weights, and
moving variances among them may exceed float16.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ssagan_tf.models.keras_file import CONFIG, METADATA, WEIGHTS
from ssagan_tf.models.network import Network

MAX_ERROR = 1e-3
"""Largest relative error (root mean square) of an array in float16; rounding is about 2e-4."""


def save_with_float16_kernels(network: Network, path: Path) -> None:
    """Writes the file. The same network gives the same bytes.

    Kernels whose error would exceed `MAX_ERROR` are kept in float32.

    Args:
      network: Built.
      path: Path of the file, ending in `.keras`.

    Raises:
      ValueError: A weight is NaN or infinite.
      OSError: The file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="ssagan_tf-") as folder:
        original, weights = Path(folder) / "original.keras", Path(folder) / WEIGHTS
        network.save(original)
        with zipfile.ZipFile(original) as archive:
            archive.extract(WEIGHTS, folder)
            members = {
                CONFIG: archive.read(CONFIG),
                METADATA: _without_date(archive.read(METADATA)),
                WEIGHTS: _in_float16(weights, Path(folder) / "half.h5"),
            }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # dated 1980, whatever the time


def _without_date(metadata: bytes) -> bytes:
    return json.dumps({**json.loads(metadata), "date_saved": ""}).encode()


def _in_float16(weights: Path, half: Path) -> bytes:
    with h5py.File(weights, "r") as source, h5py.File(half, "w") as target:

        def copy(name: str, node: Any) -> None:
            if isinstance(node, h5py.Group):
                target.create_group(name)
            else:
                target[name] = _convert(name, node[()])

        source.visititems(copy)
    return half.read_bytes()


def _convert(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} has a value that is NaN or infinite")
    if array.dtype != np.float32 or array.ndim < 2:
        return array
    with np.errstate(over="ignore"):
        half = array.astype("float16")
    error = np.square(half.astype("float64") - array).mean()
    return half if error <= MAX_ERROR**2 * np.square(array.astype("float64")).mean() else array
