"""`python -m benchmarks.box_trials_jax`: the trials of `box_trials` on a GPU, with JAX.

    python -m benchmarks.box_trials_jax --draw --clips=FILE.npy             draws the clips
    python -m benchmarks.box_trials_jax --trial=NAME --clips=FILE.npy --output=FOLDER

Networks, losses and skies are those of the package, on Keras' JAX backend (without TensorFlow). The
training step is reimplemented here after `training.gan`, for one discriminator update per step and
one device. Each trial writes FOLDER/NAME.keras, the averaged generator (`evaluate --model` takes
it), and FOLDER/NAME.json, the test losses by step. The table of `box_trials` shows the JSON files
in `benchmarks/box_trials_jax`, to which figures of `evaluate` may be added by hand.
"""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # trials may share a GPU

import argparse
import dataclasses
import functools
import io
import itertools
import json
import multiprocessing
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.box_trials import CONFIG, TRIALS
from ssagan_tf import skies
from ssagan_tf.data.layouts import splits
from ssagan_tf.options import BENCHMARKS, ModelOptions, PrepareOptions, TrainOptions

BENCHMARK = BENCHMARKS["procedural-skies-64-v1"]
STEPS, TEST_EVERY, CHUNK = 1200, 400, 100
STATISTICS = ("moving_mean", "moving_variance")


def draw(path: Path) -> None:
    """Draws all clips of procedural-skies-64 v1 into an array, JPEG-compressed as in its shards."""
    clips, side = BENCHMARK["synthetic_clips"], BENCHMARK["resolution"]
    drawn = np.lib.format.open_memmap(path, "w+", np.uint8, (clips, 32, side, side, 3))
    with multiprocessing.Pool() as pool:
        for index, clip in enumerate(pool.imap(_clip, range(clips), chunksize=8)):
            drawn[index] = clip
    drawn.flush()


def _clip(index: int) -> np.ndarray:
    seed, side = BENCHMARK["seed"], BENCHMARK["resolution"]
    clip = skies.procedural_clip(seed, index, side, wind=BENCHMARK["wind"])
    return np.stack([_jpeg_compressed(frame) for frame in clip])


def _jpeg_compressed(frame: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=95, subsampling="4:4:4")
    return np.array(Image.open(file))


def split_indices() -> tuple[list[int], list[int]]:
    """Indices of the training clips and of the test clips."""
    names = [skies.video_name(index) for index in range(BENCHMARK["synthetic_clips"])]
    clips = [SimpleNamespace(video=v, split=None, index=i) for i, v in enumerate(names)]
    parts = splits.split_clips(clips, PrepareOptions(**BENCHMARK))
    return [clip.index for clip in parts["train"]], [clip.index for clip in parts["test"]]


def options_of(settings: str) -> tuple[ModelOptions, TrainOptions]:
    """Reads the settings of `configs/box64.cfg` and of further flags."""
    lines = [line for line in CONFIG.read_text().splitlines() if line.startswith("--")]
    flags = (flag[2:].partition("=") for flag in (*lines, *shlex.split(settings)))
    given = {name: value if equals else "true" for name, equals, value in flags}

    def read(field: dataclasses.Field) -> Any:
        value = given[field.name]
        if isinstance(field.default, bool):
            return value == "true"
        if isinstance(field.default, tuple):
            return tuple(filter(None, value.split(",")))
        return type(field.default)(value)

    def section(kind: Any) -> Any:
        fields = (field for field in dataclasses.fields(kind) if field.name in given)
        return kind(**{field.name: read(field) for field in fields})

    return section(ModelOptions), section(TrainOptions)


