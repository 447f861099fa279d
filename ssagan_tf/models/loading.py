"""Networks from `.keras` files, which may be strangers': nothing but our own is made of them."""

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

# What Keras notes of any model. Beside it there are our settings, or two stages.
_NOTED = {"name", "trainable", "dtype"}


def load_network(path: Path, compute: ComputeOptions | None = None) -> Network:
    """Loads a network; given `compute`, computed that way, else as it was saved.

    Keras is not asked to make what the file describes. Its settings make one of the registered
    networks, if they are of one and of no other size than the weights that come with them.

    Raises:
      DataError: The file is missing, damaged, or holds no network of this project, or more.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; name a .keras file of train or import_torch")
    if path.suffix != ".keras":
        raise DataError(f"{path} is no .keras file; name one of train or import_torch")
    try:
        network = _read(path)
    except Exception as error:  # zip, JSON, HDF5 and Keras have many kinds; none says more
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"cannot load {path}: {reason[:300]}") from error
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


def _read(path: Path) -> Network:
    with zipfile.ZipFile(path) as file, tempfile.TemporaryDirectory(prefix="ssagan_tf-") as folder:
        keras_file.check_members(file)
        plan = _Plan.read(keras_file.read_config(file))
        weights = keras_file.extract_weights(file, Path(folder))
        if plan.least_weights() > (held := keras_file.weighed(weights)):
            raise ValueError(f"its settings need more weights than the {held:,} it holds")
        network = plan.make()
        network.load_weights(weights)
    return network


@dataclasses.dataclass(frozen=True)
class _Plan:
    """A network that a file describes: its class, and its options or its stages."""

    kind: type[Network]
    parts: tuple[ModelOptions | _Plan, ...]
    noted: dict[str, Any]
    quantized: dict[str, str]

    @classmethod
    def read(cls, described: Any) -> _Plan:
        """Raises ValueError unless the settings are those of a registered network of ours."""
        name = described.get("registered_name") if isinstance(described, dict) else None
        kind = keras.saving.get_registered_object(name) if isinstance(name, str) else None
        if not (isinstance(kind, type) and issubclass(kind, Network)):
            given = name or (isinstance(described, dict) and described.get("class_name"))
            what = f", but {given[:50]!r}" if isinstance(given, str) else ""
            raise ValueError(f"it holds no generator or discriminator of this project{what}")
        parts = ("first", "second") if issubclass(kind, TwoStage) else ("options",)
        config = described.get("config")
        if not isinstance(config, dict) or set(config) - {"quantized"} != _NOTED | set(parts):
            raise ValueError(f"its {kind.__name__} is described otherwise than by this version")
        quantized = config.get("quantized", {})
        if not isinstance(quantized, dict) or (len(parts) > 1 and quantized):
            raise ValueError(f"its {kind.__name__} is described otherwise than by this version")
        if type(config["name"]) is not str or type(config["trainable"]) is not bool:
            raise ValueError(f"its {kind.__name__} is described otherwise than by this version")
        noted = {name: config[name] for name in _NOTED} | {"dtype": _precision(config["dtype"])}
        reads = cls.read if len(parts) > 1 else functools.partial(_options, kind)
        return cls(kind, tuple(reads(config[part]) for part in parts), noted, quantized)

    def least_weights(self) -> int:
        return sum(
            part.least_weights() if isinstance(part, _Plan) else self.kind.least_weights(part)
            for part in self.parts
        )

    def make(self) -> Network:
        parts = (part.make() if isinstance(part, _Plan) else part for part in self.parts)
        network = self.kind(*parts, **self.noted)
        network.build_variables()
        network.quantize_again(self.quantized)
        return network


def _precision(policy: Any) -> str:
    if isinstance(policy, dict) and isinstance(policy.get("config"), dict):
        policy = policy["config"].get("name")
    if policy == "float64":  # of networks that are made under such a policy
        return policy
    return ComputeOptions(precision=policy).precision


def _options(kind: type[Network], given: Any) -> ModelOptions:
    known = {field.name for field in dataclasses.fields(ModelOptions)}
    given = current_names(given) if isinstance(given, dict) else {"": None}
    if not set(given) <= known:
        raise ValueError(f"its {kind.__name__} has other settings than this version knows")
    options = ModelOptions(**given)
    system = models.spec_of(options)
    if kind in models.NETWORKS and kind not in (system.generator, system.discriminator):
        raise ValueError(f"its {kind.__name__} is no network of {options.network}")
    return options


def fingerprint(network: Network) -> str:
    """Tells networks apart: SHA-256 over the settings and all weights, not random states."""
    settings = [original_names(dataclasses.asdict(stage.options)) for stage in network.stages()]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for variable in network.weights:
        value = np.ascontiguousarray(variable.numpy())
        # Not by their paths, which depend on how the network came about.
        digest.update(f"{variable.name} {value.dtype} {value.shape}".encode())
        digest.update(value)
    return digest.hexdigest()
