"""A run from its settings to `generator.keras`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ssagan_tf import models
from ssagan_tf.data import pipeline, writer
from ssagan_tf.data.info import FILE_NAME as INFO_FILE
from ssagan_tf.data.info import PreparedSet, open_set
from ssagan_tf.errors import DataError
from ssagan_tf.files import remove_leftovers, replacing_file
from ssagan_tf.options import (
    ComputeOptions,
    ModelOptions,
    OptionError,
    PrepareOptions,
    TrainOptions,
    require,
)
from ssagan_tf.progress import Progress
from ssagan_tf.startup import make_deterministic
from ssagan_tf.training import callbacks
from ssagan_tf.training.checkpoint import Checkpoints
from ssagan_tf.training.gan import GAN
from ssagan_tf.training.run import (
    CHECKPOINTS,
    GENERATOR_FILE,
    SAMPLES,
    SYNTHETIC_FOLDER,
    check_same_run,
    refuse_change,
    write_settings,
)

SYNTHETIC = "synthetic"


def train(model: ModelOptions, compute: ComputeOptions, options: TrainOptions) -> None:
    """Trains a run, from its newest checkpoint if it has one, to the last step.

    Raises:
      OptionError: A setting is missing, impossible, or not the run's.
      DataError: The data or the run's folder cannot be used.
    """
    require(options, "data", "run_dir")
    if options.deterministic:
        make_deterministic()
    keras.utils.set_random_seed(options.seed)

    # The folder, and the data that it goes with.
    options = dataclasses.replace(options, run_dir=str(Path(options.run_dir).resolve()))
    run_dir = Path(options.run_dir)
    if options.data != SYNTHETIC:
        options = dataclasses.replace(options, data=str(Path(options.data).resolve()))
    prepared = _prepared(options)
    if prepared is not None:
        _check_clips(prepared, model)
    check_same_run(model, compute, options, prepared and prepared.info)

    # Networks, optimizers, and where an earlier command has brought them.
    gan = GAN(
        models.build_generator(model, compute), models.build_discriminator(model, compute), options
    )
    print(_summary(gan, model, options, prepared), flush=True)
    if options.dry_run:
        print("dry run: nothing was written")
        return
    if prepared is None:
        prepared = _write_synthetic(model, options)
        check_same_run(model, compute, options, prepared.info)
    checkpoints = Checkpoints(gan, run_dir / CHECKPOINTS, options.keep_checkpoints)
    resumed = checkpoints.restore_latest()
    start = gan.step
    if start >= options.steps and (run_dir / GENERATOR_FILE).is_file():
        print(f"the run in {run_dir} is finished (step {start}); more --steps go on with it")
        return
    for folder in (run_dir, run_dir / SAMPLES):
        remove_leftovers(folder)
    write_settings(model, compute, options, prepared.info)
    print(f"resuming at step {start} of {options.steps}" if resumed else "starting at step 0")

    # Training.
    clips_per_step = options.batch_size * options.discriminator_updates
    dataset = pipeline.training_batches(
        prepared,
        batch=clips_per_step,
        seed=options.seed,
        start=start * clips_per_step,
        flip=options.flip,
        shuffle_window=options.shuffle_window,
    ).map(lambda clips: _split_updates(clips, options))
    if start < options.steps:
        # The run is no longer finished: the file of an earlier end must not pass for its result.
        (run_dir / GENERATOR_FILE).unlink(missing_ok=True)
        _fit(gan, dataset, prepared, options, checkpoints, start)

    # The result.
    with replacing_file(run_dir / GENERATOR_FILE) as temporary:
        gan.generator.save(temporary)
    print(f"generator: {run_dir / GENERATOR_FILE}")
    print(f"samples:   {run_dir / SAMPLES} (the last one: step_{gan.step:06d}.mp4)")


def _fit(
    gan: GAN,
    dataset: tf.data.Dataset,
    prepared: PreparedSet,
    options: TrainOptions,
    checkpoints: Checkpoints,
    start: int,
) -> None:
    run_dir = Path(options.run_dir)
    last = options.steps
    log = callbacks.MetricsLog(run_dir, start)
    with (
        Progress("train", last, start) as progress,
        pipeline.reading_errors(prepared),
        _said_plainly(checkpoints),
    ):
        split, clips = _sample_clips(prepared, options)
        progress.say("compiling the step; the first one takes a while")
        gan.fit(
            dataset,
            steps_per_epoch=last - start,
            shuffle=False,
            verbose=0,
            callbacks=[
                callbacks.StopOnNonFinite(options.checkpoint_every, last, checkpoints),
                callbacks.LogLosses(options.log_every, last, log),
                callbacks.WriteSamples(
                    options.sample_every,
                    last,
                    log,
                    split=split,
                    clips=clips,
                    shown=options.samples,
                    batch=options.batch_size,
                    folder=run_dir / SAMPLES,
                    fps=options.fps,
                    progress=progress,
                ),
                # After the others: what they wrote up to here belongs to the checkpoint.
                callbacks.SaveCheckpoints(options.checkpoint_every, last, checkpoints),
                callbacks.ShowProgress(progress),
            ],
        )


@contextlib.contextmanager
def _said_plainly(checkpoints: Checkpoints) -> Iterator[None]:
    """Says what to do after an interruption, or when the memory is too small."""
    try:
        yield
    except KeyboardInterrupt as error:
        step = checkpoints.latest_step or 0
        raise KeyboardInterrupt(f"the same command goes on from step {step}") from error
    except tf.errors.ResourceExhaustedError as error:
        raise DataError("out of memory; a smaller --batch_size needs less") from error


def _split_updates(clips: Any, options: TrainOptions) -> Any:
    shape = (options.batch_size, options.discriminator_updates, *clips.shape[1:])
    return tf.reshape(clips, shape)


def _prepared(options: TrainOptions) -> PreparedSet | None:
    """The set to train on; None if it is the synthetic one, which is yet to be written."""
    if options.data != SYNTHETIC:
        return open_set(options.data)
    folder = Path(options.run_dir) / SYNTHETIC_FOLDER
    if not (folder / INFO_FILE).is_file():
        return None
    prepared = open_set(folder)
    for name in ("seed", "synthetic_clips"):
        was, given = prepared.info.settings[name], getattr(options, name)
        if was != given:
            refuse_change(name, was, given, f"the set of synthetic clouds in {folder}")
    return prepared


def _write_synthetic(model: ModelOptions, options: TrainOptions) -> PreparedSet:
    clouds = PrepareOptions(
        output=str(Path(options.run_dir) / SYNTHETIC_FOLDER),
        layout="synthetic",
        resolution=model.resolution,
        synthetic_clips=options.synthetic_clips,
        seed=options.seed,
    )
    with Progress("synthetic clouds", None) as progress:
        writer.prepare(clouds, progress.at)
    return open_set(clouds.output)


def _check_clips(prepared: PreparedSet, model: ModelOptions) -> None:
    if not prepared.info.splits["train"].clips:
        raise DataError(f"{prepared.folder} has no clips to train on; lower its --test_fraction")
    side = prepared.info.resolution
    if side != model.resolution:
        raise OptionError(
            "resolution",
            model.resolution,
            f"the clips in {prepared.folder} are {side}×{side}; give --resolution={side}, "
            "or prepare them at this size",
        )


def _sample_clips(prepared: PreparedSet, options: TrainOptions) -> tuple[str, np.ndarray]:
    """Clips to look at, `[N, T, H, W, 3]` uint8, and the split they are of."""
    split = "test" if prepared.info.splits["test"].clips else "train"
    wanted = max(options.test_clips, options.samples)
    batches = pipeline.clips_in_order(prepared, split, batch=1).take(wanted)
    return split, np.concatenate([clips.numpy() for clips, _ in batches])


def _device() -> str:
    if gpus := tf.config.list_physical_devices("GPU"):
        names = [tf.config.experimental.get_device_details(gpu).get("device_name") for gpu in gpus]
        return f"GPU {names[0] or gpus[0].name}"
    why = "TF_CPP_MIN_LOG_LEVEL=0 shows why no GPU was found"
    return f"CPU with {os.cpu_count()} cores ({why})"


def _summary(
    gan: GAN, model: ModelOptions, options: TrainOptions, prepared: PreparedSet | None
) -> str:
    sizes = [f"{network.count_params():,}" for network in (gan.generator, gan.discriminator)]
    clips = (
        f"{options.synthetic_clips} synthetic clips"
        if prepared is None
        else " + ".join(
            f"{split.clips} {name} clips" for name, split in prepared.info.splits.items()
        )
    )
    side = model.resolution
    return (
        f"{model.network} {side}×{side}: generator {sizes[0]}, discriminator {sizes[1]} weights\n"
        f"data: {clips} from {options.data}\n"
        f"device: {_device()}\n"
        f"run: {options.steps} steps of {options.discriminator_updates} discriminator updates and "
        f"1 generator update, {options.batch_size} clips each, in {options.run_dir}"
    )
