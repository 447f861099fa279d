"""Checkpoints of a whole training state, and generators read from a run."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import keras
import tensorflow as tf

from ssagan_tf import models
from ssagan_tf.errors import DataError
from ssagan_tf.options import ComputeOptions
from ssagan_tf.training.gan import GAN
from ssagan_tf.training.run import CHECKPOINTS, GENERATOR_FILE, Run


class Checkpoints:
    """Both networks with their statistics, and both optimizers.

    That is all there is to a run's state: the generator's optimizer counts the steps, and from
    the step and the seed follow the position in the data and every random draw.
    """

    def __init__(self, gan: GAN, folder: Path, keep: int):
        self._gan = gan
        self._checkpoint = tf.train.Checkpoint(
            generator=_by_name(gan.generator.weights),
            discriminator=_by_name(gan.discriminator.weights),
            generator_optimizer=_by_name(gan.generator_optimizer.variables),
            discriminator_optimizer=_by_name(gan.discriminator_optimizer.variables),
        )
        self._folder, self._keep = folder, keep

    def save(self) -> None:
        """Saves the state under its step, and removes all but the newest few.

        Raises:
          DataError: It cannot be written; older checkpoints stay.
        """
        path = self._folder / f"step-{self._gan.step}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._checkpoint.write(str(path))
        except (tf.errors.OpError, OSError) as error:
            _remove(path)
            reason = str(error).splitlines()[0]
            raise DataError(f"cannot save a checkpoint in {self._folder}: {reason}") from error
        for old in _paths(self._folder)[self._keep :]:
            _remove(old)

    @property
    def latest_step(self) -> int | None:
        """Step of the newest checkpoint."""
        return next(map(_step_of, _paths(self._folder)), None)

    def restore_latest(self) -> bool:
        """Restores the newest state that can be read; False if there is none.

        Raises:
          DataError: There are some, but none can be read or they are of other networks.
        """
        paths = _paths(self._folder)
        for path in paths:
            try:
                _restore(self._checkpoint, path)
                return True
            except DataError as error:
                if path == paths[-1]:
                    raise
                print(f"{error}; trying the one before", flush=True)
        return False


def _paths(folder: Path) -> list[Path]:
    """Checkpoints in a folder, newest first. Found by their index, which is written last."""
    found = [path.with_suffix("") for path in folder.glob("step-*.index")]
    return sorted(found, key=_step_of, reverse=True)


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _remove(path: Path) -> None:
    # The index first: without it the rest is no checkpoint any more.
    for part in (path.with_suffix(".index"), *path.parent.glob(f"{path.name}.data-*")):
        with contextlib.suppress(OSError):
            part.unlink()
    shutil.rmtree(path.with_name(f"{path.name}_temp"), ignore_errors=True)


def load_generator(run: Run, compute: ComputeOptions | None = None) -> keras.Model:
    """The finished run's generator, or that of the newest checkpoint.

    Raises:
      DataError: There is neither, or it cannot be read.
    """
    path = run.folder / GENERATOR_FILE
    if path.is_file():
        print(f"generator: {path}")
        return load_keras_generator(path, compute)
    latest = next(iter(_paths(run.folder / CHECKPOINTS)), None)
    if latest is None:
        raise DataError(f"the run in {run.folder} has no checkpoint yet; train it first")
    print(f"generator: {latest}, as the run is not finished")
    generator = models.build_generator(run.model, compute)
    _restore(tf.train.Checkpoint(generator=_by_name(generator.weights)), latest)
    return generator


def load_keras_generator(path: Path, compute: ComputeOptions | None = None) -> keras.Model:
    """Loads a generator from a `.keras` file, whatever precision it was trained in.

    Raises:
      DataError: It is missing, damaged, or not one of our generators.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; name a .keras file of train")
    if path.suffix != ".keras":
        raise DataError(f"{path} is no .keras file; name a generator.keras of train")
    try:
        generator = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds; none means more to the user
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"cannot load {path}: {reason}") from error
    if not isinstance(generator, models.Network) or len(generator.input_axes) != 3:
        raise DataError(f"{path} holds no generator of this project; name a generator.keras")
    again = models.build_generator(generator.options, compute)
    again.set_weights(generator.get_weights())
    return again


def _by_name(variables: list[keras.Variable]) -> dict[str, tf.Variable]:
    # Explicitly: not all variables of a Keras 3 model are reached through its attributes.
    named = {variable.path: variable.value for variable in variables}
    if len(named) != len(variables):
        raise ValueError("two variables share a name")
    return named


def _restore(checkpoint: tf.train.Checkpoint, path: Path) -> None:
    try:
        status = checkpoint.read(str(path))
        # Everything that is here must come from the file, or training would go on half-fresh.
        status.assert_existing_objects_matched()
        status.expect_partial()
    except Exception as error:  # a damaged file shows in many kinds, IndexError among them
        reason = (
            "it is of other networks"
            if isinstance(error, AssertionError)
            else str(error).splitlines()[0]
        )
        raise DataError(f"cannot restore the checkpoint {path}: {reason}") from error
