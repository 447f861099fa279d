"""A run from its settings to `generator.keras`."""

from __future__ import annotations

import dataclasses
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
from ssagan_tf.files import replacing_file
from ssagan_tf.options import ModelOptions, OptionError, PrepareOptions, TrainOptions, require
from ssagan_tf.progress import Progress
from ssagan_tf.training import callbacks
from ssagan_tf.training.checkpoint import Checkpoints
from ssagan_tf.training.gan import GAN
from ssagan_tf.training.run import (
    CHECKPOINTS,
    GENERATOR_FILE,
    SYNTHETIC_DATA,
    check_same_run,
    write_settings,
)

SYNTHETIC = "synthetic"


def train(model: ModelOptions, options: TrainOptions) -> None:
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
    prepared = _prepared(model, options)
    if prepared is not None:
        _check_size(prepared, model)
    check_same_run(model, options, prepared and prepared.info)

    # Networks, optimizers, and where an earlier command has brought them.
    gan = GAN(models.build_generator(model), models.build_discriminator(model), options)
    print(_summary(gan, model, options, prepared))
    if options.dry_run:
        print("dry run: nothing was written")
        return
    if prepared is None:
        prepared = _write_synthetic(model, options)
        check_same_run(model, options, prepared.info)
    checkpoints = Checkpoints(gan, run_dir / CHECKPOINTS, options.keep_checkpoints)
    resumed = checkpoints.restore_latest()
    start = gan.step
    if start >= options.steps and (run_dir / GENERATOR_FILE).is_file():
        print(f"the run in {run_dir} is finished (step {start}); --steps beyond that goes on")
        return
    write_settings(model, options, prepared.info)
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
        _fit(gan, dataset, prepared, options, checkpoints, start)

    # The result.
    with replacing_file(run_dir / GENERATOR_FILE) as temporary:
        gan.generator.save(temporary)
    print(f"generator: {run_dir / GENERATOR_FILE}")
    print(f"samples:   {run_dir / 'samples'} (the last one: step_{gan.step:06d}.mp4)")


def make_deterministic() -> None:
    """Same bits on every run: the CPU's gradients need one op at a time as well.

    Raises:
      DataError: TensorFlow has begun to work already, too late for this.
    """
    try:
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        raise DataError("--deterministic must be set before TensorFlow is first used") from error
    tf.config.experimental.enable_op_determinism()


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
    ):
        gan.fit(
            dataset,
            steps_per_epoch=last - start,
            shuffle=False,
            verbose=0,
            callbacks=[
                callbacks.LogLosses(options.log_every, last, log),
                callbacks.WriteSamples(
                    options.sample_every,
                    last,
                    log,
                    _sample_clips(prepared, options),
                    options.samples,
                    options.batch_size,
                    run_dir / "samples",
                    options.fps,
                    progress,
                ),
                # After the others: what they wrote up to here belongs to the checkpoint.
                callbacks.SaveCheckpoints(options.checkpoint_every, last, checkpoints),
                callbacks.ShowProgress(progress),
            ],
        )


def _split_updates(clips: Any, options: TrainOptions) -> Any:
    shape = (options.batch_size, options.discriminator_updates, *clips.shape[1:])
    return tf.reshape(clips, shape)


def _synthetic_folder(options: TrainOptions) -> Path:
    return Path(options.run_dir) / SYNTHETIC_DATA


def _prepared(model: ModelOptions, options: TrainOptions) -> PreparedSet | None:
    """The set to train on; None if it is the synthetic one, which is yet to be written."""
    if options.data != SYNTHETIC:
        return open_set(options.data)
    folder = _synthetic_folder(options)
    return open_set(folder) if (folder / INFO_FILE).is_file() else None


def _write_synthetic(model: ModelOptions, options: TrainOptions) -> PreparedSet:
    folder = _synthetic_folder(options)
    clouds = PrepareOptions(
        output=str(folder),
        layout="synthetic",
        resolution=model.resolution,
        synthetic_clips=options.synthetic_clips,
        seed=options.seed,
    )
    with Progress("synthetic clouds", None) as progress:
        writer.prepare(clouds, progress.at)
    return open_set(folder)


def _check_size(prepared: PreparedSet, model: ModelOptions) -> None:
    side = prepared.info.resolution
    if side != model.resolution:
        raise OptionError(
            "resolution",
            model.resolution,
            f"the clips in {prepared.folder} are {side}×{side}; give --resolution={side}, "
            "or prepare them at this size",
        )


def _sample_clips(prepared: PreparedSet, options: TrainOptions) -> np.ndarray:
    split = "test" if prepared.info.splits["test"].clips else "train"
    wanted = max(options.test_clips, options.samples)
    batches = pipeline.clips_in_order(prepared, split, batch=1).take(wanted)
    return np.concatenate([clips.numpy() for clips, _ in batches])


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
        f"run: {options.steps} steps of {options.discriminator_updates} discriminator updates and "
        f"1 generator update, {options.batch_size} clips each, in {options.run_dir}"
    )
