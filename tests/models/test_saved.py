"""Networks from files."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from ssagan_tf import models
from ssagan_tf.errors import DataError
from ssagan_tf.models.saved import load_generator
from ssagan_tf.options import ModelOptions

MODEL = ModelOptions(resolution=64, base_filters=2, ssa_layers="conv4")


def test_generators_from_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load_generator(tmp_path / "missing.keras")
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(DataError, match=r"is no \.keras file"):
        load_generator(tmp_path / "photo.jpg")
    (tmp_path / "broken.keras").write_bytes(b"not a model")
    with pytest.raises(DataError, match=r"cannot load .*broken\.keras"):
        load_generator(tmp_path / "broken.keras")
    models.build_discriminator(MODEL).save(tmp_path / "discriminator.keras")
    with pytest.raises(DataError, match="holds no generator"):
        load_generator(tmp_path / "discriminator.keras")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save(tmp_path / "dense.keras")
    with pytest.raises(DataError, match="holds no generator"):
        load_generator(tmp_path / "dense.keras")
