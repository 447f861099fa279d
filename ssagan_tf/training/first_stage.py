"""The frozen first stage of a run that trains a second stage.

The run keeps a copy, so that it needs nothing else: its checkpoints contain the second stage only,
and both are joined when the run's generator is loaded. A record next to the copy says where it came
from and what its fingerprint is: a run cannot be resumed with another first stage.
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
      network: The generator, image → clip.
      fingerprint: The fingerprint of its weights and settings.
      origin: The path that it was loaded from.
    """

    network: Network
    fingerprint: str
    origin: str

    def __str__(self) -> str:
        return (
            f"first stage: {self.network.options.network} from {self.origin} "
            f"(fingerprint {self.fingerprint[:12]})"
        )

    def save(self, folder: Path) -> None:
        """Writes the copy and its record into a run's folder, unless they exist.

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
    """Checks `stage1`, without loading it.

    Raises:
      OptionError: It is missing, or given for a network with a single stage; or it has two stages
        itself, or another resolution.
      DataError: The run or file does not exist.
    """
    takes_clip, path = models.spec_of(model).takes_clip, Path(options.stage1)
    if not takes_clip and options.stage1:
        raise OptionError("stage1", path, f"{model.network} has a single stage; leave it out")
    if not takes_clip:
        return
    resumed = (Path(options.run_dir) / FLAGS_FILE).is_file()
    if not options.stage1:
        if resumed:
            return
        raise OptionError(
            "stage1",
            "",
            f"is required: {model.network} refines the clips of a first stage; give a run of train "
            "or a FILE.keras",
        )
    if box.is_name(options.stage1):
        return  # checked when it is loaded
    if not path.exists():
        instead = "give a run or a FILE.keras"
        if resumed:  # flags.cfg of a run that was moved names the copy in its old folder
            instead = "leave it out, or add an empty --stage1= after it: the run has a copy"
        raise DataError(f"{path}: first stage not found; {instead}")
    if path.is_dir():
        _check_fit(open_run(path).model, path, model)


def load_first_stage(
    model: ModelOptions, compute: ComputeOptions, options: TrainOptions
) -> FirstStage | None:
    """Loads the first stage of a run; None if the run has a single stage.

    Call `check_first_stage` before.

    Args:
      model: The second stage.
      compute: How both stages are computed.
      options: `stage1`, or where that is empty, `run_dir` with the copy.

    Raises:
      OptionError: It is not the one that the run was started with, or does not fit.
      DataError: It is damaged, or no generator from photos to clips.
    """
    if not models.spec_of(model).takes_clip:
        return None
    folder = Path(options.run_dir)
    place = options.stage1 or folder / STAGE1_FILE
    network = generator_source.resolve(place).load(compute)
    _check_fit(network.options, place, model)
    first = FirstStage(network, fingerprint(network), str(place))
    if (folder / FLAGS_FILE).is_file() and _recorded(folder) != first.fingerprint:
        if not options.stage1:
            raise DataError(f"{place} was changed: the run was started with another first stage")
        raise OptionError(
            "stage1",
            place,
            f"is not the first stage that the run in {folder} was started with; leave it out (the "
            "run has a copy), or give another --run_dir",
        )
    return first


def _check_fit(first: ModelOptions, place: str | Path, second: ModelOptions) -> None:
    if models.spec_of(first).takes_clip:
        raise OptionError(
            "stage1", place, f"has two stages: {first.network} and its first stage; give the latter"
        )
    if first.resolution != second.resolution:
        raise OptionError(
            "stage1",
            place,
            f"generates clips of {first.resolution}×{first.resolution}, but --resolution is "
            f"{second.resolution}",
        )


def _recorded(folder: Path) -> str:
    """The fingerprint of the first stage that a run was started with."""
    path = folder / STAGE1_RECORD
    try:
        return limits.parse_json(limits.read_text(path, limits.NOTE_BYTES))["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"cannot read {path}, the record of the first stage: {error}") from error
