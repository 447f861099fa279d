"""SavedModels, run by TensorFlow."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ssagan_tf import video
from ssagan_tf.errors import DataError
from ssagan_tf.files import without_wildcards
from ssagan_tf.pixels import to_float

from .target import Exported, Runner, Target


def _open(folder: Path) -> Exported:
    from ..model_card import SETTINGS_FILE

    with _loading(folder):
        path = folder / "assets.extra" / SETTINGS_FILE
        settings = json.loads(path.read_text(encoding="utf-8"))
        types = frozenset([str(settings["weights"]), str(settings["precision"])])
        fingerprint = str(settings.get("fingerprint"))
    return Exported(fingerprint, types, lambda: _load(folder, types))


def _load(folder: Path, types: frozenset[str]) -> list[Runner]:
    import tensorflow as tf
    from absl import logging

    logging.set_verbosity(logging.ERROR)  # hides a warning that it cannot be trained
    with _loading(folder), without_wildcards(folder) as readable:
        loaded = tf.saved_model.load(str(readable))

    def clips(photos: np.ndarray) -> np.ndarray:
        return loaded.signatures["tensor"](image=tf.constant(to_float(photos)))["clip"].numpy()

    def pixels(photos: np.ndarray) -> np.ndarray:
        files = tf.constant([video.encode_png(photo) for photo in photos])
        return loaded.signatures["serving_default"](image_bytes=files)["video"].numpy()

    return [
        Runner(f"SavedModel, tensor ({', '.join(sorted(types))})", clips),
        Runner("SavedModel, serving_default", pixels, gives_pixels=True),
    ]


@contextlib.contextmanager
def _loading(folder: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # JSON, protobuf and TensorFlow each raise their own kinds
        reason = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise DataError(f"cannot load the SavedModel in {folder}: {reason}") from error


TARGET = Target(
    "saved_model",
    "Folder written by to_saved_model. Loading a SavedModel runs it as a program: use only folders "
    "from people you trust.",
    _open,
)
