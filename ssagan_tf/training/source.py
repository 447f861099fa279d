"""Where a generator comes from: a training run, or a `.keras` file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from ssagan_tf.options import ComputeOptions, OptionError, SourceOptions
from ssagan_tf.training.run import Run, open_run

if TYPE_CHECKING:
    from ssagan_tf.models import Network


@dataclasses.dataclass(frozen=True)
class Source:
    """A run, or else a file. Whether it can be loaded shows when it is."""

    run: Run | None
    file: Path | None
    checkpoint: str = ""

    @property
    def name(self) -> str:
        """As it was given."""
        return str(self.run.folder if self.run else self.file)

    @property
    def about(self) -> str:
        """Which generator it is, in words."""
        return self.name + (f", checkpoint {self.checkpoint}" if self.checkpoint else "")

    def how(self, fit: str = "auto") -> str:
        """How photos are made square (`video.fit`): as told, or `auto`, as the run's clips were."""
        if fit != "auto":
            return fit
        return self.run.data.fit if self.run else "stretch"

    def load(self, compute: ComputeOptions | None = None) -> Network:
        """Loads the generator; imports TensorFlow.

        Raises:
          DataError: It is missing, damaged or no generator.
        """
        if self.run:
            from ssagan_tf.training import checkpoint

            return checkpoint.load_generator(self.run, compute, self.checkpoint)
        from ssagan_tf.models.saved import load_generator

        return load_generator(self.file, compute)


def at(path: Path) -> Source:
    """A run if it is a folder, else a file.

    Raises:
      DataError: The folder is no run.
    """
    return Source(open_run(path), None) if path.is_dir() else Source(None, path)


def find(options: SourceOptions) -> Source:
    """The source that the settings name.

    Raises:
      OptionError: Both or none is given, or a checkpoint of a file.
      DataError: There is no such run.
    """
    if bool(options.run_dir) == bool(options.model):
        raise OptionError("run_dir", options.run_dir, "give either --run_dir or --model")
    if options.run_dir:
        return Source(open_run(options.run_dir), None, options.checkpoint)
    if options.checkpoint:
        raise OptionError("checkpoint", options.checkpoint, "is of a run; --model is a file")
    return Source(None, Path(options.model))
