"""Measures the parts of a training step: `python -m benchmarks.comparison.step_time RUN_FOLDER`.

Timed are a step with n discriminator updates, one with n + 1, and the generator's forward pass. The
difference of the first two is one update, including the clips generated for it. The last of the n
updates shares its clips with the generator's update; their forward pass counts as the generator's.
Seconds are CPU time, the minimum of several rounds, which other load on the machine affects least.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ssagan_tf.startup import load_tensorflow

ROUNDS = 8  # in each, all three are timed one after the other


def step_time(folder: str) -> dict[str, Any]:
    """Returns the weights of a run's networks, and CPU seconds of a step's parts."""
    load_tensorflow()
    import tensorflow as tf

    from ssagan_tf import models
    from ssagan_tf.options import FRAMES
    from ssagan_tf.pixels import to_float
    from ssagan_tf.training.first_stage import load_first_stage
    from ssagan_tf.training.gan import GAN
    from ssagan_tf.training.run_folder import open_run

    run = open_run(folder)
    options = dataclasses.replace(run.train, run_dir=folder, stage1="")
    first = load_first_stage(run.model, run.compute, options)
    generator = models.build_generator(run.model, run.compute)
    discriminator = models.build_discriminator(run.model, run.compute)
    updates = options.discriminator_updates
    side = run.model.resolution
    shape = (options.batch_size, updates + 1, FRAMES, side, side, 3)
    clips = tf.constant(np.random.default_rng(0).integers(0, 256, shape, np.uint8))

    def step(updates: int) -> Callable[[], Any]:
        gan = GAN(
            models.build_generator(run.model, run.compute),
            models.build_discriminator(run.model, run.compute),
            dataclasses.replace(options, discriminator_updates=updates),
            first and first.network,
        )
        compiled = tf.function(gan.train_step, autograph=False)
        return lambda: compiled(clips[:, :updates])

    inputs = to_float(clips[:, 0, 0])
    if first:
        inputs = first.network(inputs, training=False)
    forward = tf.function(lambda: generator(inputs, training=True), autograph=False)
    whole, longer, making = _timed([step(updates), step(updates + 1), forward])
    discriminating = updates * (longer - whole) - making
    return {
        "weights": {
            "generator": generator.count_params(),
            "discriminator": discriminator.count_params(),
            "first_stage": first.network.count_params() if first else 0,
        },
        "discriminator_updates": updates,
        "step_seconds": {
            "discriminator": round(discriminating, 4),
            "generator": round(whole - discriminating, 4),
        },
    }


def _timed(functions: list[Callable[[], Any]]) -> list[float]:
    """Least CPU seconds of each function. They take turns, so that other load affects all alike."""
    for function in functions:
        function()  # compiles
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, taken in zip(functions, seconds, strict=True):
            began = time.process_time()
            function()
            taken.append(time.process_time() - began)
    return [min(each) for each in seconds]


if __name__ == "__main__":
    print(json.dumps(step_time(sys.argv[1])))
