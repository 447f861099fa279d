"""The weights that a run begins with, where it takes them from another one (`init_from`)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ssagan_tf import models
from ssagan_tf.errors import DataError
from ssagan_tf.models import Network
from ssagan_tf.options import ComputeOptions, ModelOptions, OptionError, TrainOptions
from ssagan_tf.training import source
from ssagan_tf.training.checkpoint import newest_step
from ssagan_tf.training.run import CHECKPOINTS


def load_initial(
    model: ModelOptions, compute: ComputeOptions, options: TrainOptions
) -> Network | None:
    """The generator whose weights a run begins with.

    Args:
      model: What the run trains.
      compute: How it is computed.
      options: `init_from`, a run or a file.

    Returns:
      None if the run begins with new weights, or has a checkpoint to go on from.

    Raises:
      OptionError: The run trains a second stage, or the generator is of two stages or of other
        settings.
      DataError: It is missing, damaged, or no generator of clips from photos.
    """
    path = Path(options.init_from)
    if not options.init_from or newest_step(Path(options.run_dir) / CHECKPOINTS) is not None:
        return None
    if models.system_of(model).takes_clip:
        raise OptionError(
            "init_from", path, f"{model.network}, a second stage, begins new; leave it out"
        )
    if not path.exists():
        raise DataError(f"{path}: no such generator; name a run or a FILE.keras as --init_from")
    network = source.at(path).load(compute)
    if len(network.stages()) > 1:
        raise OptionError("init_from", path, "holds two stages as one; name a generator of one")
    for field in dataclasses.fields(model):
        given, has = getattr(model, field.name), getattr(network.options, field.name)
        if given != has:
            raise OptionError(
                field.name,
                given,
                f"the generator of --init_from={path} has --{field.name}={has}; give that",
            )
    return network
