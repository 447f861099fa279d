"""Workloads of our implementation, compiled by `tf.function` and traced beforehand."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ssagan_tf
from benchmarks.cases import Case
from benchmarks.workload import Workload, matrix_products
from ssagan_tf.layers.blocked_attention import spatial_attention, spatial_attention_naive
from ssagan_tf.models import Network
from ssagan_tf.options import FRAMES, ComputeOptions, ModelOptions, TrainOptions
from ssagan_tf.training.gan import GAN

GAMMA = 0.5  # at its initial value 0 half of the gradients would be zero
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def prepare(case: Case) -> dict[str, Workload]:
    """Builds the workload of a case by its name; for `matmul`, several."""
    keras.utils.set_random_seed(0)
    if case.work == "matmul":
        return _matmul(case)
    if case.work == "attention":
        return {case.implementation: _attention(case)}
    if case.work == "generator":
        return {case.implementation: _generator(case)}
    return {case.implementation: _step(case)}


def generator(case: Case) -> Network:
    """Builds the generator of a case."""
    options = ModelOptions(resolution=case.resolution, base_filters=case.base_filters)
    return _with_gamma(ssagan_tf.build_generator(options, _compute(case)))


def _matmul(case: Case) -> dict[str, Workload]:
    dtype = tf.as_dtype(case.precision)
    multiply = tf.function(tf.matmul)
    return {
        name: Workload(
            partial(multiply, _normal(first, dtype), _normal(second, dtype)),
            operations=operations,
        )
        for name, (operations, first, second) in matrix_products(
            case.positions, case.channels
        ).items()
    }


def _attention(case: Case) -> Workload:
    side = math.isqrt(case.positions)
    shape = (case.batch, case.frames, side, side, case.channels)
    dtype = tf.as_dtype(case.precision)
    scale = (case.frames * case.channels) ** -0.25  # logits of variance 1
    arguments = (
        _normal(shape, dtype) * tf.cast(scale, dtype),
        _normal(shape, dtype) * tf.cast(scale, dtype),
        _normal(shape, dtype),
    )

    def attend(query: Any, key: Any, value: Any) -> Any:
        if case.variant == "naive":
            return spatial_attention_naive(query, key, value)
        return spatial_attention(query, key, value, **_memory(case, "memory"))

    def gradients(*arguments: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            loss = tf.reduce_sum(tf.square(attend(*arguments)))
        return tape.gradient(loss, arguments)

    return _traced(attend if case.mode == "forward" else gradients, *arguments)


def _generator(case: Case) -> Workload:
    network = generator(case)
    static_clip = case.variant == "static"
    side = case.resolution
    image = tf.random.uniform((case.batch, side, side, 3), -1.0, 1.0)

    def forward(image: Any) -> Any:
        return network(image, training=False, static_clip=static_clip)

    def gradients(image: Any) -> Any:
        with tf.GradientTape() as tape:
            clip = network(image, training=True, static_clip=static_clip)
            loss = tf.reduce_mean(tf.square(clip))
        # All gradients are returned, so that none is optimised away.
        return tape.gradient(loss, network.trainable_variables)

    return _traced(forward if case.mode == "forward" else gradients, image)


def _step(case: Case) -> Workload:
    options = ModelOptions(resolution=case.resolution, base_filters=case.base_filters)
    training = TrainOptions(batch_size=case.batch, discriminator_updates=case.updates)
    gan = GAN(
        generator(case),
        ssagan_tf.build_discriminator(options, _compute(case)),
        training,
    )
    shape = (case.batch, case.updates, FRAMES, *2 * (case.resolution,), 3)
    clips = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return _traced(gan.train_step, tf.constant(clips))


def _compute(case: Case) -> ComputeOptions:
    return ComputeOptions(
        precision=PRECISIONS[case.precision],
        remat=case.remat,
        **_memory(case, "attention_memory"),
    )


def _memory(case: Case, name: str) -> dict[str, int]:
    return {} if case.memory is None else {name: case.memory}


def _with_gamma(network: Network) -> Network:
    for weight in network.weights:
        if weight.name == "gamma" and weight.shape == ():
            weight.assign(GAMMA)
    return network


def _traced(function: Any, *arguments: Any) -> Workload:
    compiled = tf.function(function, autograph=False)
    compiled.get_concrete_function(*arguments)
    # On CPUs a compiled function returns when it is done. Its first run optimises the graph.
    run = partial(compiled, *arguments)
    return Workload(run, warm_up=run)


def _normal(shape: tuple[int, ...], dtype: tf.DType) -> tf.Tensor:
    return tf.cast(tf.random.normal(shape), dtype)
