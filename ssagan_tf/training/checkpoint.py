"""Checkpoints of the complete training state, and generators loaded from a run."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path

import keras
import tensorflow as tf

from ssagan_tf import limits, models
from ssagan_tf.errors import DataError
from ssagan_tf.files import remove_leftovers, replacing_file, without_wildcards
from ssagan_tf.models import loading
from ssagan_tf.models.two_stage import join_stages
from ssagan_tf.options import ComputeOptions, OptionError
from ssagan_tf.training.ema import ExponentialMovingAverages
from ssagan_tf.training.gan import GAN
from ssagan_tf.training.run_folder import CHECKPOINTS, GENERATOR_FILE, STAGE1_FILE, Run

BEST_FILE = "best.json"  # step and content loss of the best checkpoint


class Checkpoints:
    """Saves and restores both networks, both optimizers, and the number of rollbacks.

    That is the complete state of a run: the generator's optimizer counts the steps, and the
    position in the data and all random numbers follow from the step and the seed.

    Args:
      gan: Its state is saved.
      folder: Folder of the checkpoints.
      keep: Number of newest checkpoints to keep, in addition to the best.
      writes: Whether this process saves, or another worker does.
    """

    def __init__(self, gan: GAN, folder: Path, keep: int, writes: bool = True):
        self._gan = gan
        self._checkpoint = tf.train.Checkpoint(
            generator=_by_name(gan.generator.weights),
            generator_optimizer=_by_name(
                [*gan.generator_optimizer.variables, *_variables(gan.averages)]
            ),
            discriminator=_by_name(gan.discriminator.weights),
            discriminator_optimizer=_by_name(gan.discriminator_optimizer.variables),
            rollbacks=gan.rollbacks,
        )
        self._folder, self._keep, self._writes = folder, keep, writes
        self._saved_step: int | None = None  # step whose state is on disk and not changed since

    def save(self) -> None:
        """Saves the state under its step, and removes all but the newest few and the best.

        Raises:
          NonFiniteError: A weight is NaN or infinite. Nothing was written.
          DataError: The checkpoint cannot be written; older ones stay.
        """
        if not self._writes or self._saved_step == self._gan.step:
            return
        self._gan.check_finite()
        path = self._folder / f"step-{self._gan.step}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._checkpoint.write(str(path))
        except (tf.errors.OpError, OSError) as error:
            _remove(path)
            reason = str(error).splitlines()[0]
            raise DataError(f"cannot save a checkpoint in {self._folder}: {reason}") from error
        self._saved_step = self._gan.step
        self._remove_old()

    def save_if_best(self, loss: float) -> None:
        """Saves the state, and keeps it as the best, if this is the lowest loss on test clips.

        Raises:
          NonFiniteError, DataError: As for `save`.
        """
        best = _best(self._folder)
        if self._writes and (best is None or loss < best[1]):
            self.save()
            with replacing_file(self._folder / BEST_FILE) as temporary:
                temporary.write_text(json.dumps({"step": self._gan.step, "content_loss": loss}))
            self._remove_old()

    def _remove_old(self) -> None:
        best = _best(self._folder)
        # Damaged checkpoints of later steps may be newer than the one just saved.
        keep = {self._saved_step, best and best[0]}
        for path in _paths(self._folder)[self._keep :]:
            if _step_of(path) not in keep:
                _remove(path)

    def remove_leftovers(self) -> None:
        """Removes what a process left behind that was killed while saving."""
        complete = {path.name for path in _paths(self._folder)}
        for path in self._folder.glob("step-*_temp"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self._folder.glob("step-*.data-*"):
            if path.stem not in complete:
                path.unlink(missing_ok=True)
        remove_leftovers(self._folder)

    @property
    def latest_step(self) -> int | None:
        """Step of the newest checkpoint."""
        return newest_step(self._folder)

    def restore_latest(self) -> bool:
        """Restores the newest checkpoint that can be read; returns False if there is none at all.

        Raises:
          DataError: There are some, but none can be read, or they belong to other networks.
        """
        restored = _restore_first(self._checkpoint, _paths(self._folder))
        self._saved_step = restored and _step_of(restored)
        return restored is not None


def newest_step(folder: Path) -> int | None:
    """Step of the newest checkpoint in a folder."""
    return next(map(_step_of, _paths(folder)), None)


def _paths(folder: Path) -> list[Path]:
    """Checkpoints in a folder, newest first. Found by their index file, which is written last."""
    found = [
        path.with_suffix("")
        for path in folder.glob("step-*.index")
        if re.fullmatch(r"step-[0-9]{1,18}\.index", path.name)
    ]
    return sorted(found, key=_step_of, reverse=True)


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _best(folder: Path) -> tuple[int, float] | None:
    """Step and loss of the best checkpoint, if there is one."""
    try:
        values = limits.parse_json(limits.read_text(folder / BEST_FILE, limits.NOTE_BYTES))
        step, loss = int(values["step"]), float(values["content_loss"])
        exists = (folder / f"step-{step}.index").exists()  # OSError: the name is too long
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return (step, loss) if exists else None


def _remove(path: Path) -> None:
    # The index first: without it the remaining files do not count as a checkpoint.
    for part in (path.with_suffix(".index"), *path.parent.glob(f"{path.name}.data-*")):
        with contextlib.suppress(OSError):
            part.unlink()
    shutil.rmtree(path.with_name(f"{path.name}_temp"), ignore_errors=True)


def load_generator(run: Run, compute: ComputeOptions | None = None, which: str = "") -> keras.Model:
    """Loads a run's generator, with averaged weights if the run averages them.

    A second stage is joined to its first stage.

    Args:
      run: The run.
      compute: How it is computed.
      which: `best`, `newest` or a step; by default that of the finished run, or the newest.

    Raises:
      OptionError: There is no such checkpoint.
      DataError: The run has no checkpoint, or it cannot be read.
    """
    path = run.folder / GENERATOR_FILE
    if not which and path.is_file():
        print(f"generator: {path}")
        return loading.load_generator(path, compute)
    folder = run.folder / CHECKPOINTS
    paths = _paths(folder)
    if not paths:
        raise DataError(f"the run in {run.folder} has no checkpoint yet: train it first")
    if which not in ("", "newest"):
        best = _best(folder)
        step = (best and best[0]) if which == "best" else int(which)
        steps = [_step_of(path) for path in paths]
        if step not in steps:
            kept = ", ".join(map(str, sorted(steps)))
            raise OptionError("checkpoint", which, f"not found: the run has the steps {kept}")
        paths = [paths[steps.index(step)]]
    _check_size(run, paths)
    generator = models.build_generator(run.model, compute)
    averages = ExponentialMovingAverages(generator, run.train) if run.train.ema_decay else None
    checkpoint = tf.train.Checkpoint(
        generator=_by_name(generator.weights),
        generator_optimizer=_by_name(_variables(averages)),
    )
    restored = _restore_first(checkpoint, paths)
    if averages:
        averages.assign_to(generator)
    print(f"generator: {restored}" + ("" if which else " (the run is not finished)"))
    if models.spec_of(run.model).takes_clip:
        return join_stages(loading.load_generator(run.folder / STAGE1_FILE, compute), generator)
    return generator


def _check_size(run: Run, paths: list[Path]) -> None:
    """Refuses settings that need more memory than the checkpoints have: runs may be untrusted."""
    size = max(
        sum(part.stat().st_size for part in path.parent.glob(f"{path.name}.data-*"))
        for path in paths
    )
    if 4 * models.spec_of(run.model).generator.min_weights(run.model) > size:
        raise DataError(
            f"the settings in {run.folder} need more weights than its checkpoints have: they are "
            "damaged, or those of another run"
        )


def _variables(averages: ExponentialMovingAverages | None) -> list[keras.Variable]:
    return averages.variables if averages else []


def _by_name(variables: list[keras.Variable]) -> dict[str, tf.Variable]:
    # Explicitly: TensorFlow does not find all variables of a Keras 3 model through its attributes.
    named = {variable.path: variable.value for variable in variables}
    if len(named) != len(variables):
        raise ValueError("two variables have the same name")
    return named


def _restore_first(checkpoint: tf.train.Checkpoint, paths: list[Path]) -> Path | None:
    """Restores the first checkpoint that can be read, and returns its path; None without any."""
    for path in paths:
        try:
            _restore(checkpoint, path)
            return path
        except DataError as error:
            if path == paths[-1]:
                raise
            print(f"{error}; trying the previous one", flush=True)
    return None


def _restore(checkpoint: tf.train.Checkpoint, path: Path) -> None:
    try:
        with without_wildcards(path.parent) as folder:
            status = checkpoint.read(str(folder / path.name))
            # Every variable must be in the file, or training would resume with some of them reset.
            status.assert_existing_objects_matched()
            status.expect_partial()
    except Exception as error:  # damaged files raise many kinds, IndexError among them
        reason = (
            "it belongs to other networks"
            if isinstance(error, AssertionError)
            else str(error).splitlines()[0]
        )
        raise DataError(f"cannot restore the checkpoint {path}: {reason}") from error
