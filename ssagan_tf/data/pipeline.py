"""Prepared sets as `tf.data` datasets: batches of clips for training, and clips in order.

The training order is a pure function of (seed, epoch, index in the epoch) and can start anywhere,
so a resumed run sees the same batches as an uninterrupted one.
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
from ssagan_tf.data.augmentation import NO_AUGMENTATION, Augmentation
from ssagan_tf.data.dataset_info import PreparedSet
from ssagan_tf.errors import DataError
from ssagan_tf.remote import AnyPath, RemotePath


def training_batches(
    prepared: PreparedSet,
    *,
    batch: int,
    seed: int,
    start: int = 0,
    augmentation: Augmentation = NO_AUGMENTATION,
    shuffle_window: int = 512,
    pipeline: int = 0,
    pipelines: int = 1,
    replicas: int = 1,
) -> tf.data.Dataset:
    """Makes an endless dataset of training batches, which may span epochs.

    All hosts use the same order, and each decodes only its own part of each batch: no clip occurs
    twice in an epoch, and the global batches do not depend on the number of hosts.

    Args:
      prepared: The set.
      batch: Global batch size.
      seed: Seed of order and augmentation.
      start: Number of clips that the run has used before.
      augmentation: How to augment the clips; those that it does not take are left out.
      shuffle_window: Number of undecoded records that are shuffled together.
      pipeline: Index of this host.
      pipelines: Number of hosts.
      replicas: Replicas on all hosts; `batch` must be a multiple of it. Consecutive batches are
        for the replicas of this host in turn.

    Returns:
      A dataset of `[batch / replicas, 32, H, W, 3]` uint8.

    Raises:
      DataError: The set has no training clips.
    """
    all_drifts = prepared.drifts("train")
    count = sum(map(augmentation.takes, all_drifts))
    if not count:
        raise DataError(f"{prepared.folder} has no clips to train on")
    paths = tf.constant(prepared.paths("train"))
    drifts = tf.RaggedTensor.from_row_lengths(
        tf.constant(all_drifts, tf.float64), [shard.clips for shard in prepared.shards("train")]
    )
    first_epoch, first_index = divmod(start, count)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        shards = _shuffled(len(paths), seed, seeds.SHARDS, epoch)
        shuffled_drifts = tf.data.Dataset.from_tensor_slices(tf.gather(drifts, shards).values)
        clips = tf.data.Dataset.zip(_records(tf.gather(paths, shards)), shuffled_drifts)
        if augmentation.canonical_motion == "drop":
            clips = clips.filter(lambda _, drift: augmentation.takes(drift))
        skip = tf.where(epoch == first_epoch, tf.constant(first_index, tf.int64), 0)
        first_block = skip // shuffle_window
        blocks = clips.skip(first_block * shuffle_window)
        blocks = blocks.batch(shuffle_window).enumerate(first_block)

        def shuffle(block: tf.Tensor, stored: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, ...]:
            order = _shuffled(tf.shape(stored[0])[0], seed, seeds.BLOCKS, epoch, block)
            return tuple(tf.gather(values, order) for values in stored)

        return blocks.map(shuffle).unbatch().skip(skip % shuffle_window)

    def decode(index: tf.Tensor, stored: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        record, drift = stored
        clip = schema.decode_clip(record, prepared.info.resolution)
        return augmentation.apply(clip, seed, index, drift)

    records = tf.data.Dataset.counter(first_epoch).flat_map(one_epoch).enumerate(start)
    if pipelines > 1:
        part = batch // pipelines
        records = records.filter(lambda index, _: index % batch // part == pipeline)
    clips = records.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    batches = clips.batch(batch // replicas, drop_remainder=True)
    return batches.prefetch(2).with_options(_options())


def _shuffled(count: int | tf.Tensor, seed: int, *use: int | tf.Tensor) -> tf.Tensor:
    """Returns the numbers below `count` in random order."""
    return tf.random.experimental.stateless_shuffle(tf.range(count), seeds.seed(seed, *use))


def clips_in_order(prepared: PreparedSet, split: str, batch: int) -> tf.data.Dataset:
    """Makes a dataset of all clips of `train` or `test` in stored order.

    Args:
      prepared: The set.
      split: `train` or `test`; may be empty.
      batch: Clips per batch; the last batch may be smaller.

    Returns:
      A dataset of clips `[B, 32, H, W, 3]` uint8 and their names `[B]`.

    Raises:
      KeyError: There is no such split.
      tf.errors.OpError: During iteration, at a corrupt record; see `reading_errors`.
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
    """Reports which record is corrupt, if iterating over a dataset of `prepared` fails.

    Raises:
      DataError: A record is corrupt, or the remote storage of the set fails. The shards are
        searched only after an exception; one that they did not cause passes unchanged.
    """
    try:
        yield
    except _RECORD_ERRORS as error:
        if problem := _find_corrupt(prepared):
            raise DataError(
                f"{problem}; prepare the set again, or train with --skip_corrupt"
            ) from error
        raise
    except _STORAGE_ERRORS as error:
        if isinstance(prepared.folder, RemotePath):
            raise _unreadable(prepared.folder, error) from error
        raise


_RECORD_ERRORS = (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError)
_STORAGE_ERRORS = (
    tf.errors.UnknownError,
    tf.errors.DeadlineExceededError,
    tf.errors.PermissionDeniedError,
    tf.errors.UnauthenticatedError,
)


def _unreadable(path: AnyPath, error: tf.errors.OpError) -> DataError:
    # Without the names of graph nodes that TensorFlow adds.
    why = re.sub(r"\{\{.*?\}\}|\[\[.*?\]\]|\[Op:.*", "", " ".join(error.message.split()))
    return DataError(f"cannot read {path}: {why.strip(' :') or type(error).__name__}")


def _find_corrupt(prepared: PreparedSet) -> str | None:
    shards = {*prepared.shards("train"), *prepared.shards("test")}
    for shard in sorted(shards, key=lambda shard: shard.name):
        path = prepared.path(shard)
        index = 0
        try:
            if problem := _too_long(str(path)):
                return problem
            for record in tf.data.TFRecordDataset(str(path)):
                schema.decode_clip(record, prepared.info.resolution)
                index += 1
        except tf.errors.OpError as error:
            # Remote storage that does not respond looks like this, too.
            missing = isinstance(error, tf.errors.NotFoundError)
            if not isinstance(error, _RECORD_ERRORS) or (missing and not isinstance(path, Path)):
                raise _unreadable(path, error) from error
            return f"{path}: record {index} of {shard.clips} is corrupt ({type(error).__name__})"
        if index != shard.clips:
            return f"{path} has {index} records, expected {shard.clips}"
    return None


def _records(paths: tf.Tensor) -> tf.data.Dataset:
    """The records of files, whose lengths are checked when a file is first read."""

    def is_safe(path: bytes) -> bool:
        return _too_long(path.decode()) is None

    def check(path: tf.Tensor) -> tf.Tensor:
        safe = tf.numpy_function(is_safe, [path], tf.bool, stateful=False)
        with tf.control_dependencies([tf.debugging.Assert(safe, [path])]):
            return tf.identity(path)

    return tf.data.TFRecordDataset(tf.data.Dataset.from_tensor_slices(paths).map(check))


@functools.cache
def _too_long(path: str) -> str | None:
    """Returns which record claims to be too long, if any. TensorFlow reports other problems."""
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
    # The host's part of a batch is chosen above.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # With --deterministic, TensorFlow's own thread pool has a single thread.
    options.threading.private_threadpool_size = max(2, os.cpu_count() or 1)
    return options
