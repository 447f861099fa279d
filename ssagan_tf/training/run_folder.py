"""A run's folder: the settings and the data it was made with, so that it can be gone on with.

flags.cfg           all settings; `--flagfile=flags.cfg` goes on with the run
dataset_info.json   of the prepared set it trains on
stage1.keras        of a second stage: a copy of its frozen first stage; stage1.json says whence
checkpoints/ samples/ tensorboard/ metrics.jsonl generator.keras
"""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import NoReturn

from ssagan_tf import box, flags, limits
from ssagan_tf.data.dataset_info import FILE_NAME as INFO_FILE
from ssagan_tf.data.dataset_info import DatasetInfo
from ssagan_tf.errors import DataError
from ssagan_tf.files import LOCK_FILE, refuse_links, replacing_file
from ssagan_tf.options import ComputeOptions, ModelOptions, OptionError, Section, TrainOptions

FLAGS_FILE = "flags.cfg"
CHECKPOINTS = "checkpoints"
SAMPLES = "samples"
TENSORBOARD = "tensorboard"
METRICS_FILE = "metrics.jsonl"
SYNTHETIC = "synthetic"  # instead of a set
SYNTHETIC_FOLDER = "data"  # where a run on synthetic clouds keeps them
SALVAGE_FOLDER = "whole"  # copies of damaged shards without their damaged records
GENERATOR_FILE = "generator.keras"
STAGE1_FILE, STAGE1_RECORD = "stage1.keras", "stage1.json"
SECTIONS = (ModelOptions, ComputeOptions, TrainOptions)  # what a run is made with


@dataclasses.dataclass(frozen=True)
class Run:
    """A run on disk."""

    folder: Path
    model: ModelOptions
    compute: ComputeOptions
    train: TrainOptions
    data: DatasetInfo


def open_run(folder: str | Path) -> Run:
    """Reads what a run was made with.

    Raises:
      DataError: There is no run, or its settings cannot be read.
    """
    folder = Path(folder)
    path = folder / FLAGS_FILE
    if not path.is_file():
        raise DataError(f"{folder} holds no run (no {FLAGS_FILE}); name a --run_dir of train")
    try:
        values = flags.from_file(str(path), alone=True)
        sections = [flags.read(kind, values) for kind in SECTIONS]
        if sections[-1].ema_ramp_up == "auto":  # begun before there was this setting
            sections[-1] = dataclasses.replace(sections[-1], ema_ramp_up="off")
        data = DatasetInfo.from_json(limits.read_text(folder / INFO_FILE, limits.DESCRIPTION_BYTES))
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot read the run in {folder}: {error}; mend the file, or name another --run_dir"
        ) from error
    return Run(folder, *sections, data)


def settled(train: TrainOptions) -> TrainOptions:
    """The settings with what a run decides when it begins, and keeps when it is resumed.

    Raises:
      DataError: The folder's run cannot be read.
    """
    folder = Path(train.run_dir)
    if (folder / FLAGS_FILE).is_file():
        begun = open_run(folder).train
    else:
        begun = dataclasses.replace(train, ema_ramp_up="on")
    file = train.init_from
    if file and not box.is_name(file):
        file = str(Path(file).resolve())
    ramp_up = begun.ema_ramp_up if train.ema_ramp_up == "auto" else train.ema_ramp_up
    return dataclasses.replace(train, init_from=file or begun.init_from, ema_ramp_up=ramp_up)


def check_same_run(
    model: ModelOptions, compute: ComputeOptions, train: TrainOptions, data: DatasetInfo | None
) -> None:
    """Refuses to go on with a run under other settings or with other clips.

    A folder without a run is fine if it is not there, or holds only what a command that was
    killed before it wrote `flags.cfg` leaves.

    Raises:
      OptionError: Names the first setting that differs.
      DataError: The folder's run cannot be read, or parts of it lie elsewhere.
    """
    folder = Path(train.run_dir)
    flags.to_lines(model, compute, train)  # which can be written
    _refuse_links(folder, train)
    if not (folder / FLAGS_FILE).is_file():
        if folder.exists() and not _is_hardly_begun(folder):
            raise OptionError("run_dir", folder, "holds something else than a run; name another")
        train.check_new_run()
        return
    run = open_run(folder)
    for before, now in ((run.model, model), (run.compute, compute), (run.train, train)):
        _check_same(before, now, folder)
    if data is not None and run.data.fingerprint != data.fingerprint:
        raise OptionError(
            "data",
            train.data,
            f"holds other clips than the run in {folder} was begun with; "
            "give those, or another --run_dir",
        )
    if train.canonical_motion != "off" and data and run.data.drifts != data.drifts:
        raise OptionError(
            "data",
            train.data,
            f"says otherwise how its clips drift than when the run in {folder} was begun; "
            "give the set as it was, or another --run_dir",
        )


def _refuse_links(folder: Path, train: TrainOptions) -> None:
    """What a run writes and removes is in its folder, whoever began it."""
    parts = (FLAGS_FILE, INFO_FILE, METRICS_FILE, GENERATOR_FILE, STAGE1_FILE, STAGE1_RECORD)
    parts += (CHECKPOINTS, SAMPLES, TENSORBOARD, SALVAGE_FOLDER)
    parts += (SYNTHETIC_FOLDER,) if train.data == SYNTHETIC else ()
    advice = f"; put what it leads to there, or link all of {folder}"
    refuse_links((folder / name for name in parts), advice)


def _is_hardly_begun(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    ours = {SYNTHETIC_FOLDER, INFO_FILE, LOCK_FILE, STAGE1_FILE, STAGE1_RECORD}
    names = {path.name for path in folder.iterdir()} - ours
    return all(name.startswith(".tmp-") for name in names)


def refuse_change(name: str, was: object, given: object, what: str) -> NoReturn:
    """Raises OptionError: a setting differs from the one that `what` was begun with."""
    raise OptionError(
        name, given, f"{what} was begun with --{name}={was}; give that, or another --run_dir"
    )


def _check_same(before: Section, now: Section, folder: Path) -> None:
    for field in dataclasses.fields(now):
        was, given = getattr(before, field.name), getattr(now, field.name)
        if was != given and not field.metadata["may_change"]:
            refuse_change(field.name, was, given, f"the run in {folder}")


def write_settings(
    model: ModelOptions, compute: ComputeOptions, train: TrainOptions, data: DatasetInfo
) -> None:
    """Writes what `open_run` reads.

    Raises:
      DataError: The folder cannot be written.
    """
    folder = Path(train.run_dir)
    data.write(folder)
    with replacing_file(folder / FLAGS_FILE) as temporary:
        flagfile = shlex.quote(f"--flagfile={folder / FLAGS_FILE}")
        command = f"python -m ssagan_tf.train {flagfile}"
        head = [
            f"# Resumes this run: {command}",
            f"# Repeats it: {command} --run_dir=ELSEWHERE",
            *(f"# {deviation}" for deviation in train.deviations(model.network)),
        ]
        lines = [*head, *flags.to_lines(model, compute, train)]
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
