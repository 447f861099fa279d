"""The clips that a run trains on, a prepared set or synthetic clouds: checks and batches."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ssagan_tf.data import cache, pipeline, salvage, seeds, writer
from ssagan_tf.data.augmentation import Augmentation
from ssagan_tf.data.dataset_info import FILE_NAME as INFO_FILE
from ssagan_tf.data.dataset_info import PreparedSet, open_set
from ssagan_tf.errors import DataError
from ssagan_tf.options import ModelOptions, OptionError, PrepareOptions, TrainOptions
from ssagan_tf.progress import Progress
from ssagan_tf.training import strategy
from ssagan_tf.training.run_folder import (
    SALVAGE_FOLDER,
    SYNTHETIC,
    SYNTHETIC_FOLDER,
    refuse_change,
)


def find_set(options: TrainOptions) -> PreparedSet | None:
    """Opens the set to train on; None for the synthetic one if it is not written yet."""
    if options.data != SYNTHETIC:
        return open_set(options.data, truncated=options.skip_corrupt)
    folder = Path(options.run_dir) / SYNTHETIC_FOLDER
    if not (folder / INFO_FILE).is_file():
        return None
    prepared = open_set(folder)
    for name in ("seed", "synthetic_clips", "wind"):
        # Sets of earlier versions have no `wind`.
        was, given = prepared.info.settings.get(name, "any"), getattr(options, name)
        if was != given:
            refuse_change(name, was, given, f"the set of synthetic clouds in {folder}")
    return prepared


def synthetic_set(
    model: ModelOptions, options: TrainOptions, devices: tf.distribute.Strategy
) -> PreparedSet:
    """Writes the synthetic clouds, or waits for another worker to write them."""
    clouds = PrepareOptions(
        output=str(Path(options.run_dir) / SYNTHETIC_FOLDER),
        layout="synthetic",
        resolution=model.resolution,
        synthetic_clips=options.synthetic_clips,
        wind=options.wind,
        seed=options.seed,
    )
    if strategy.is_chief(devices):
        with Progress("synthetic clouds", None) as progress:
            writer.prepare(clouds, progress.update)
    strategy.mean_of_workers(devices)
    return open_set(clouds.output)


def without_damaged_records(
    prepared: PreparedSet, run_dir: Path, devices: tf.distribute.Strategy
) -> PreparedSet:
    """The set without its damaged records; the run's folder has copies of their shards."""
    folder = run_dir / SALVAGE_FOLDER
    if strategy.is_chief(devices):
        with Progress("checking records", None) as progress:
            for line in salvage.write_salvaged(prepared, folder, progress.update):
                progress.print(f"skipped: {line}")
    strategy.mean_of_workers(devices)
    return salvage.open_salvaged(prepared, folder)


def local_copy(prepared: PreparedSet, options: TrainOptions) -> PreparedSet:
    """The copy of the set on this host's disk, if `cache` asks for one; otherwise the set."""
    if not options.cache:
        return prepared
    with Progress("copying the set", None) as progress:
        return cache.copy_to_cache(prepared, Path(options.cache), progress.update)


def check_clips(prepared: PreparedSet, model: ModelOptions, options: TrainOptions) -> None:
    """Raises OptionError or DataError unless the set has enough clips of the right size."""
    if not prepared.info.splits["train"].clips:
        raise DataError(f"{prepared.folder} has no clips to train on; lower its --test_fraction")
    if options.canonical_motion != "off":
        _check_drifts(prepared, options)
    clips = sum(map(Augmentation.of(options).takes, prepared.drifts("train")))
    side = prepared.info.resolution
    if side != model.resolution:
        raise OptionError(
            "resolution",
            model.resolution,
            f"the clips in {prepared.folder} are {side}×{side}; give --resolution={side}, "
            "or prepare them at this size",
        )
    if clips < options.batch_size:
        raise OptionError(
            "batch_size",
            options.batch_size,
            f"there are only {clips} clips to train on in {prepared.folder}",
        )


def _check_drifts(prepared: PreparedSet, options: TrainOptions) -> None:
    if prepared.info.layout == "synthetic":
        why = f"the skies in {prepared.folder} are synthetic, not measured; leave it out"
        raise OptionError("canonical_motion", options.canonical_motion, why)
    if prepared.info.drifts is None:
        raise DataError(
            f"{prepared.folder} has no measured drifts, which --canonical_motion needs; prepare "
            "the set again"
        )
    if not any(map(Augmentation.of(options).takes, prepared.drifts("train"))):
        raise OptionError(
            "canonical_threshold",
            options.canonical_threshold,
            f"no training clip in {prepared.folder} drifts that fast; lower it",
        )


def sample_clips(prepared: PreparedSet, options: TrainOptions) -> tuple[str, np.ndarray]:
    """Clips for samples, uint8 `[N, T, H, W, 3]`, and the split that they come from.

    They are selected and mirrored by their drift like training clips.
    """
    canonical = dataclasses.replace(Augmentation.of(options), flip=False)
    drifts = prepared.drifts("test")
    split = "test" if any(map(canonical.takes, drifts)) else "train"
    wanted = max(options.test_clips, options.samples)
    stored = pipeline.clips_in_order(prepared, split, batch=1)
    drifting = zip(stored, prepared.drifts(split), strict=True)
    taken = ((clip.numpy(), drift) for (clip, _), drift in drifting if canonical.takes(drift))
    return split, np.concatenate(
        [
            clip[:, :, :, ::-1] if canonical.mirrors(drift, drawn=1.0) else clip
            for clip, drift in itertools.islice(taken, wanted)
        ]
    )


def training_batches(
    prepared: PreparedSet,
    options: TrainOptions,
    devices: tf.distribute.Strategy,
    *,
    step: int,
    rollbacks: int,
) -> Any:
    """Batches from a step on: per replica uint8 `[B, discriminator_updates, T, H, W, 3]`."""
    clips_per_step = options.batch_size * options.discriminator_updates
    seed = seeds.other_seed(options.seed, rollbacks)

    def batches_of_host(context: tf.distribute.InputContext) -> tf.data.Dataset:
        dataset = pipeline.training_batches(
            prepared,
            batch=clips_per_step,
            seed=seed,
            start=step * clips_per_step,
            augmentation=Augmentation.of(options),
            shuffle_window=options.shuffle_window,
            pipeline=context.input_pipeline_id,
            pipelines=context.num_input_pipelines,
            replicas=context.num_replicas_in_sync,
        )
        return dataset.map(lambda clips: _split_updates(clips, options))

    return devices.distribute_datasets_from_function(batches_of_host)


def _split_updates(clips: Any, options: TrainOptions) -> Any:
    updates = options.discriminator_updates
    return tf.reshape(clips, (clips.shape[0] // updates, updates, *clips.shape[1:]))
