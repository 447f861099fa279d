"""The devices that train together: a `tf.distribute` strategy from flags and TF_CONFIG."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator

import tensorflow as tf

from ssagan_tf.errors import DataError
from ssagan_tf.options import OptionError

CLUSTER = "TF_CONFIG"  # the variable in which tf.distribute expects the workers


def make_strategy(kind: str, replicas: int) -> tf.distribute.Strategy:
    """Creates the strategy. To be called before TensorFlow initializes its devices.

    Args:
      kind: `auto`: `multi_worker` if TF_CONFIG names several workers, `mirrored` if there are
        several GPUs or if `replicas` asks for them, else `one_device`.
      replicas: Devices of this host; 0: all GPUs.

    Raises:
      OptionError: The machine or TF_CONFIG does not have the devices that were requested.
      DataError: The workers cannot connect, or TensorFlow has been used already.
    """
    if kind == "auto":
        several = replicas > 1 or (not replicas and len(_gpus()) > 1)
        kind = "mirrored" if several else "one_device"
        if _number_of_workers() > 1:
            kind = "multi_worker"
    if kind == "one_device":
        if replicas > 1:
            raise OptionError("replicas", replicas, "--strategy=one_device uses a single device")
        return tf.distribute.get_strategy()
    if kind == "mirrored":
        return tf.distribute.MirroredStrategy(_devices(replicas))
    return _multi_worker(replicas)


def _devices(replicas: int) -> list[str]:
    if gpus := _gpus():
        if replicas > len(gpus):
            raise OptionError("replicas", replicas, f"there are only {len(gpus)} GPUs")
        return [f"/gpu:{number}" for number in range(replicas or len(gpus))]
    if not replicas:
        raise OptionError(
            "strategy",
            "mirrored",
            "no GPU found; to try it, --replicas=2 splits the CPU into two devices",
        )
    try:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * replicas,
        )
    except RuntimeError as error:
        raise DataError("devices must be configured before TensorFlow is first used") from error
    return [f"/cpu:{number}" for number in range(replicas)]


def _multi_worker(replicas: int) -> tf.distribute.Strategy:
    workers = _number_of_workers()
    if not workers:
        raise OptionError(
            "strategy",
            "multi_worker",
            f"needs the environment variable {CLUSTER} on each host; see docs/training.md",
        )
    if replicas:
        raise OptionError(
            "replicas", replicas, "each worker uses all GPUs of its host; leave it out"
        )
    print(f"waiting for the {workers} workers in {CLUSTER}", flush=True)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"the workers in {CLUSTER} cannot connect: {reason}") from error


def _gpus() -> list[tf.config.PhysicalDevice]:
    return tf.config.list_physical_devices("GPU")


def _number_of_workers() -> int:
    text = os.environ.get(CLUSTER, "")
    try:
        cluster = json.loads(text or "{}").get("cluster", {})
        return sum(len(cluster.get(kind, ())) for kind in ("chief", "worker"))
    except (ValueError, AttributeError, TypeError) as error:
        raise OptionError(
            "strategy", "auto", f"cannot read the environment variable {CLUSTER}: {error}"
        ) from error


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the run's files."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    if "chief" in resolver.cluster_spec().jobs:
        return resolver.task_type == "chief"
    return resolver.task_id == 0


def has_other_hosts(strategy: tf.distribute.Strategy) -> bool:
    """Whether processes on other hosts take part."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


@contextlib.contextmanager
def reporting_lost_workers(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Turns TensorFlow's errors after the loss of a worker into one that says what to do.

    Raises:
      DataError: A worker was lost.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError) as error:
        if not has_other_hosts(strategy):
            raise
        reason = str(error).splitlines()[0]
        raise DataError(
            f"lost another worker ({reason}); start all of them again to resume from the newest "
            "checkpoint"
        ) from error


def mean_of_workers(strategy: tf.distribute.Strategy, value: float = 0.0) -> float:
    """Waits for all workers, and returns the mean of their values."""
    if not has_other_hosts(strategy):
        return value
    mean = _mean_of_replicas(strategy)(tf.constant(value, tf.float64))
    return float(strategy.experimental_local_results(mean)[0])


@functools.cache
def _mean_of_replicas(strategy: tf.distribute.Strategy) -> Callable[[tf.Tensor], tf.Tensor]:
    """Cached, because TensorFlow warns when a new function is traced at each call."""

    def mean(value: tf.Tensor) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        # A copy, because it must be on the replica's device.
        return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.identity(value))

    return tf.function(lambda value: strategy.run(mean, (value,)), autograph=False)
