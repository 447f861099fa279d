"""Summary of a run, printed before it starts."""

from __future__ import annotations

import os

import tensorflow as tf

from ssagan_tf.data.dataset_info import PreparedSet
from ssagan_tf.options import ModelOptions, TrainOptions
from ssagan_tf.processor import why_no_bfloat16
from ssagan_tf.training.first_stage import FirstStage
from ssagan_tf.training.gan import GAN


def summary(
    gan: GAN,
    model: ModelOptions,
    options: TrainOptions,
    prepared: PreparedSet | None,
    first: FirstStage | None,
    initial_weights: str,
    devices: tf.distribute.Strategy,
) -> str:
    """Returns a few lines about the networks, the data, the device and the settings.

    Args:
      gan: Networks and losses.
      model: Settings of the networks.
      options: Settings of the training.
      prepared: The prepared set; None if synthetic clips are still to be generated.
      first: The first stage, if the run trains a second one.
      initial_weights: Where the initial weights come from; empty if they are random.
      devices: What it runs on.
    """
    sizes = [f"{network.count_params():,}" for network in (gan.generator, gan.discriminator)]
    data = (
        f"{options.synthetic_clips} synthetic clips"
        if prepared is None
        else " + ".join(
            f"{split.clips} {name} clips" for name, split in prepared.info.splits.items()
        )
    )
    side = model.resolution
    lines = [
        f"{model.network} {side}×{side}: generator {sizes[0]}, discriminator {sizes[1]} parameters",
        *([str(first)] if first else []),
        *([f"initial weights: {initial_weights}"] if initial_weights else []),
        f"data: {data} from {options.data}",
        f"device: {_device(devices)}",
        *_slow_precision(gan.generator.compute.precision),
        *(f"setting: {deviation}" for deviation in options.deviations(model.network)),
        f"generator: minimises {gan.objective}",
        f"run: {options.steps} steps of {options.discriminator_updates} discriminator updates and "
        f"1 generator update, {options.batch_size} clips each, in {options.run_dir}",
    ]
    return "\n".join(lines)


def _device(devices: tf.distribute.Strategy) -> str:
    if gpus := tf.config.list_physical_devices("GPU"):
        names = [tf.config.experimental.get_device_details(gpu).get("device_name") for gpu in gpus]
        device = f"GPU {names[0] or gpus[0].name}"
    else:
        hint = "TF_CPP_MIN_LOG_LEVEL=0 shows why no GPU was found"
        device = f"CPU with {os.cpu_count()} cores ({hint})"
    replicas = devices.num_replicas_in_sync
    return device if replicas == 1 else f"{replicas} replicas, on this host {device}"


def _slow_precision(precision: str) -> list[str]:
    reason = why_no_bfloat16()
    if precision != "mixed_bfloat16" or not reason or tf.config.list_physical_devices("GPU"):
        return []
    return [f"precision: {reason}; steps can take many times as long as with --precision=float32"]