def train(trial: str, clips: Path, output: Path) -> None:
    """Trains a trial; writes its generator and test losses every `TEST_EVERY` steps."""
    import jax
    import jax.numpy as jnp
    import keras

    from ssagan_tf import losses, models

    model, options = options_of(TRIALS[trial])
    if options.discriminator_updates != 1:
        raise SystemExit("box_trials_jax: --discriminator_updates must be 1")
    keras.utils.set_random_seed(options.seed)
    generator, discriminator = models.build_generator(model), models.build_discriminator(model)
    weights_of_g = generator.trainable_variables
    statistics = [
        at for at, v in enumerate(generator.non_trainable_variables) if v.name in STATISTICS
    ]

    def adam(network: keras.Model) -> keras.optimizers.Adam:
        made = keras.optimizers.Adam(
            options.learning_rate, beta_1=options.beta_1, beta_2=options.beta_2, epsilon=1e-8
        )
        made.build(network.trainable_variables)
        return made

    adam_g, adam_d = adam(generator), adam(discriminator)

    def discriminator_loss(d: Any, state: Any, real: Any, fake: Any) -> Any:
        of_real, state = discriminator.stateless_call(d, state, real, training=True)
        of_fake, state = discriminator.stateless_call(d, state, fake, training=True)
        kind = options.adversarial
        loss = losses.discriminator_real_loss(of_real, kind)
        return loss + losses.discriminator_fake_loss(of_fake, kind), state

    def generator_loss(g: Any, state: Any, d: Any, d_state: Any, d_moments: Any, real: Any) -> Any:
        """The discriminator is updated on the same clips before it scores them."""
        fake, state = generator.stateless_call(g, state, real[:, 0], training=True)
        loss = options.lambda_con * losses.content_loss(real, fake)
        if options.lambda_adv:
            still = jax.lax.stop_gradient(fake)
            slopes, d_state = jax.grad(discriminator_loss, has_aux=True)(d, d_state, real, still)
            d, d_moments = adam_d.stateless_apply(d_moments, slopes, d)
            d, d_moments, d_state = jax.lax.stop_gradient((d, d_moments, d_state))
            logits, d_state = discriminator.stateless_call(d, d_state, fake, training=True)
            adversarial = losses.generator_adversarial_loss(logits, options.adversarial)
            loss += options.lambda_adv * adversarial
        if options.lambda_ssim:
            loss += options.lambda_ssim * losses.ssim_loss(real, fake)
        if options.lambda_mse:
            loss += options.lambda_mse * losses.mse_loss(real, fake)
        return loss, (state, d, d_state, d_moments)

    def augmented(clip: Any, key: Any) -> Any:
        """Augments a clip of values in [0, 255], as `data.augmentation` does."""
        zoom, colour, mirror = jax.random.split(key, 3)
        if options.zoom:
            scale, *corner = jax.random.uniform(zoom, (3,))
            scale = 1 + options.zoom * scale
            moved = -clip.shape[1] * (scale - 1) * jnp.stack(corner)
            clip = jax.image.scale_and_translate(
                clip, clip.shape, (1, 2), jnp.stack([scale] * 2), moved, "linear", antialias=False
            )
        if options.colour:
            change = options.colour * (2 * jax.random.uniform(colour, (5,)) - 1)
            clip = (1 + change[1]) * (127.5 + (1 + change[0]) * (clip - 127.5))
            clip = jnp.clip((1 + change[2:] / 2) * clip, 0, 255)
        if options.flip:
            clip = jnp.where(jax.random.uniform(mirror) < 0.5, clip[:, :, ::-1], clip)
        return clip

    def step(carry: Any, indices: Any, key: Any, data: Any) -> Any:
        g, g_state, g_moments, d, d_state, d_moments, average, done = carry
        keys = jax.random.split(key, len(indices))
        real = jax.vmap(augmented)(data[indices].astype("float32"), keys) / 127.5 - 1
        slopes, (g_state, d, d_state, d_moments) = jax.grad(generator_loss, has_aux=True)(
            g, g_state, d, d_state, d_moments, real
        )
        g, g_moments = adam_g.stateless_apply(g_moments, slopes, g)
        decay = jnp.minimum(options.ema_decay, (1 + done) / (10 + done)) * (done > 0)
        now = [*g, *(g_state[at] for at in statistics)]
        average = [decay * a + (1 - decay) * b for a, b in zip(average, now, strict=True)]
        return g, g_state, g_moments, d, d_state, d_moments, average, done + 1

    @functools.partial(jax.jit, donate_argnums=0)
    def steps(carry: Any, indices: Any, keys: Any, data: Any) -> Any:
        return jax.lax.scan(lambda c, x: (step(c, *x, data), None), carry, (indices, keys))[0]

    def averaged(carry: Any) -> tuple[list[Any], list[Any]]:
        state, average = list(carry[1]), carry[6]
        for at, value in zip(statistics, average[len(weights_of_g) :], strict=True):
            state[at] = value
        return average[: len(weights_of_g)], state

    @jax.jit
    def errors(g: Any, state: Any, data: Any) -> Any:
        def of_some(clips: Any) -> Any:
            real = clips.astype("float32") / 127.5 - 1
            fake, _ = generator.stateless_call(g, state, real[:, 0], training=False)
            return losses.content_loss(real, fake), losses.mse_loss(real, fake)

        return [x.mean() for x in jax.lax.map(of_some, data.reshape(-1, 8, *data.shape[1:]))]

    drawn = np.lib.format.open_memmap(clips, "r")
    data, tests = (jnp.asarray(drawn[part]) for part in split_indices())
    values = [
        [jnp.array(variable.value) for variable in variables]
        for variables in (
            *(weights_of_g, generator.non_trainable_variables, adam_g.variables),
            *(discriminator.trainable_variables, discriminator.non_trainable_variables),
            adam_d.variables,
        )
    ]
    carry = (*values, [*values[0], *(values[1][at] for at in statistics)], 0.0)
    order = _order(len(data), options.seed)
    key, found = jax.random.key(options.seed), []
    for first in range(0, STEPS, CHUNK):
        indices = np.array(list(itertools.islice(order, CHUNK * options.batch_size)))
        keys = jax.random.split(jax.random.fold_in(key, first), CHUNK)
        carry = steps(carry, indices.reshape(CHUNK, options.batch_size), keys, data)
        if (first + CHUNK) % TEST_EVERY:
            continue
        g, state = averaged(carry)
        l1, mse = (round(float(error), 5) for error in errors(g, state, tests))
        found.append({"step": first + CHUNK, "test_l1": l1, "test_mse": mse})
        print(trial, found[-1], flush=True)
        for variable, value in zip(
            (*weights_of_g, *generator.non_trainable_variables), (*g, *state), strict=True
        ):
            variable.assign(value)
        output.mkdir(parents=True, exist_ok=True)
        generator.save(output / f"{trial}.keras")
        result = {"settings": TRIALS[trial], "device": jax.devices()[0].device_kind, "tests": found}
        (output / f"{trial}.json").write_text(json.dumps(result, indent=1) + "\n")


def _order(clips: int, seed: int) -> Iterator[int]:
    rng = np.random.default_rng(seed)
    while True:
        yield from rng.permutation(clips).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--trial", choices=TRIALS)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("runs/trials_jax"))
    given = parser.parse_args()
    if given.draw:
        draw(given.clips)
    if given.trial:
        train(given.trial, given.clips, given.output)


if __name__ == "__main__":
    main()
