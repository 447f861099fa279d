"""Writing a network as a `.keras` file of half the size, which is read like any other.

Keras stores weights as they are and casts what it reads to the type of the variable, so kernels in
float16 need nothing of the reader. Vectors stay as they are: they are a thousandth of the weights,
and among them are moving variances, which may be beyond float16.
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

MOST_LOST = 1e-3
"""Root mean square of what an array may lose, over its own: rounding to float16 is 2e-4."""


def save_float16(network: Network, path: Path) -> None:
    """Writes the file; the same network gives the same bytes.

    Kernels that would lose more than `MOST_LOST` stay as they are.

    Args:
      network: Built.
      path: Ends in `.keras`.

    Raises:
      ValueError: A weight is no finite number.
      OSError: It cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="ssagan_tf-") as folder:
        whole, weights = Path(folder) / "whole.keras", Path(folder) / WEIGHTS
        network.save(whole)
        with zipfile.ZipFile(whole) as archive:
            archive.extract(WEIGHTS, folder)
            members = {
                CONFIG: archive.read(CONFIG),
                METADATA: _timeless(archive.read(METADATA)),
                WEIGHTS: _halved(weights, Path(folder) / "half.h5"),
            }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # of 1980


def _timeless(metadata: bytes) -> bytes:
    return json.dumps({**json.loads(metadata), "date_saved": ""}).encode()


def _halved(weights: Path, half: Path) -> bytes:
    with h5py.File(weights, "r") as source, h5py.File(half, "w") as target:

        def copy(name: str, each: Any) -> None:
            if isinstance(each, h5py.Group):
                target.create_group(name)
            else:
                target[name] = _stored(name, each[()])

        source.visititems(copy)
    return half.read_bytes()


def _stored(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} holds a number that is not finite")
    if array.dtype != np.float32 or array.ndim < 2:
        return array
    with np.errstate(over="ignore"):
        half = array.astype("float16")
    lost = np.square(half.astype("float64") - array).mean()
    return half if lost <= MOST_LOST**2 * np.square(array.astype("float64")).mean() else array
