"""A run's folder: the settings and the data it was started with, so that it can be resumed.

flags.cfg           all settings; `--flagfile=flags.cfg` resumes the run
dataset_info.json   description of the prepared set it trains on
stage1.keras        for second stages: copy of the frozen first stage; stage1.json: its origin
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
SYNTHETIC = "synthetic"  # --data, in place of a prepared set
SYNTHETIC_FOLDER = "data"  # the synthetic clouds of a run that trains on them
SALVAGE_FOLDER = "whole"  # damaged shards, copied without their damaged records
GENERATOR_FILE = "generator.keras"
STAGE1_FILE, STAGE1_RECORD = "stage1.keras", "stage1.json"
SECTIONS = (ModelOptions, ComputeOptions, TrainOptions)  # all settings of a run


@dataclasses.dataclass(frozen=True)
class Run:
    """A run on disk."""

    folder: Path
    model: ModelOptions
    compute: ComputeOptions
    train: TrainOptions
    data: DatasetInfo


def open_run(folder: str | Path) -> Run:
    """Reads a run's settings and the description of its data.

    Raises:
      DataError: There is no run, or its settings cannot be read.
    """
    folder = Path(folder)
    path = folder / FLAGS_FILE
    if not path.is_file():
        raise DataError(f"{folder} is not a training run: {FLAGS_FILE} not found")
    try:
        values = flags.from_file(str(path), alone=True)
        sections = [flags.read(kind, values) for kind in SECTIONS]
        if sections[-1].ema_ramp_up == "auto":  # started before this setting existed
            sections[-1] = dataclasses.replace(sections[-1], ema_ramp_up="off")
        data = DatasetInfo.from_json(limits.read_text(folder / INFO_FILE, limits.DESCRIPTION_BYTES))
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot read the run in {folder}: {error}; fix the file, or use another --run_dir"
        ) from error
    return Run(folder, *sections, data)


def with_start_settings(train: TrainOptions) -> TrainOptions:
    """Returns the settings with what a run decides when it starts and keeps when it is resumed.

    Raises:
      DataError: The run in the folder cannot be read.
    """
    folder = Path(train.run_dir)
    if (folder / FLAGS_FILE).is_file():
        started = open_run(folder).train
    else:
        started = dataclasses.replace(train, ema_ramp_up="on")
    file = train.init_from
    if file and not box.is_name(file):
        file = str(Path(file).resolve())
    ramp_up = started.ema_ramp_up if train.ema_ramp_up == "auto" else train.ema_ramp_up
    return dataclasses.replace(train, init_from=file or started.init_from, ema_ramp_up=ramp_up)


def check_same_run(
    model: ModelOptions, compute: ComputeOptions, train: TrainOptions, data: DatasetInfo | None
) -> None:
    """Refuses to resume a run with other settings or other clips.

    A folder without a run is fine if it does not exist, or holds only what a command leaves that
    was killed before it wrote `flags.cfg`. A new run's settings are checked for contradictions.

    Raises:
      OptionError: Names the first setting that differs, or has no effect.
      DataError: The run in the folder cannot be read, or parts of it are links.
    """
    folder = Path(train.run_dir)
    flags.to_lines(model, compute, train)  # raises if they cannot be written
    _refuse_links(folder, train)
    if not (folder / FLAGS_FILE).is_file():
        if folder.exists() and not _has_only_leftovers(folder):
            raise OptionError("run_dir", folder, "is not empty and not a run; use another")
        train.check_new_run()
        return
    run = open_run(folder)
    for before, now in ((run.model, model), (run.compute, compute), (run.train, train)):
        _check_same(before, now, folder)
    if data is not None and run.data.fingerprint != data.fingerprint:
        raise OptionError(
            "data",
            train.data,
            f"does not hold the clips that the run in {folder} was started with; use those, or "
            "another --run_dir",
        )
    if train.canonical_motion != "off" and data and run.data.drifts != data.drifts:
        raise OptionError(
            "data",
            train.data,
            f"has other drifts recorded for its clips than when the run in {folder} was started; "
            "restore the set, or use another --run_dir",
        )


def _refuse_links(folder: Path, train: TrainOptions) -> None:
    """Refuses links: a run must not write or remove files outside its own folder."""
    parts = (FLAGS_FILE, INFO_FILE, METRICS_FILE, GENERATOR_FILE, STAGE1_FILE, STAGE1_RECORD)
    parts += (CHECKPOINTS, SAMPLES, TENSORBOARD, SALVAGE_FOLDER)
    parts += (SYNTHETIC_FOLDER,) if train.data == SYNTHETIC else ()
    advice = f"; replace it by what it points to, or link all of {folder}"
    refuse_links((folder / name for name in parts), advice)


def _has_only_leftovers(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    ours = {SYNTHETIC_FOLDER, INFO_FILE, LOCK_FILE, STAGE1_FILE, STAGE1_RECORD}
    names = {path.name for path in folder.iterdir()} - ours
    return all(name.startswith(".tmp-") for name in names)


def refuse_change(name: str, was: object, given: object, what: str) -> NoReturn:
    """Raises OptionError: a setting differs from the one that `what` was started with."""
    raise OptionError(
        name, given, f"{what} was started with --{name}={was}; use that, or another --run_dir"
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
