"""Loads networks from `.keras` files, which may be untrusted: only registered ones are created."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ssagan_tf import models
from ssagan_tf.errors import DataError
from ssagan_tf.models import keras_file
from ssagan_tf.models.network import Network
from ssagan_tf.models.two_stage import TwoStage
from ssagan_tf.options import ComputeOptions, ModelOptions, current_names, original_names

# What Keras stores in the config of any model, next to our settings or two stages.
_KERAS_CONFIG = {"name", "trainable", "dtype"}


def load_network(path: Path, compute: ComputeOptions | None = None) -> Network:
    """Loads a network.

    Keras does not get to create what the file describes. Instead, a registered network is created
    from its settings, if these are valid and the file has enough weights for such a network.

    Args:
      path: Path of a `.keras` file.
      compute: How it is computed; by default as it was saved.

    Raises:
      DataError: The file is missing or damaged, or contains anything but such a network.
    """
    if not path.is_file():
        raise DataError(f"{path}: not found; give a .keras file written by train or import_torch")
    if path.suffix != ".keras":
        raise DataError(f"{path} is not a .keras file; give one written by train or import_torch")
    try:
        network = _read(path)
    except Exception as error:  # zip, JSON, HDF5 and Keras raise many kinds
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"cannot load {path}: {reason[:300]}") from error
    return network if compute is None else network.with_compute(compute)


def load_generator(path: Path, compute: ComputeOptions | None = None) -> Network:
    """Loads a generator from photos to clips: of one stage, or of two that were joined.

    Raises:
      DataError: As for `load_network`, or the network does not take photos.
    """
    network = load_network(path, compute)
    if len(network.input_axes) != 3:
        kind = type(network).__name__
        raise DataError(
            f"{path} has no generator that takes photos: its {kind} takes clips. --stage1 of "
            "import_torch joins a second stage to its first stage"
        )
    return network


def _read(path: Path) -> Network:
    with zipfile.ZipFile(path) as file, tempfile.TemporaryDirectory(prefix="ssagan_tf-") as folder:
        keras_file.check_members(file)
        plan = _Plan.read(keras_file.read_config(file))
        weights = keras_file.extract_weights(file, Path(folder))
        if plan.min_weights() > (number := keras_file.count_weights(weights)):
            raise ValueError(f"its settings need more weights than the {number:,} in the file")
        network = plan.create()
        network.load_weights(weights)
    return network


@dataclasses.dataclass(frozen=True)
class _Plan:
    """A network as a file describes it: its class, and its options or its stages."""

    cls: type[Network]
    parts: tuple[ModelOptions | _Plan, ...]
    keras_config: dict[str, Any]
    quantized: dict[str, str]

    @classmethod
    def read(cls, described: Any) -> _Plan:
        """Raises ValueError unless the settings are those of a registered network of ours."""
        name = described.get("registered_name") if isinstance(described, dict) else None
        network = keras.saving.get_registered_object(name) if isinstance(name, str) else None
        if not (isinstance(network, type) and issubclass(network, Network)):
            given = name or (isinstance(described, dict) and described.get("class_name"))
            what = f", but {given[:50]!r}" if isinstance(given, str) else ""
            raise ValueError(f"it has no generator or discriminator of this project{what}")
        unknown = ValueError(f"its {network.__name__} has a config that this version does not know")
        parts = ("first", "second") if issubclass(network, TwoStage) else ("options",)
        config = described.get("config")
        if not isinstance(config, dict):
            raise unknown
        if set(config) - {"quantized"} != _KERAS_CONFIG | set(parts):
            raise unknown
        quantized = config.get("quantized", {})
        if not isinstance(quantized, dict) or (len(parts) > 1 and quantized):
            raise unknown
        if type(config["name"]) is not str or type(config["trainable"]) is not bool:
            raise unknown
        keras_config = {name: config[name] for name in _KERAS_CONFIG}
        keras_config["dtype"] = _precision(config["dtype"])
        read = cls.read if len(parts) > 1 else functools.partial(_options, network)
        return cls(network, tuple(read(config[part]) for part in parts), keras_config, quantized)

    def min_weights(self) -> int:
        return sum(
            part.min_weights() if isinstance(part, _Plan) else self.cls.min_weights(part)
            for part in self.parts
        )

    def create(self) -> Network:
        parts = (part.create() if isinstance(part, _Plan) else part for part in self.parts)
        network = self.cls(*parts, **self.keras_config)
        network.build_variables()
        network.quantize_layers(self.quantized)
        return network


def _precision(policy: Any) -> str:
    if isinstance(policy, dict) and isinstance(policy.get("config"), dict):
        policy = policy["config"].get("name")
    if policy == "float64":  # that of the process that saved the network
        return policy
    return ComputeOptions(precision=policy).precision


def _options(cls: type[Network], given: Any) -> ModelOptions:
    known = {field.name for field in dataclasses.fields(ModelOptions)}
    given = current_names(given) if isinstance(given, dict) else {"": None}
    if not set(given) <= known:
        raise ValueError(f"its {cls.__name__} has settings that this version does not know")
    options = ModelOptions(**given)
    spec = models.spec_of(options)
    if cls in models.NETWORKS and cls not in (spec.generator, spec.discriminator):
        raise ValueError(f"its {cls.__name__} is not a network of {options.network}")
    return options


# A setting that was added later than these counts only where it is not at its default: otherwise no
# fingerprint that is stored would match any more.
_FIRST_SETTINGS = {
    *("network", "resolution", "base_filters", "skips", "ssa_layers", "ssa_gate", "ssa_ratio"),
    *("spectral_norm", "bn_gamma_stddev"),
}


def fingerprint(network: Network) -> str:
    """Identifies a network: SHA-256 over its settings and all weights, but not random states."""
    settings = [_fingerprinted(stage.options) for stage in network.stages()]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for variable in network.weights:
        value = np.ascontiguousarray(variable.numpy())
        # Not their paths, which depend on how the network was created.
        digest.update(f"{variable.name} {value.dtype} {value.shape}".encode())
        digest.update(value)
    return digest.hexdigest()


def _fingerprinted(options: ModelOptions) -> dict[str, Any]:
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    defaults = {field.name: field.default for field in dataclasses.fields(options)}
    return original_names(
        {
            name: value
            for name, value in values.items()
            if name in _FIRST_SETTINGS or value != defaults[name]
        }
    )
