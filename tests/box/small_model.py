"""A small bundled model, made from a run that was never trained."""

from __future__ import annotations

from pathlib import Path

from export.options import BoxOptions
from export.to_box import to_box
from ssagan_tf import models
from ssagan_tf.data.dataset_info import DatasetInfo
from ssagan_tf.options import ComputeOptions, ModelOptions, TrainOptions
from ssagan_tf.training.run_folder import GENERATOR_FILE, write_settings

MODEL = ModelOptions(resolution=64, base_filters=1, ssa_layers="conv4")


def make_run(folder: Path, info: DatasetInfo, /, **train: str) -> None:
    """Writes the folder of a finished run."""
    write_settings(MODEL, ComputeOptions(), TrainOptions(run_dir=str(folder), **train), info)
    models.build_generator(MODEL).save(folder / GENERATOR_FILE)


def make_box(run: Path, folder: Path, name: str = "box64", **options) -> None:
    """Makes the generator of a run a bundled model in a folder."""
    to_box(BoxOptions(run_dir=str(run), output=str(folder), name=name, **options))
