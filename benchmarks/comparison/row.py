"""One row: trains a system, evaluates it, and writes its result."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.comparison.clips import mean_absolute_error, shown_clips
from benchmarks.comparison.systems import BATCH, CLIPS_SEEN, COMMON, STEPS, SYSTEMS, row_name
from benchmarks.environment import environment
from ssagan_tf.sweep import run_program

BENCHMARK = "procedural-skies-64-v1"
RESULTS = Path(__file__).parent / "results"
BOUNDS = "bounds"  # the file of what needs no training
BASELINES = ("mean_frame", "constant_wind", "unknown_motion", "true_motion")
EVALUATION = "evaluation"  # the folder of a run that keeps the report
SHOWN = "shown_clips"  # the folder of an evaluation that keeps the clips that are drawn
_OMITTED = ("name", "about", "per_frame", "frames_2_to_32")


def run_row(system: str, seed: int, data: str, runs: str) -> Path:
    """Trains a row, or resumes it, evaluates it, and writes its result.

    A second stage trains its first one before, as a row of its own, unless it is finished.

    Args:
      system: Key of `SYSTEMS`.
      seed: Seed of weights and data order.
      data: Folder of the prepared benchmark.
      runs: Folder for the runs.

    Returns:
      The result's path.
    """
    check_data(data)
    first = SYSTEMS[system].first_stage
    if first and not (_folder(first, seed, runs) / "generator.keras").is_file():
        run_row(first, seed, data, runs)
    folder = _folder(system, seed, runs)
    command = train_command(system, seed, data, runs)
    print(f"training: {' '.join(command[1:])}", flush=True)
    _run(command)
    began = time.monotonic()
    [figures] = _evaluate(data, folder / EVALUATION, f"--run_dir={system}={folder}", [system])
    log = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    result = {
        "system": system,
        "title": SYSTEMS[system].title,
        "seed": seed,
        "settings": [*COMMON, *SYSTEMS[system].settings],
        "flags": _flags(folder),
        "clips_seen": CLIPS_SEEN,
        "figures": figures,
        **_training(log),
        "evaluation_seconds": round(time.monotonic() - began),
        **_step_time(folder),
        "environment": environment(),
    }
    result["clips_seen_by_discriminator"] = CLIPS_SEEN * result["discriminator_updates"]
    return _write(row_name(system, seed), result)


def run_bounds(data: str, runs: str) -> Path:
    """Scores what needs no training: still pictures, simple motion, and the bundled model."""
    check_data(data)
    names = ["copy_first_frame", *BASELINES, "bundled_model"]
    baselines = f"--baselines={','.join(BASELINES)}"
    output = Path(runs) / BOUNDS
    rows = _evaluate(data, output, "--model=bundled_model=box", names, baselines)
    metrics = json.loads((output / "metrics.json").read_text())
    real = {name: value for name, value in metrics["real"].items() if name not in _OMITTED}
    figures = {"real": _rounded(real), **dict(zip(names, rows, strict=True))}
    return _write(BOUNDS, {"figures": figures, "environment": environment()})


def check_data(data: str) -> None:
    """Exits unless the folder holds the prepared benchmark."""
    path = Path(data) / "dataset_info.json"
    if not path.is_file():
        sys.exit(
            f"{data}: no prepared set; make it with: "
            f"python -m ssagan_tf.prepare --benchmark={BENCHMARK} --output={data}"
        )
    found = json.loads(path.read_text())["settings"].get("benchmark")
    if found != BENCHMARK:
        sys.exit(f"{data}: expected the benchmark {BENCHMARK}, got {found or 'another set'}")


def train_command(system: str, seed: int, data: str, runs: str) -> list[str]:
    """The command that trains a row."""
    described = SYSTEMS[system]
    command = [
        *(sys.executable, "-m", "ssagan_tf.train", *COMMON, *described.settings),
        *(f"--seed={seed}", f"--data={data}", f"--run_dir={_folder(system, seed, runs)}"),
        *("--sample_every=400", "--checkpoint_every=200", "--keep_checkpoints=1"),
    ]
    if described.first_stage:
        command.append(f"--stage1={_folder(described.first_stage, seed, runs)}")
    return command


def _run(command: list[str]) -> None:
    """Runs a program to its end, and ends with it if it fails or is told to stop."""
    if code := run_program(command):
        sys.exit(code)


def _folder(system: str, seed: int, runs: str) -> Path:
    return Path(runs) / row_name(system, seed)


def _evaluate(
    data: str, output: Path, generator: str, rows: list[str], *settings: str
) -> list[dict[str, Any]]:
    """Figures of these rows on all test clips. Keeps the report, and the clips that are drawn."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        made = Path(scratch) / EVALUATION
        command = [
            *(sys.executable, "-m", "ssagan_tf.evaluate", f"--data={data}", generator),
            *("--save_clips=frames", f"--output={made}", *settings),
        ]
        _run(command)
        metrics = json.loads((made / "metrics.json").read_text())
        found = {row["name"]: row for row in metrics["rows"]}
        figures = [
            {
                "l1": round(mean_absolute_error(made / "clips" / "real", made / "clips" / row), 5),
                **_rounded({k: v for k, v in found[row].items() if k not in _OMITTED}),
            }
            for row in rows
        ]
        for row in ("real", *rows):
            for clip in shown_clips(made / "clips" / "real"):
                shutil.copytree(made / "clips" / row / clip, made / SHOWN / row / clip)
        shutil.rmtree(made / "clips")
        shutil.rmtree(output, ignore_errors=True)
        made.rename(output)
    return figures


def _flags(folder: Path) -> list[str]:
    """All settings that a run was trained with, except paths."""
    paths = ("data", "run_dir", "stage1", "init_from", "cache")
    lines = (folder / "flags.cfg").read_text().splitlines()
    names = {line: line.removeprefix("--").partition("=")[0] for line in lines}
    return [line for line, name in names.items() if line.startswith("--") and name not in paths]


def _training(log: list[dict[str, Any]]) -> dict[str, Any]:
    """What the run's log says: the content loss over time, and the time of a step."""
    paces = [line["seconds_per_step"] for line in log if "seconds_per_step" in line]
    curve = {line["step"]: line["test_content_loss"] for line in log if "test_content_loss" in line}
    pace = median(paces)
    return {
        "content_loss_by_step": {step: round(loss, 5) for step, loss in curve.items()},
        "seconds_per_step": round(pace, 3),
        "training_minutes": round(pace * STEPS / 60, 1),
        "clips_per_second": round(BATCH / pace, 2),
    }


def _step_time(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.comparison.step_time", str(folder)]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(lines.splitlines()[-1])


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    def rounded(value: Any) -> Any:
        if isinstance(value, list):
            return [rounded(each) for each in value]
        return float(f"{value:.5g}") if isinstance(value, float) else value

    return {name: rounded(value) for name, value in figures.items()}


def _write(name: str, result: dict[str, Any]) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {path}")
    return path
