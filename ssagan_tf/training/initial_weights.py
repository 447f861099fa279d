"""Initial weights taken from another generator (`init_from`)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ssagan_tf import box, models
from ssagan_tf.errors import DataError
from ssagan_tf.models import Network
from ssagan_tf.options import ComputeOptions, ModelOptions, OptionError, TrainOptions
from ssagan_tf.training import generator_source
from ssagan_tf.training.checkpoint import newest_step
from ssagan_tf.training.run_folder import CHECKPOINTS


def load_initial(
    model: ModelOptions, compute: ComputeOptions, options: TrainOptions
) -> Network | None:
    """Loads the generator whose weights a run starts with.

    Args:
      model: What the run trains.
      compute: How it is computed.
      options: `init_from`, which names a run, a file or a bundled model.

    Returns:
      The generator; None if the run starts with random weights, or has a checkpoint to resume from.

    Raises:
      OptionError: The run trains a second stage, or the generator has two stages or other settings.
      DataError: It is missing, damaged, or no generator from photos to clips.
    """
    place = options.init_from
    if not place or newest_step(Path(options.run_dir) / CHECKPOINTS) is not None:
        return None
    if models.spec_of(model).takes_clip:
        raise OptionError(
            "init_from",
            place,
            f"{model.network}, a second stage, starts with random weights; leave it out",
        )
    if not (box.is_name(place) or Path(place).exists()):
        raise DataError(f"{place}: generator not found; give a run or a FILE.keras as --init_from")
    network = generator_source.resolve(place).load(compute)
    if len(network.stages()) > 1:
        raise OptionError(
            "init_from", place, "has two stages; give a generator with a single stage"
        )
    for field in dataclasses.fields(model):
        given, has = getattr(model, field.name), getattr(network.options, field.name)
        if given != has:
            raise OptionError(
                field.name,
                given,
                f"the generator of --init_from={place} has --{field.name}={has}; use that",
            )
    return network
