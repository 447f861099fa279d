"""Trains a run, from its settings to `generator.keras`."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ssagan_tf import models, remote
from ssagan_tf.data import pipeline
from ssagan_tf.data.dataset_info import PreparedSet
from ssagan_tf.errors import DataError, Stopped
from ssagan_tf.files import locked_folder, remove_leftovers, replacing_file
from ssagan_tf.models.loading import fingerprint
from ssagan_tf.options import (
    ComputeOptions,
    ModelOptions,
    OptionError,
    TrainOptions,
    require,
)
from ssagan_tf.progress import Progress
from ssagan_tf.startup import make_deterministic
from ssagan_tf.training import callbacks, strategy, training_data
from ssagan_tf.training.checkpoint import Checkpoints
from ssagan_tf.training.first_stage import check_first_stage, load_first_stage
from ssagan_tf.training.gan import GAN, NonFiniteError
from ssagan_tf.training.initial_weights import load_initial
from ssagan_tf.training.objectives import check_objective
from ssagan_tf.training.run_folder import (
    CHECKPOINTS,
    GENERATOR_FILE,
    SAMPLES,
    STAGE1_FILE,
    check_same_run,
    settled,
    write_settings,
)
from ssagan_tf.training.signals import Interruption
from ssagan_tf.training.summary import summary


def train(model: ModelOptions, compute: ComputeOptions, options: TrainOptions) -> None:
    """Trains a run to its last step, from its newest checkpoint if it has one.

    Raises:
      OptionError: A setting is missing, invalid, or differs from the run's.
      DataError: The data or the run's folder cannot be used, or training diverged.
      Stopped: A signal was received; the state is saved.
    """
    require(options, "data", "run_dir")
    if options.deterministic:
        make_deterministic()
    devices = strategy.make_strategy(options.strategy, options.replicas)
    with strategy.reporting_lost_workers(devices):
        _train(model, compute, options, devices)


def _train(
    model: ModelOptions,
    compute: ComputeOptions,
    options: TrainOptions,
    devices: tf.distribute.Strategy,
) -> None:
    check_objective(model, options)
    check_first_stage(model, options)
    keras.utils.set_random_seed(options.seed)

    # The run's folder and data.
    options = dataclasses.replace(options, run_dir=remote.resolve(options.run_dir))
    if options.data != training_data.SYNTHETIC:
        options = dataclasses.replace(options, data=remote.resolve(options.data))
    if options.stage1:
        options = dataclasses.replace(options, stage1=str(Path(options.stage1).resolve()))
    options = settled(options)
    prepared = training_data.find_set(options)
    strategy.mean_of_workers(devices)  # all workers have looked before one writes
    if prepared is not None:
        training_data.check_clips(prepared, model, options)
    _check_batch_size(options, devices)
    check_same_run(model, compute, options, prepared and prepared.info)

    # Networks, optimizers, and their initial weights.
    with devices.scope():
        generator = models.build_generator(model, compute)
        discriminator = models.build_discriminator(model, compute)
        first = load_first_stage(model, compute, options)
        initial = _load_initial_weights(generator, model, compute, options)
        gan = GAN(generator, discriminator, options, first and first.network)
    begins_with = options.init_from if initial else ""
    print(summary(gan, model, options, prepared, first, begins_with, devices), flush=True)
    if first:
        _check_same_network(devices, "stage1", first.fingerprint)
    if initial:
        _check_same_network(devices, "init_from", initial)
    if options.dry_run:
        print("dry run: nothing was written")
        return
    writes = strategy.is_chief(devices)
    with locked_folder(options.run_dir) if writes else contextlib.nullcontext():
        if options.data == training_data.SYNTHETIC:
            prepared = prepared or training_data.synthetic_set(model, options, devices)
            check_same_run(model, compute, options, prepared.info)
            training_data.check_clips(prepared, model, options)
        if first:
            if writes:
                first.save(Path(options.run_dir))
            # The run's settings name its copy: what --stage1 named may be trained further.
            options = dataclasses.replace(options, stage1=str(Path(options.run_dir) / STAGE1_FILE))
        _train_in_folder(gan, model, compute, options, prepared, devices)


def _train_in_folder(
    gan: GAN,
    model: ModelOptions,
    compute: ComputeOptions,
    options: TrainOptions,
    prepared: PreparedSet,
    devices: tf.distribute.Strategy,
) -> None:
    run_dir = Path(options.run_dir)
    writes = strategy.is_chief(devices)
    checkpoints = Checkpoints(gan, run_dir / CHECKPOINTS, options.keep_checkpoints, writes)
    resumed = checkpoints.restore_latest()
    start = gan.step
    if strategy.mean_of_workers(devices, start) != start:
        raise DataError(f"the workers see different checkpoints: {run_dir} must be a shared folder")
    if start >= options.steps and (run_dir / GENERATOR_FILE).is_file():
        print(f"the run in {run_dir} is finished (step {start}); increase --steps to continue it")
        return
    if writes:
        for folder in (run_dir, run_dir / SAMPLES):
            remove_leftovers(folder)
        checkpoints.remove_leftovers()
        write_settings(model, compute, options, prepared.info)
    if options.skip_corrupt:
        prepared = training_data.without_damaged_records(prepared, run_dir, devices)
        training_data.check_clips(prepared, model, options)
    elif start < options.steps:
        prepared = training_data.local_copy(prepared, options)
    print(f"resuming at step {start} of {options.steps}" if resumed else "starting at step 0")

    # Training.
    if start < options.steps and writes:
        # The run is not finished any more: its former result must not be taken for the new one.
        (run_dir / GENERATOR_FILE).unlink(missing_ok=True)
    while gan.step < options.steps:
        try:
            _fit(gan, prepared, options, checkpoints, devices)
        except NonFiniteError as error:
            _roll_back(gan, options, checkpoints, error)

    # The result.
    if writes:
        _write_generator(gan, run_dir / GENERATOR_FILE)
        print(f"generator: {run_dir / GENERATOR_FILE}")
        print(f"samples:   {run_dir / SAMPLES} (the last one: step_{gan.step:06d}.mp4)")
    strategy.mean_of_workers(devices)  # no worker exits while another may need it


def _fit(
    gan: GAN,
    prepared: PreparedSet,
    options: TrainOptions,
    checkpoints: Checkpoints,
    devices: tf.distribute.Strategy,
) -> None:
    """Trains to the last step.

    Raises:
      NonFiniteError: A metric or weight became NaN or infinite; that state was not saved.
      DataError: A record is damaged, memory or disk space ran out, or a worker was lost.
      Stopped: A signal was received; the state is saved.
    """
    start, last = gan.step, options.steps
    writes = strategy.is_chief(devices)
    with (
        Progress("train", last, start) as progress,
        Interruption() as interruption,
        pipeline.reading_errors(prepared),
        _explained_errors(checkpoints),
    ):
        if strategy.has_other_hosts(devices):
            gan.must_stop = lambda: bool(interruption.signal)
        progress.print("compiling; the first step takes a while")
        run_callbacks = [
            callbacks.StopOnNonFinite(),
            *(_writing_callbacks(gan, prepared, options, checkpoints, progress) if writes else ()),
            callbacks.StopOnSignal(interruption, checkpoints),
            callbacks.ShowProgress(progress),
        ]
        batches = training_data.training_batches(
            prepared, options, devices, step=start, rollbacks=int(gan.rollbacks.numpy())
        )
        _run_steps(gan, batches, last, run_callbacks, devices)
        strategy.mean_of_workers(devices)  # the chief has saved
    if gan.step < last:
        raise Stopped(
            f"stopped and saved at step {gan.step}; run the same command again to resume",
            interruption.signal or signal.SIGTERM,  # another host may have received it
        )


def _run_steps(
    gan: GAN,
    batches: tf.data.Dataset | tf.distribute.DistributedDataset,
    last: int,
    run_callbacks: list[keras.callbacks.Callback],
    devices: tf.distribute.Strategy,
) -> None:
    """Does what `gan.fit` does. Keras' version first exchanges a batch of clips between hosts."""

    @tf.function(autograph=False)
    def step(iterator: Any) -> dict[str, tf.Tensor]:
        metrics = devices.run(gan.train_step, (next(iterator),))
        # They are the same on all replicas.
        return {name: devices.experimental_local_results(each)[0] for name, each in metrics.items()}

    run_callbacks = keras.callbacks.CallbackList(run_callbacks, model=gan)
    iterator = iter(batches)
    gan.stop_training = False
    run_callbacks.on_train_begin()
    while gan.step < last and not gan.stop_training:
        run_callbacks.on_train_batch_begin(gan.step)
        metrics = {name: float(value) for name, value in step(iterator).items()}
        run_callbacks.on_train_batch_end(gan.step, metrics)
    run_callbacks.on_train_end()


