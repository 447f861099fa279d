"""Describes networks, their files and a training step as plain values that can be compared.

`python -m tests.network_snapshots FILE.json` writes the description from a process of its own.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import ssagan_tf  # before Keras loads TensorFlow: it turns oneDNN on

import keras  # isort: skip
import numpy as np
import tensorflow as tf

from ssagan_tf import models
from ssagan_tf.models.loading import fingerprint
from ssagan_tf.models.two_stage import join_stages
from ssagan_tf.options import ComputeOptions, ModelOptions, TrainOptions
from ssagan_tf.training.gan import GAN
from ssagan_tf.training.optimizer import make_optimizer


def describe() -> dict[str, Any]:
    """Describes each kind of network, two joined stages, and a step that trains the second one."""
    keras.utils.set_random_seed(0)
    small = ModelOptions(resolution=64, base_filters=1)
    kinds = {name: dataclasses.replace(small, network=name) for name in models.REGISTRY}
    first, second = (ssagan_tf.build_generator(kinds[n]) for n in ("ssagan", "ssagan_stage2"))
    spectral = dataclasses.replace(kinds["ssagan_stage2"], spectral_norm=True)
    discriminator, both = ssagan_tf.build_discriminator(spectral), join_stages(first, second)
    networks = {
        "two stages": both,
        "mixed": first.with_compute(ComputeOptions(precision="mixed_bfloat16")),
        "discriminator": discriminator,
        "vgan": ssagan_tf.build_generator(kinds["vgan"]),
        "rnngan": ssagan_tf.build_generator(kinds["rnngan"]),
    }
    found: dict[str, Any] = {name: _described(each) for name, each in networks.items()}

    options = TrainOptions(discriminator_updates=1, ema_decay=0.9)
    falling = dataclasses.replace(options, learning_rate_milestones=("3",))
    gan = GAN(second, discriminator, falling, first)
    clips = np.random.default_rng(0).integers(0, 256, (1, 1, *second.input_axes), np.uint8)
    found["report"] = [f"{k} {v.dtype}" for k, v in gan.train_step(tf.constant(clips)).items()]
    for optimizer in (gan.generator_optimizer, make_optimizer(discriminator, options)):
        found[f"optimizer {len(found)}"] = [
            str(optimizer.learning_rate.dtype),
            float(optimizer.learning_rate),
            *(f"{each.path} {each.dtype}" for each in optimizer.variables),
        ]
    found["averages"] = [f"{each.path} {each.dtype}" for each in gan.averages.variables]
    clip = both(np.random.default_rng(0).uniform(-1, 1, (1, *first.input_axes)))
    found["clip"] = [clip.dtype.name, float(np.abs(clip).mean())]
    return found


def _described(network: models.Network) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        network.save(path)
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    again = type(network).from_config(network.get_config())
    types = sorted({layer.dtype_policy.name for layer in again._flatten_layers()})
    return {"config": config, "weights": fingerprint(network), "again": types}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(describe()), encoding="utf-8")
