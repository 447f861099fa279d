"""What must happen before the work: no proxy before this machine, TensorFlow as it is needed."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator

from ssagan_tf.errors import DataError

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
NO_FOLDER = os.devnull  # in which nothing is found, and nothing can be written
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")


def use_onednn() -> None:
    """Turns TensorFlow's oneDNN kernels on, unless the environment says otherwise.

    TensorFlow does so itself, but on the newest CPUs only. On older ones its own gradients of 3D
    convolutions take up to a hundred times as long. It reads this when it is first imported.
    """
    os.environ.setdefault(ONEDNN, "1")


def reach_directly(*hosts: str) -> None:
    """Keeps the proxies of the environment from what this machine says to itself.

    Args:
      hosts: Others that are reached without a proxy, besides this machine's usual names.
    """
    variables = ("no_proxy", "NO_PROXY")  # libraries differ in which they look at first
    told = [name.strip() for each in variables for name in os.environ.get(each, "").split(",")]
    names = filter(None, dict.fromkeys([*told, *THIS_MACHINE, *hosts]))
    # "*", all hosts, must stand alone.
    os.environ |= dict.fromkeys(variables, "*" if "*" in told else ",".join(names))


def without_proxies() -> None:
    """Forgets the proxies of the environment, for a program that asks no other machine.

    Libraries look at them when they are imported, and end at the kinds that they don't know.
    """
    for name in [name for name in os.environ if name.lower() in _PROXIES]:
        del os.environ[name]


def load_tensorflow() -> None:
    """Imports TensorFlow and looks for devices, quietly. Keras then has its own defaults.

    With the environment variable TF_CPP_MIN_LOG_LEVEL set, everything is shown that it asks for.

    Raises:
      DataError: The environment asks Keras for another backend.
    """
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend != "tensorflow":
        raise DataError(f"KERAS_BACKEND={backend}: this program needs tensorflow; unset it")
    # TensorFlow imports Keras, which reads keras.json in this folder. A user's is for networks of
    # his own: another backend, precision or order of axes in it must not get into ours.
    os.environ |= {"KERAS_BACKEND": backend, "KERAS_HOME": NO_FOLDER}
    # Keras 3 on NumPy 2, when a weight is saved: no reason to stop where warnings are errors.
    warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
    if LOG_LEVEL in os.environ or "tensorflow" in sys.modules:
        return
    # Early messages ignore the level, so the stream itself is closed for the moment.
    os.environ[LOG_LEVEL] = "2"
    with _no_stderr():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        # Two large operations at once, on all cores each, push each other out of the caches.
        tf.config.threading.set_inter_op_parallelism_threads(1)
    del os.environ[LOG_LEVEL]  # read by now; a child process decides for itself


def make_deterministic() -> None:
    """Same bits on every run: the CPU's gradients need one op at a time as well.

    Raises:
      DataError: TensorFlow has begun to work already, too late for this.
    """
    import tensorflow as tf

    try:
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        raise DataError("--deterministic must be set before TensorFlow is first used") from error
    tf.config.experimental.enable_op_determinism()


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