def _writing_callbacks(
    gan: GAN,
    prepared: PreparedSet,
    options: TrainOptions,
    checkpoints: Checkpoints,
    progress: Progress,
) -> list[keras.callbacks.Callback]:
    run_dir, last = Path(options.run_dir), options.steps
    log = callbacks.MetricsLog(run_dir, gan.step)
    split, test_clips = training_data.sample_clips(prepared, options)
    return [
        callbacks.LogMetrics(options.log_every, last, log),
        callbacks.WriteSamples(
            options.sample_every,
            last,
            log,
            split=split,
            clips=test_clips,
            shown=options.samples,
            batch=options.batch_size,
            folder=run_dir / SAMPLES,
            fps=options.fps,
            checkpoints=checkpoints,
            progress=progress,
        ),
        # Last: what the others have written belongs to the checkpoint.
        callbacks.SaveCheckpoints(options.checkpoint_every, last, checkpoints),
    ]


def _roll_back(
    gan: GAN, options: TrainOptions, checkpoints: Checkpoints, error: NonFiniteError
) -> None:
    """Restores the newest checkpoint, and continues from there with other random numbers.

    Raises:
      DataError: `--rollbacks` is used up, or there is no checkpoint.
    """
    rollbacks, failed = int(gan.rollbacks.numpy()), gan.step
    what = f"{error} at step {failed}"
    if checkpoints.latest_step is None:
        raise DataError(
            f"{what}, before the first checkpoint; try a lower --learning_rate"
        ) from error
    if rollbacks >= options.rollbacks:
        raise DataError(
            f"{what}; the last good checkpoint is that of step {checkpoints.latest_step}, from "
            "which the same command resumes; --rollbacks=3 tries other random numbers from there; "
            "if that does not help, start a run with a lower --learning_rate"
        ) from error
    checkpoints.restore_latest()
    gan.rollbacks.assign(rollbacks + 1)
    print(f"{what}; rolled back to step {gan.step}, with other random numbers", flush=True)


