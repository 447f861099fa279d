"""Sets up the process before the work starts: proxies, and how TensorFlow and Keras load."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import warnings
from collections.abc import Iterator

from ssagan_tf.errors import DataError

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
NO_FOLDER = os.devnull  # a path under which no file exists or can be created
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")


def use_onednn() -> None:
    """Turns on TensorFlow's oneDNN kernels, unless TF_ENABLE_ONEDNN_OPTS is set already.

    Every program of this package does so. Call it in your own program before the first
    `import tensorflow` or `import keras`: TensorFlow reads the variable then, and by itself turns
    these kernels on for the newest CPUs only. On older ones, gradients of 3D convolutions can take
    20 to 100 times as long without them.
    """
    os.environ.setdefault(ONEDNN, "1")


def bypass_proxies(*hosts: str) -> None:
    """Exempts this machine from the environment's proxies, by adding its names to no_proxy.

    Args:
      hosts: Other hosts to reach without a proxy.
    """
    variables = ("no_proxy", "NO_PROXY")  # libraries differ in which one they read first
    exempt = [host.strip() for each in variables for host in os.environ.get(each, "").split(",")]
    all_hosts = filter(None, dict.fromkeys([*exempt, *THIS_MACHINE, *hosts]))
    # "*" means all hosts, but only on its own.
    os.environ |= dict.fromkeys(variables, "*" if "*" in exempt else ",".join(all_hosts))


def without_proxies() -> None:
    """Removes all proxies from the environment, for a program that contacts no other machine.

    Some libraries read them on import, and fail if a proxy is of a kind they don't support.
    """
    for name in [name for name in os.environ if name.lower() in _PROXIES]:
        del os.environ[name]


def load_tensorflow() -> None:
    """Imports TensorFlow and initializes its devices without log messages.

    oneDNN is on (see `use_onednn`), and Keras has its default settings, whatever the user's
    keras.json says. If TF_CPP_MIN_LOG_LEVEL is set, messages are shown at that level. Objects that
    exist by then are no longer searched for garbage.

    Raises:
      DataError: KERAS_BACKEND names another backend.
    """
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend != "tensorflow":
        raise DataError(f"KERAS_BACKEND={backend}: this program needs tensorflow; unset it")
    use_onednn()
    # TensorFlow imports Keras, which reads keras.json from KERAS_HOME. The user's file is for the
    # user's own networks: its backend, precision and axis order must not affect ours.
    os.environ |= {"KERAS_BACKEND": backend, "KERAS_HOME": NO_FOLDER}
    # Raised by Keras 3 on NumPy 2 when weights are saved; harmless.
    warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
    if "tensorflow" in sys.modules:
        return
    silent = LOG_LEVEL not in os.environ
    if silent:
        os.environ[LOG_LEVEL] = "2"
    # TensorFlow's first messages ignore the level, so stderr is closed for the moment.
    with _no_stderr() if silent else contextlib.nullcontext(), _without_garbage_collection():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        # Two large operations at a time, each on all cores, would evict each other's caches.
        tf.config.threading.set_inter_op_parallelism_threads(1)
    if silent:
        del os.environ[LOG_LEVEL]  # TensorFlow has read it; child processes decide for themselves


def make_deterministic() -> None:
    """Makes TensorFlow give bit-identical results on every run.

    On a CPU, gradients are reproducible only if operations also run one at a time.

    Raises:
      DataError: TensorFlow has already run an operation, after which this cannot be set.
    """
    import tensorflow as tf

    try:
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        raise DataError("--deterministic must be set before TensorFlow is first used") from error
    tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Exempts all objects that there are at the end from garbage collection, now and later.

    Searching TensorFlow's modules for garbage, of which there is hardly any, takes a second while
    they are imported and another one when the process ends.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
