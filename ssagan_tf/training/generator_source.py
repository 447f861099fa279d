"""Where a generator is loaded from: a training run, a `.keras` file, or the package itself."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ssagan_tf import box
from ssagan_tf.box import BundledModel
from ssagan_tf.options import ComputeOptions, OptionError, SourceOptions
from ssagan_tf.training.run_folder import Run, open_run

if TYPE_CHECKING:
    from ssagan_tf.models import Network


@dataclasses.dataclass(frozen=True)
class Source:
    """A run, a file, or a bundled model. Errors in it are found when it is loaded."""

    run: Run | None
    file: Path | None
    checkpoint: str = ""
    box: BundledModel | None = None

    @property
    def name(self) -> str:
        """The path as it was given, or the full name of a bundled model."""
        if self.box:
            return self.box.name
        return str(self.run.folder if self.run else self.file)

    @property
    def about(self) -> str:
        """Describes which generator it is."""
        if self.box:
            return self.box.about
        return self.name + (f", checkpoint {self.checkpoint}" if self.checkpoint else "")

    def how(self, fit: str = "auto") -> str:
        """How photos are made square (`video.fit`); `auto` is the way of the run's clips."""
        if fit != "auto":
            return fit
        return self.run.data.fit if self.run else "stretch"

    def load(self, compute: ComputeOptions | None = None) -> Network:
        """Loads the generator; imports TensorFlow.

        Raises:
          DataError: It is missing, damaged, or no generator.
        """
        if self.run:
            from ssagan_tf.training import checkpoint

            return checkpoint.load_generator(self.run, compute, self.checkpoint)
        from ssagan_tf.models import loading

        if self.box:
            with self.box.file() as path:
                return loading.load_generator(path, compute)
        return loading.load_generator(self.file, compute)


def resolve(place: str | Path) -> Source:
    """A bundled model if it is the name of one, a run if it is a folder, else a file.

    Raises:
      DataError: There is no such model, or the folder is not a run.
    """
    if isinstance(place, str) and box.is_name(place):
        return Source(None, None, box=box.find(place))
    path = Path(place)
    return Source(open_run(path), None) if path.is_dir() else Source(None, path)


def find(options: SourceOptions, otherwise: str = "") -> Source:
    """The source that the settings name.

    Args:
      options: The settings.
      otherwise: The model to use if neither a run nor a model is given.

    Raises:
      OptionError: Both or neither are given, or a checkpoint without a run.
      DataError: The run or the bundled model does not exist.
    """
    model = options.model or ("" if options.run_dir else otherwise)
    if bool(options.run_dir) == bool(model):
        raise OptionError("run_dir", options.run_dir, "give either --run_dir or --model, not both")
    if options.run_dir:
        return Source(open_run(options.run_dir), None, options.checkpoint)
    if options.checkpoint:
        raise OptionError(
            "checkpoint", options.checkpoint, "needs --run_dir: only runs have checkpoints"
        )
    return resolve(model) if box.is_name(model) else Source(None, Path(model))


def load_generator(
    model: str | os.PathLike[str] = box.BOX, compute: ComputeOptions | None = None
) -> Network:
    """Loads a generator from photos to clips: image `[B, S, S, 3]` → clip `[B, 32, S, S, 3]`.

    Inputs and outputs are float in [-1, 1]; the side S is `options.resolution`.

    Args:
      model: `"box"` for the bundled model, or the name of another one in the package; otherwise
        the path of a `.keras` file or of a run. A `Path`, or `"./box"`, is always a path.
      compute: How it is computed; by default in float32, or in float64 after
        `keras.config.set_dtype_policy("float64")`.

    Raises:
      DataError: The model does not exist, is damaged, or is no generator that takes photos.
    """
    place = model if isinstance(model, str) else Path(model)
    return resolve(place).load(compute or ComputeOptions())
