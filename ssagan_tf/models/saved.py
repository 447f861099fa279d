"""Networks from `.keras` files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import keras
import numpy as np

from ssagan_tf.errors import DataError
from ssagan_tf.models.network import Network
from ssagan_tf.options import ComputeOptions


def load_network(path: Path, compute: ComputeOptions | None = None) -> Network:
    """Loads a network; given `compute`, computed that way, else as it was saved.

    Raises:
      DataError: The file is missing, damaged, or holds no network of this project.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; name a .keras file of train or import_torch")
    if path.suffix != ".keras":
        raise DataError(f"{path} is no .keras file; name one of train or import_torch")
    try:
        network = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds; none means more to the user
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"cannot load {path}: {reason}") from error
    if not isinstance(network, Network):
        raise DataError(f"{path} holds no generator or discriminator of this project")
    return network if compute is None else network.computed(compute)


def load_generator(path: Path, compute: ComputeOptions | None = None) -> Network:
    """Loads a generator of clips from photos: of one stage, or of two as one.

    Raises:
      DataError: As `load_network`, or the network takes no photos.
    """
    network = load_network(path, compute)
    if len(network.input_axes) != 3:
        kind = type(network).__name__
        raise DataError(
            f"{path} holds no generator that takes photos: its {kind} takes clips. "
            "A second stage is joined to its first by --stage1 of import_torch"
        )
    return network


def fingerprint(network: Network) -> str:
    """Tells networks apart: SHA-256 over the settings and all weights."""
    settings = [dataclasses.asdict(stage.options) for stage in network.stages()]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for variable in network.variables:
        value = np.ascontiguousarray(variable.numpy())
        # Not by their paths, which depend on how the network came about.
        digest.update(f"{variable.name} {value.dtype} {value.shape}".encode())
        digest.update(value)
    return digest.hexdigest()