def _write_generator(gan: GAN, path: Path) -> None:
    generator = gan.generator
    if gan.options.ema_decay:
        generator = models.build_generator(generator.options, generator.compute)
        gan.average_into(generator)
    with replacing_file(path) as temporary:
        gan.from_photos(generator).save(temporary)


@contextlib.contextmanager
def _explained_errors(checkpoints: Checkpoints) -> Iterator[None]:
    """Adds to errors what to do after an interruption, or if memory runs out."""
    try:
        yield
    except KeyboardInterrupt as error:
        step = checkpoints.latest_step or 0
        raise KeyboardInterrupt(f"the same command resumes from step {step}") from error
    except tf.errors.ResourceExhaustedError as error:
        raise DataError("out of memory; use a smaller --batch_size") from error


def _load_initial_weights(
    generator: keras.Model, model: ModelOptions, compute: ComputeOptions, options: TrainOptions
) -> str:
    """Loads the weights of `--init_from`, if given; returns their fingerprint or ''."""
    initial = load_initial(model, compute, options)
    if initial is None:
        return ""
    generator.set_weights(initial.get_weights())
    return fingerprint(initial)


def _check_same_network(devices: tf.distribute.Strategy, name: str, digest: str) -> None:
    """Raises DataError unless all workers loaded the same network."""
    number = int(digest[:8], 16)
    if strategy.mean_of_workers(devices, number) != number:
        raise DataError(f"the workers see different networks: --{name} must be a shared file")


def _check_batch_size(options: TrainOptions, devices: tf.distribute.Strategy) -> None:
    replicas = devices.num_replicas_in_sync
    if options.batch_size % replicas:
        raise OptionError(
            "batch_size",
            options.batch_size,
            f"must be a multiple of the {replicas} devices that share it",
        )
