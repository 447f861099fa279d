"""Workloads of our implementation on Keras' JAX backend, compiled beforehand.

Their results are ready only after `jax.block_until_ready`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import keras
import numpy as np

import ssagan_tf
from benchmarks.cases import Case
from benchmarks.reference_clip import reference_clip
from benchmarks.workload import Workload
from ssagan_tf import losses
from ssagan_tf.layers import im2col, subpixel
from ssagan_tf.layers.blocked_attention import spatial_attention, spatial_attention_naive
from ssagan_tf.models import Network
from ssagan_tf.options import FRAMES, ComputeOptions, ModelOptions, TrainOptions
from ssagan_tf.torch_weights import to_state_dict

GAMMA = 0.5  # as in tensorflow_workloads
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
SHORT_CUTS = {"im2col": im2col, "subpixel": subpixel}
# Query rows whose attention and gradient are compared with NumPy; up to this many positions, all.
CHECKED_ROWS, ALL_CHECKED = 64, 1024


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompiledWorkload(Workload):
    """A compiled function with its arguments.

    Attributes:
      compile_seconds: Time to trace and compile it.
      memory: Bytes that it takes on the device: arguments, outputs and what lies between them.
      error: Largest difference from a reference, relative to the reference's largest value.
    """

    compile_seconds: float
    memory: int
    error: float | None = None


def prepare(case: Case) -> dict[str, CompiledWorkload]:
    """Builds the workload of a case by its name."""
    keras.utils.set_random_seed(0)
    build = {"attention": _attention, "generator": _generator, "step": _step}[case.work]
    return {case.implementation: build(case)}


def _attention(case: Case) -> CompiledWorkload:
    side = math.isqrt(case.positions)
    shape = (case.batch, case.frames, side, side, case.channels)
    scale = (case.frames * case.channels) ** -0.25  # logits of variance 1
    keys = jax.random.split(jax.random.key(0), 3)
    arguments = [
        (jax.random.normal(key, shape) * factor).astype(case.precision)
        for key, factor in zip(keys, (scale, scale, 1.0), strict=True)
    ]
    memory = {} if case.memory is None else {"memory": case.memory}

    def attend(query: Any, key: Any, value: Any) -> Any:
        if case.variant == "naive":
            return spatial_attention_naive(query, key, value)
        return spatial_attention(query, key, value, **memory)

    def squares(*arguments: Any) -> Any:
        return jnp.sum(jnp.square(attend(*arguments)))

    function = attend if case.mode == "forward" else jax.grad(squares, argnums=(0, 1, 2))
    workload = _compiled(case, function, *arguments)
    return dataclasses.replace(
        workload, error=_attention_error(case.mode, arguments, workload.run())
    )


def _attention_error(mode: str, arguments: list[Any], found: Any) -> float:
    """Compares o, or the gradients of Σo², with NumPy in float64, for some or all query rows."""

    def rows(clip: Any) -> np.ndarray:
        clip = np.asarray(clip[0].astype("float32"), "float64")  # NumPy does not know bfloat16
        return np.moveaxis(clip, 0, 2).reshape(clip.shape[1] * clip.shape[2], -1)

    query, key, value = map(rows, arguments)
    every = len(query) <= ALL_CHECKED
    chosen = np.linspace(0, len(query) - 1, len(query) if every else CHECKED_ROWS).astype(int)
    logits = query[chosen] @ key.T
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    attended = weights @ value
    if mode == "forward":
        pairs = [(attended, rows(found)[chosen])]
    else:
        d_weights = 2 * attended @ value.T
        d_logits = weights * (d_weights - (weights * d_weights).sum(axis=1, keepdims=True))
        pairs = [(d_logits @ key, rows(found[0])[chosen])]
        if every:
            pairs.append((d_logits.T @ query, rows(found[1])))
            pairs.append((2 * weights.T @ attended, rows(found[2])))
    return max(_difference(*pair) for pair in pairs)


def _difference(reference: Any, found: Any) -> float:
    return float(np.abs(reference - found).max() / np.abs(reference).max())


def _generator(case: Case) -> CompiledWorkload:
    network, image = _generator_and_image(case)
    static_clip = case.variant != "plain"

    def forward(weights: Any, state: Any, image: Any) -> Any:
        call = network.stateless_call
        return call(weights, state, image, training=False, static_clip=static_clip)[0]

    def loss(weights: Any, state: Any, image: Any) -> Any:
        call = network.stateless_call
        clip, state = call(weights, state, image, training=True, static_clip=static_clip)
        return jnp.mean(jnp.square(clip)), state

    arguments = (*_values(network), image)
    if case.mode == "gradients":
        return _compiled(case, jax.grad(loss, has_aux=True), *arguments)
    workload = _compiled(case, forward, *arguments)
    reference = _reference_clip(case.resolution, case.base_filters, case.batch)
    return dataclasses.replace(workload, error=_difference(reference, np.asarray(workload.run())))


@functools.lru_cache(maxsize=1)
def _reference_clip(resolution: int, base_filters: int, batch: int) -> np.ndarray:
    """What PyTorch makes of the same weights and image, on the CPU."""
    case = Case("generator", "", resolution=resolution, base_filters=base_filters, batch=batch)
    network, image = _generator_and_image(case)
    return reference_clip(to_state_dict(network), np.asarray(image), base_filters)


def _generator_and_image(case: Case) -> tuple[Network, Any]:
    keras.utils.set_random_seed(0)
    network = _with_gamma(ssagan_tf.build_generator(_options(case), _compute(case)))
    shape = (case.batch, case.resolution, case.resolution, 3)
    return network, jax.random.uniform(jax.random.key(0), shape, minval=-1, maxval=1)


def _step(case: Case) -> CompiledWorkload:
    """The training step of `training.gan` with SSA-GAN's losses, for one device, without metrics.

    Each run continues from the weights of the one before.
    """
    options = TrainOptions(batch_size=case.batch, discriminator_updates=case.updates)
    generator = _with_gamma(ssagan_tf.build_generator(_options(case), _compute(case)))
    discriminator = ssagan_tf.build_discriminator(_options(case), _compute(case))
    adam_g, adam_d = _adam(generator, options), _adam(discriminator, options)
    kind = options.adversarial

    def discriminator_loss(d: Any, d_state: Any, real: Any, fake: Any) -> Any:
        of_real, d_state = discriminator.stateless_call(d, d_state, real, training=True)
        of_fake, d_state = discriminator.stateless_call(d, d_state, fake, training=True)
        loss = losses.discriminator_real_loss(of_real, kind)
        return loss + losses.discriminator_fake_loss(of_fake, kind), d_state

    def update_discriminator(carry: Any, real: Any, fake: Any) -> Any:
        d, d_state, moments = carry
        slopes, d_state = jax.grad(discriminator_loss, has_aux=True)(d, d_state, real, fake)
        d, moments = adam_d.stateless_apply(moments, slopes, d)
        return d, d_state, moments

    def generator_loss(g: Any, g_state: Any, of_d: Any, real: Any) -> Any:
        """The discriminator is updated on the same clips before it scores them."""
        fake, g_state = generator.stateless_call(g, g_state, real[:, 0], training=True)
        of_d = update_discriminator(of_d, real, jax.lax.stop_gradient(fake))
        d, d_state, moments = jax.lax.stop_gradient(of_d)
        logits, d_state = discriminator.stateless_call(d, d_state, fake, training=True)
        loss = options.lambda_con * losses.content_loss(real, fake)
        loss += options.lambda_adv * losses.generator_adversarial_loss(logits, kind)
        return loss, (g_state, (d, d_state, moments))

    def step(carry: Any, clips: Any) -> Any:
        g, g_state, g_moments, of_d = carry
        clips = jnp.moveaxis(clips, 1, 0)

        def update(carry: Any, batch: Any) -> Any:
            g_state, of_d = carry
            real = batch.astype("float32") / 127.5 - 1
            fake, g_state = generator.stateless_call(g, g_state, real[:, 0], training=True)
            return (g_state, update_discriminator(of_d, real, fake)), None

        (g_state, of_d), _ = jax.lax.scan(update, (g_state, of_d), clips[:-1])
        slopes, (g_state, of_d) = jax.grad(generator_loss, has_aux=True)(
            g, g_state, of_d, clips[-1].astype("float32") / 127.5 - 1
        )
        g, g_moments = adam_g.stateless_apply(g_moments, slopes, g)
        return g, g_state, g_moments, of_d

    shape = (case.batch, case.updates, FRAMES, *2 * (case.resolution,), 3)
    clips = jnp.asarray(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    of_g = (*_values(generator), [jnp.array(each.value) for each in adam_g.variables])
    of_d = (*_values(discriminator), [jnp.array(each.value) for each in adam_d.variables])
    carry = (*of_g, of_d)
    workload = _compiled(case, step, carry, clips, donate_argnums=0)
    compiled = workload.run.func

    def run() -> Any:
        nonlocal carry
        carry = compiled(carry, clips)
        return carry

    return dataclasses.replace(workload, run=run)


def _adam(network: Network, options: TrainOptions) -> keras.optimizers.Adam:
    adam = keras.optimizers.Adam(
        options.learning_rate, beta_1=options.beta_1, beta_2=options.beta_2, epsilon=1e-8
    )
    adam.build(network.trainable_variables)
    return adam


def _compiled(
    case: Case, function: Callable, *arguments: Any, donate_argnums: Any = ()
) -> CompiledWorkload:
    start = time.perf_counter()
    with _settings(case):
        compiled = jax.jit(function, donate_argnums=donate_argnums).lower(*arguments).compile()
    seconds = time.perf_counter() - start
    sizes = compiled.memory_analysis()
    memory = sizes.argument_size_in_bytes + sizes.output_size_in_bytes + sizes.temp_size_in_bytes
    return CompiledWorkload(
        functools.partial(compiled, *arguments),
        compile_seconds=seconds,
        memory=memory - sizes.alias_size_in_bytes,
    )


@contextlib.contextmanager
def _settings(case: Case) -> Iterator[None]:
    """The precision of products, and the short cuts of convolutions, for what is traced in it.

    `plain` and `no short cuts` have none; `no im2col` and `no subpixel` have the other one.
    """
    with contextlib.ExitStack() as stack:
        exact = case.precision == "float32" and not case.tf32
        stack.enter_context(jax.default_matmul_precision("highest" if exact else "default"))
        for name, short_cut in SHORT_CUTS.items():
            if case.variant in ("plain", "no short cuts", f"no {name}"):
                never = mock.patch.object(short_cut, "is_faster", return_value=False)
                stack.enter_context(never)
        yield


def _options(case: Case) -> ModelOptions:
    return ModelOptions(resolution=case.resolution, base_filters=case.base_filters)


def _compute(case: Case) -> ComputeOptions:
    return ComputeOptions(precision=PRECISIONS[case.precision])


def _values(network: Network) -> tuple[list[Any], list[Any]]:
    """Trainable and other weights, as copies."""
    return tuple(
        [jnp.array(variable.value) for variable in variables]
        for variables in (network.trainable_variables, network.non_trainable_variables)
    )


def _with_gamma(network: Network) -> Network:
    for weight in network.weights:
        if weight.name == "gamma" and weight.shape == ():
            weight.assign(GAMMA)
    return network
