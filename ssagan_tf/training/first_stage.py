"""The frozen first stage of a run that trains a second one.

The run keeps a copy, so that it needs nothing else: its checkpoints hold the second stage alone,
and both are joined where the run's generator is read. Beside the copy a record says where it came
from and what its weights are, by their fingerprint: a run cannot go on with another first stage.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from ssagan_tf import box, limits, models
from ssagan_tf.errors import DataError
from ssagan_tf.files import replacing_file
from ssagan_tf.models import Network
from ssagan_tf.models.loading import fingerprint
from ssagan_tf.options import ComputeOptions, ModelOptions, OptionError, TrainOptions
from ssagan_tf.training import generator_source
from ssagan_tf.training.run_folder import FLAGS_FILE, STAGE1_FILE, STAGE1_RECORD, open_run


@dataclasses.dataclass(frozen=True)
class FirstStage:
    """A first stage.

    Attributes:
      network: Image → clip.
      fingerprint: Of its weights and settings.
      origin: Path that it was read from.
    """

    network: Network
    fingerprint: str
    origin: str

    def __str__(self) -> str:
        return (
            f"first stage: {self.network.options.network} from {self.origin} "
            f"(fingerprint {self.fingerprint[:12]})"
        )

    def keep(self, folder: Path) -> None:
        """Writes copy and record into a run's folder, unless it has them.

        Raises:
          DataError: They cannot be written.
        """
        if (folder / FLAGS_FILE).is_file() and (folder / STAGE1_FILE).is_file():
            return
        with replacing_file(folder / STAGE1_FILE) as temporary:
            self.network.save(temporary)
        record = {
            "from": self.origin,
            "fingerprint": self.fingerprint,
            "model": dataclasses.asdict(self.network.options),
        }
        with replacing_file(folder / STAGE1_RECORD) as temporary:
            temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def check_first_stage(model: ModelOptions, options: TrainOptions) -> None:
    """Refuses a first stage where there can be none, is none, or is one that does not fit.

    Raises:
      OptionError: It is missing, not wanted, has two stages itself, or is of another resolution.
      DataError: There is no such run or file.
    """
    takes_clip, path = models.spec_of(model).takes_clip, Path(options.stage1)
    if not takes_clip and options.stage1:
        raise OptionError("stage1", path, f"{model.network} has one stage; leave it out")
    if not takes_clip:
        return
    resumed = (Path(options.run_dir) / FLAGS_FILE).is_file()
    if not options.stage1:
        if resumed:
            return
        raise OptionError(
            "stage1",
            "",
            f"is needed: {model.network} refines the clips of a first stage; name a run of train "
            "or a FILE.keras",
        )
    if box.is_name(options.stage1):
        return  # whether it fits shows when it is loaded
    if not path.exists():
        instead = "name a run or a FILE.keras"
        if resumed:  # a flags.cfg names the copy, where the run was
            instead = "leave it out, or give an empty --stage1= after it: the run has a copy"
        raise DataError(f"{path}: no such first stage; {instead}")
    if path.is_dir():
        _check_fit(open_run(path).model, path, model)


def load_first_stage(
    model: ModelOptions, compute: ComputeOptions, options: TrainOptions
) -> FirstStage | None:
    """The first stage of a run, or None if it has one stage only. After `check_first_stage`.

    Args:
      model: The second stage.
      compute: How both are computed.
      options: `stage1`, or else the copy in `run_dir`.

    Raises:
      OptionError: It is not the one that the run was begun with, or does not fit.
      DataError: It is damaged, or no generator of clips from photos.
    """
    if not models.spec_of(model).takes_clip:
        return None
    folder = Path(options.run_dir)
    place = options.stage1 or folder / STAGE1_FILE
    network = generator_source.at(place).load(compute)
    _check_fit(network.options, place, model)
    first = FirstStage(network, fingerprint(network), str(place))
    if (folder / FLAGS_FILE).is_file() and _recorded(folder) != first.fingerprint:
        if not options.stage1:
            raise DataError(f"{place} was changed: it is not what the run was begun with")
        raise OptionError(
            "stage1",
            place,
            f"is not the first stage that the run in {folder} was begun with; leave it out (the "
            "run has a copy), or give another --run_dir",
        )
    return first


def _check_fit(first: ModelOptions, place: str | Path, second: ModelOptions) -> None:
    if models.spec_of(first).takes_clip:
        raise OptionError(
            "stage1", place, f"has two stages: {first.network} and its first one; name that one"
        )
    if first.resolution != second.resolution:
        raise OptionError(
            "stage1",
            place,
            f"makes clips of {first.resolution}×{first.resolution}, but --resolution is "
            f"{second.resolution}",
        )


def _recorded(folder: Path) -> str:
    """Fingerprint of the first stage that a run was begun with."""
    path = folder / STAGE1_RECORD
    try:
        return limits.parse_json(limits.read_text(path, limits.NOTE_BYTES))["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"cannot read {path}, the record of the first stage: {error}") from error
