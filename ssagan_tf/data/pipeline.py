"""A prepared set as `tf.data`: batches of clips for training, and clips in order.

The order of training is a pure function of (seed, epoch, index in the epoch), the same in every
process, and can be entered anywhere: a resumed run sees what an uninterrupted one would.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from ssagan_tf.data import schema, seeds, tfrecord_format
from ssagan_tf.data.augmentation import NOTHING, Augmentation
from ssagan_tf.data.dataset_info import PreparedSet
from ssagan_tf.errors import DataError
from ssagan_tf.remote import AnyPath, RemotePath


def training_batches(
    prepared: PreparedSet,
    *,
    batch: int,
    seed: int,
    start: int = 0,
    augmentation: Augmentation = NOTHING,
    shuffle_window: int = 512,
    pipeline: int = 0,
    pipelines: int = 1,
    replicas: int = 1,
) -> tf.data.Dataset:
    """Endless batches of training clips; they run across the ends of epochs.

    Several hosts read the same order, and each decodes its own part of each batch only: no clip is
    trained on twice in an epoch, and the batches are the same whatever the number of hosts.

    Args:
      prepared: The set.
      batch: Clips per batch of all replicas together.
      seed: Seed of order and augmentation.
      start: Number of clips that the run has had before.
      augmentation: What is done to the clips; those that it does not take are no part of the
        order.
      shuffle_window: Number of records, undecoded, that are shuffled among each other.
      pipeline: Number of this host.
      pipelines: Number of hosts.
      replicas: Replicas on all hosts; the batch must be a multiple of it. Those of this host are
        fed in turns.

    Returns:
      A dataset of `[batch / replicas, 32, H, W, 3]` uint8.

    Raises:
      DataError: The set has no training clips.
    """
    every_drift = prepared.drifts("train")
    count = sum(map(augmentation.takes, every_drift))
    if not count:
        raise DataError(f"{prepared.folder} has no clips to train on")
    paths = tf.constant(prepared.paths("train"))
    drifts = tf.RaggedTensor.from_row_lengths(
        tf.constant(every_drift, tf.float64), [shard.clips for shard in prepared.shards("train")]
    )
    first_epoch, first_index = divmod(start, count)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        shards = _shuffled(len(paths), seed, seeds.SHARDS, epoch)
        told = tf.data.Dataset.from_tensor_slices(tf.gather(drifts, shards).values)
        clips = tf.data.Dataset.zip(_records(tf.gather(paths, shards)), told)
        if augmentation.canonical_motion == "drop":
            clips = clips.filter(lambda _, drift: augmentation.takes(drift))
        skip = tf.where(epoch == first_epoch, tf.constant(first_index, tf.int64), 0)
        first_block = skip // shuffle_window
        blocks = clips.skip(first_block * shuffle_window)
        blocks = blocks.batch(shuffle_window).enumerate(first_block)

        def mix(block: tf.Tensor, stored: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, ...]:
            order = _shuffled(tf.shape(stored[0])[0], seed, seeds.BLOCKS, epoch, block)
            return tuple(tf.gather(each, order) for each in stored)

        return blocks.map(mix).unbatch().skip(skip % shuffle_window)

    def decode(index: tf.Tensor, stored: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        record, drift = stored
        clip = schema.decode_clip(record, prepared.info.resolution)
        return augmentation.apply(clip, seed, index, drift)

    every = tf.data.Dataset.counter(first_epoch).flat_map(one_epoch).enumerate(start)
    if pipelines > 1:
        part = batch // pipelines
        every = every.filter(lambda index, _: index % batch // part == pipeline)
    clips = every.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    batches = clips.batch(batch // replicas, drop_remainder=True)
    return batches.prefetch(2).with_options(_options())


def _shuffled(count: int | tf.Tensor, seed: int, *use: int | tf.Tensor) -> tf.Tensor:
    """The numbers below `count` in an order that is drawn."""
    return tf.random.experimental.stateless_shuffle(tf.range(count), seeds.seed(seed, *use))


def clips_in_order(prepared: PreparedSet, split: str, batch: int) -> tf.data.Dataset:
    """All clips of `train` or `test` once, in stored order; the last batch may be smaller.

    Args:
      prepared: The set.
      split: `train` or `test`. One without clips gives no batches.
      batch: Clips per batch.

    Returns:
      A dataset of clips `[B, 32, H, W, 3]` uint8 and their names `[B]`.

    Raises:
      KeyError: There is no such split.
      tf.errors.OpError: While it is iterated, at a corrupt record; see `reading_errors`.
    """
    clips = _records(tf.constant(prepared.paths(split), tf.string)).map(
        lambda record: schema.decode_named_clip(record, prepared.info.resolution),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    clips = clips.apply(tf.data.experimental.assert_cardinality(prepared.info.splits[split].clips))
    return clips.batch(batch).prefetch(1).with_options(_options())


@contextlib.contextmanager
def reading_errors(prepared: PreparedSet) -> Iterator[None]:
    """Around the use of a dataset of `prepared`: says which record is corrupt.

    Raises:
      DataError: A record is corrupt, or the store of the set fails. The shards are only looked
        through if something was raised; what is not due to them is raised as it was.
    """
    try:
        yield
    except _OF_RECORDS as error:
        if complaint := _find_corrupt(prepared):
            raise DataError(
                f"{complaint}; prepare the set again, or train with --skip_corrupt"
            ) from error
        raise
    except _OF_STORES as error:
        if isinstance(prepared.folder, RemotePath):
            raise _unreadable(prepared.folder, error) from error
        raise


_OF_RECORDS = (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError)
_OF_STORES = (
    tf.errors.UnknownError,
    tf.errors.DeadlineExceededError,
    tf.errors.PermissionDeniedError,
    tf.errors.UnauthenticatedError,
)


def _unreadable(path: AnyPath, error: tf.errors.OpError) -> DataError:
    # TensorFlow puts the nodes of its graph around what the store says.
    why = re.sub(r"\{\{.*?\}\}|\[\[.*?\]\]|\[Op:.*", "", " ".join(error.message.split()))
    return DataError(f"cannot read {path}: {why.strip(' :') or type(error).__name__}")


def _find_corrupt(prepared: PreparedSet) -> str | None:
    shards = {*prepared.shards("train"), *prepared.shards("test")}
    for shard in sorted(shards, key=lambda shard: shard.name):
        path = prepared.path(shard)
        index = 0
        try:
            if claim := _too_long(str(path)):
                return claim
            for record in tf.data.TFRecordDataset(str(path)):
                schema.decode_clip(record, prepared.info.resolution)
                index += 1
        except tf.errors.OpError as error:
            missing = isinstance(error, tf.errors.NotFoundError)  # as in stores that do not answer
            if not isinstance(error, _OF_RECORDS) or (missing and not isinstance(path, Path)):
                raise _unreadable(path, error) from error
            return f"{path}: record {index} of {shard.clips} is corrupt ({type(error).__name__})"
        if index != shard.clips:
            return f"{path} has {index} records instead of {shard.clips}"
    return None


def _records(paths: tf.Tensor) -> tf.data.Dataset:
    """The records of files, whose lengths are looked at when a file is first read."""

    def look(path: bytes) -> bool:
        return _too_long(path.decode()) is None

    def looked_at(path: tf.Tensor) -> tf.Tensor:
        right = tf.numpy_function(look, [path], tf.bool, stateful=False)
        with tf.control_dependencies([tf.debugging.Assert(right, [path])]):
            return tf.identity(path)

    return tf.data.TFRecordDataset(tf.data.Dataset.from_tensor_slices(paths).map(looked_at))


@functools.cache
def _too_long(path: str) -> str | None:
    """Which record claims too much. Of what else is wrong, TensorFlow tells."""
    try:
        collections.deque(tfrecord_format.find_records(path), maxlen=0)
    except tfrecord_format.TooLongError as error:
        return f"{path}: {error}"
    except (OSError, ValueError):
        pass
    return None


def _options() -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    # What a host reads of a batch is chosen above.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # Deterministic training gives TensorFlow itself a single thread.
    options.threading.private_threadpool_size = max(2, os.cpu_count() or 1)
    return options
