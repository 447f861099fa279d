"""From settings to systems: which ones `evaluate` is to compare, and how each of them is made.

A new kind of system is a class that has what `systems.System` says, and its place here: a setting
that names it, and a line in `RequestedSystems.make`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ssagan_tf import user_paths
from ssagan_tf.evaluation.baselines import BASELINES, baseline_systems, check_names
from ssagan_tf.evaluation.better_direction import BetterDirection, Mirrored
from ssagan_tf.evaluation.clip_folders import ClipFolder, named_paths
from ssagan_tf.evaluation.motion_transfer import LOOP_SUFFIX, SUFFIX, Transfer
from ssagan_tf.evaluation.protocols import PROTOCOLS
from ssagan_tf.evaluation.real_clips import REAL, RealClips
from ssagan_tf.evaluation.selection import Selection
from ssagan_tf.evaluation.systems import ClipsFromFolder, Generator, System
from ssagan_tf.options import EvaluateOptions, OptionError

_LONGEST_NAME = 200  # bytes; names of files are longer: NAME_transfer_median.png


class RequestedSystems:
    """The systems that the settings name.

    Attributes:
      runs: Folders of training runs, by the names of their rows.
      models: `.keras` files, likewise.

    Raises:
      OptionError: Nothing is named, a name is invalid or a duplicate, or a setting has no effect.
    """

    def __init__(self, options: EvaluateOptions):
        self._options = options
        self.runs = named_paths("run_dir", user_paths.split_paths(options.run_dir))
        self.models = named_paths("model", user_paths.split_paths(options.model))
        folders = named_paths("generated", options.generated)
        mirrored = named_paths("generated_mirrored", options.generated_mirrored)
        check_names(options.baselines)
        if not (self.runs or self.models or folders):
            raise OptionError("generated", "", "give --run_dir, --model or --generated")
        generators = [*self.runs, *self.models]
        self._suffixes = _transfer_suffixes(options)
        names = [*generators, *folders]
        names += [f"{name}{suffix}" for name in generators for suffix in self._suffixes]
        for name in names:
            if names.count(name) > 1 or name in (*BASELINES, REAL):
                raise OptionError(
                    "generated", name, "is the name of another row; give NAME=PATH with a new NAME"
                )
            if len(name.encode()) > _LONGEST_NAME:
                raise OptionError(
                    "generated", name, "is too long for names of files; give NAME=PATH"
                )
        for name in mirrored:
            if name not in folders:
                raise OptionError(
                    "generated_mirrored", name, "is not a row of --generated; give NAME=PATH"
                )
            if options.direction != "better":
                raise OptionError("generated_mirrored", name, "needs --direction=better")
        if options.checkpoint and not self.runs:
            raise OptionError("checkpoint", options.checkpoint, "needs --run_dir")
        for setting in ("attention_at", "transfer"):
            value = getattr(options, setting)
            if value and not generators:
                raise OptionError(setting, value, "needs a generator: give --run_dir or --model")
        self._folder_paths, self._mirrored_paths = folders, mirrored

    def open_folders(self) -> tuple[list[ClipFolder], dict[str, ClipFolder]]:
        """Opens the folders of clips, and by name those of the other direction.

        Raises:
          DataError: One is not found.
        """
        folders = [ClipFolder(name, path) for name, path in self._folder_paths.items()]
        mirrored = {
            name: ClipFolder(f"{name}, mirrored", path)
            for name, path in self._mirrored_paths.items()
        }
        return folders, mirrored

    def make(
        self,
        networks: Mapping[str, Any],
        sources: Mapping[str, str],
        folders: list[ClipFolder],
        mirrored: Mapping[str, ClipFolder],
        selection: Selection,
        real: RealClips,
    ) -> list[System]:
        """Makes the rows of the table, in their order.

        Args:
          networks: The generators, by name.
          sources: Where they were loaded from, in words.
          folders: The folders of clips, from `open_folders`.
          mirrored: The folders of the other direction, from `open_folders`.
          selection: The clips found in the folders.
          real: The real clips.

        Raises:
          OptionError: A baseline cannot be made from these clips.
        """

        def generator_rows(name: str) -> list[System]:
            generator = Generator(
                name,
                sources[name],
                networks[name],
                self._options.batch_norm,
                self._options.batch_size,
                keep=bool(self._suffixes),
            )
            transfers = [Transfer(generator, loop=s == LOOP_SUFFIX) for s in self._suffixes]
            return [generator, *transfers]

        def all_generator_rows() -> list[System]:
            return [row for name in networks for row in generator_rows(name)]

        def clips_in(folder: ClipFolder) -> ClipsFromFolder:
            return ClipsFromFolder(folder, selection.found[folder], real.names)

        # Each system, and the same in the other direction, if there is such a thing. Mirrored
        # generators are objects of their own, as they keep the photos of their first batch.
        both: list[tuple[System, System | None]] = [
            *zip(all_generator_rows(), map(Mirrored, all_generator_rows()), strict=True),
            *(
                (clips_in(f), clips_in(mirrored[f.name]) if f.name in mirrored else None)
                for f in folders
            ),
            *(
                (baseline, Mirrored(baseline) if baseline.photo_only else None)
                for baseline in baseline_systems(self._options.baselines, real)
            ),
        ]
        if self._options.direction == "as_given":
            return [system for system, _ in both]
        protocol = PROTOCOLS[self._options.protocol]
        return [BetterDirection(system, other, protocol) for system, other in both]


def _transfer_suffixes(options: EvaluateOptions) -> list[str]:
    """Suffixes of the rows of photos moved by a generator's clips."""
    if not options.transfer:
        return []
    return [SUFFIX, LOOP_SUFFIX] if options.loop_metrics else [SUFFIX]
