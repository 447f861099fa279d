"""Runs the benchmarks and writes RESULTS.md and results.json.

    python -m benchmarks.run [--only=PART,…] [--quick] [--output=FOLDER]

Parts: attention, generator, step, training, learning, onnx, growth, photo.

Every measurement runs in a fresh process. The implementations of a comparison take turns, round by
round, so that changes in the machine's speed affect all of them; the median over all repetitions of
all rounds is reported. Parts that are not measured this time keep their results in results.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import flops
from benchmarks.cases import Case, Comparison, Part, parts
from benchmarks.environment import environment
from benchmarks.report import markdown
from ssagan_tf.errors import DataError
from ssagan_tf.files import replacing_file
from ssagan_tf.processor import why_no_bfloat16
from ssagan_tf.startup import load_tensorflow

ROOT = Path(__file__).parents[1]

Measure = Callable[[Case], dict[str, Any]]
Print = Callable[[str], None]
Results = dict[Case, list[dict[str, Any]]]


# An implementation that takes this many times as long as the baseline is measured in one round:
# its ratio is clear, and the rounds of the others stay close together in time.
MUCH_SLOWER = 10.0
MEDIANS = ("extra_mib", "peak_mib", "cpu_seconds", "content_loss")  # of a result, if it has them


# What measures a case in a fresh process, by its work; `benchmarks.measure` all others.
MEASURED_BY = {
    "photo": "benchmarks.photo_to_video",
    "training": "benchmarks.training_speed",
    "learning": "benchmarks.learning",
}


def in_fresh_process(case: Case) -> dict[str, Any]:
    """Measures a case in a fresh process. Returns any failure as `error`."""
    if case.precision == "bfloat16" and (reason := why_no_bfloat16()):
        return {"error": f"not measured: {reason}"}  # it would take minutes
    module = MEASURED_BY.get(case.work, "benchmarks.measure")
    command = [sys.executable, "-m", module, json.dumps(dataclasses.asdict(case))]
    # The memory measured is that of the process, so GPUs are hidden.
    variables = {"CUDA_VISIBLE_DEVICES": ""}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=case.timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"stopped after {case.timeout:.0f} s"}
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        if done.returncode == -9:
            return {"error": "killed, probably out of memory"}
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"error": f"ended with exit code {done.returncode}: {last}"}


def measure_part(part: Part, measure: Measure, write_line: Print = print) -> dict[str, Any]:
    """Measures a part in rounds.

    Args:
      part: The part to measure.
      measure: Measures one case.
      write_line: Called with a line of text after each.

    Returns:
      The part's entry in results.json.
    """
    start = time.monotonic()
    cases = [*part.rates, *(case for one in part.comparisons for case in one.cases)]
    first = {case: one.cases[0] for one in part.comparisons for case in one.cases}
    results: Results = {case: [] for case in cases}
    for number in range(1, part.rounds + 1):
        for case, before in results.items():
            if before and _is_enough(before, results[first.get(case, case)]):
                continue
            result = measure(case)
            before.append(result)
            write_line(f"{part.name}, round {number} of {part.rounds}: {_line(case, result)}")
    rates = [_rate(case, results[case]) for case in part.rates]
    return {
        "name": part.name,
        "title": part.title,
        "note": part.note,
        "rounds": part.rounds,
        "date": datetime.date.today().isoformat(),
        "took_seconds": round(time.monotonic() - start, 1),
        "environment": environment(),
        "rates": rates,
        "rows": [row for one in part.comparisons for row in comparison_rows(one, results, rates)],
    }


def _is_enough(before: list[dict[str, Any]], baseline: list[dict[str, Any]]) -> bool:
    """Whether another round would add nothing new."""
    if any("error" in result for result in before):
        return True  # it would fail again
    if "seconds" not in before[0] or "error" in baseline[0]:
        return False
    return min(before[0]["seconds"]) > MUCH_SLOWER * max(baseline[0]["seconds"])


def comparison_rows(
    comparison: Comparison,
    results: Results,
    rates: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Returns a row per case: medians, ratios to the first case, share of the floor.

    The floor is the time that the first case's operations would take at the speed of TensorFlow's
    matrix products.
    """
    rows = []
    for case in comparison.cases:
        row = {
            "label": comparison.label,
            "implementation": case.implementation,
            "batch": case.batch,
        }
        row["operations"] = flops.of_case(case)
        row["case"] = dataclasses.asdict(case)
        row |= _summary(results[case])
        rows.append(row)
    first = rows[0]
    for case, row in zip(comparison.cases, rows, strict=True):
        if "error" in row:
            continue
        if "error" not in first:
            row["time_ratio"] = row["seconds"] / first["seconds"]
            if first.get("extra_mib", 0) > 0 and "extra_mib" in row:
                row["memory_ratio"] = row["extra_mib"] / first["extra_mib"]
        rate = _rate_of(case.precision, rates)
        if rate and first["operations"]:
            row["floor_seconds"] = first["operations"] / rate
            row["share_of_floor"] = row["floor_seconds"] / row["seconds"]
    return rows


def _summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    if error := next((result["error"] for result in results if "error" in result), None):
        return {"error": error}
    times = [seconds for result in results for seconds in result["seconds"]]
    summary = {
        "times": times,
        "seconds": statistics.median(times),
        "least_seconds": min(times),
        "most_seconds": max(times),
        **_medians(results, [name for name in MEDIANS if name in results[0]]),
    }
    if "stages" in results[0]:
        stages = [result["stages"] for result in results]
        summary["stages"] = _medians(stages, list(stages[0]))
    return summary


def _medians(results: list[dict[str, Any]], names: list[str]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in results) for name in names}


def _rate(case: Case, results: list[dict[str, Any]]) -> dict[str, Any]:
    rate = {"framework": case.framework, "precision": case.precision}
    if error := next((result["error"] for result in results if "error" in result), None):
        return {**rate, "error": error}
    values = [result["rate"] for result in results]
    return {**rate, "rate": statistics.median(values), "of_rounds": values}


def _rate_of(precision: str, rates: list[dict[str, Any]]) -> float | None:
    for rate in rates:
        if (rate["framework"], rate["precision"]) == ("tensorflow", precision):
            return rate.get("rate")
    return None


def _line(case: Case, result: dict[str, Any]) -> str:
    what = f"{case.implementation}, {case.framework} {case.precision}"
    if "error" in result:
        return f"{what}: {result['error']}"
    if "rate" in result:
        return f"{what}: {result['rate'] / 1e9:.0f} GFLOP/s"
    size = f"{case.width}×{case.height}" if case.width else f"{case.mode}, batch {case.batch}"
    memory = result.get("extra_mib", result["peak_mib"])
    return f"{what}, {size}: {statistics.median(result['seconds']):.3f} s, {memory:.0f} MiB"


def select_parts(names: str, quick: bool) -> list[Part]:
    """Returns the parts that `--only` names, by their full names or by what precedes a hyphen.

    Raises:
      ValueError: A name is unknown.
    """
    every = parts(quick)
    if not names:
        return every
    selected = set()
    for name in (name.strip() for name in names.split(",")):
        found = {part.name for part in every if part.name == name}
        found = found or {part.name for part in every if part.name.startswith(f"{name}-")}
        if not found:
            known = ", ".join(part.name for part in every)
            raise ValueError(f"unknown part {name!r}; known parts: {known}")
        selected |= found
    return [part for part in every if part.name in selected]


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    try:
        return {part["name"]: part for part in json.loads(path.read_text())["parts"]}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: not a results file; remove it or give another --output"
        ) from error


def _write(folder: Path, measured: dict[str, dict[str, Any]]) -> None:
    order = [part.name for part in parts()]
    kept = [measured[name] for name in order if name in measured]
    for name, text in (
        ("results.json", json.dumps({"parts": kept}, indent=1) + "\n"),
        ("RESULTS.md", markdown(kept)),
    ):
        with replacing_file(folder / name) as temporary:
            temporary.write_text(text)


def main(arguments: list[str] | None = None, measure: Measure = in_fresh_process) -> int:
    """Runs the program.

    Args:
      arguments: Command line.
      measure: Measures one case.

    Returns:
      The exit code. A case that cannot be measured is a row of the report, not a failure.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--only", default="", help="parts to measure, separated by commas; default: all"
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to check that everything runs"
    )
    parser.add_argument("--output", help="folder for the results; default: benchmarks/")
    parser.add_argument(
        "--rounds", type=int, default=0, help="number of rounds, instead of each part's own"
    )
    options = parser.parse_args(arguments)
    try:
        selected = select_parts(options.only, options.quick)
    except ValueError as error:
        parser.error(f"--only: {error}")
    # Figures of tiny sizes are meaningless and must not replace real ones.
    default = tempfile.mkdtemp() if options.quick else str(Path(__file__).parent)
    folder = Path(options.output or default)
    load_tensorflow()  # without its log messages, for counting operations
    try:
        measured = _read(folder / "results.json")
        for part in selected:
            if options.rounds > 0:
                part = dataclasses.replace(part, rounds=options.rounds)
            measured[part.name] = measure_part(part, measure, lambda line: print(line, flush=True))
            _write(folder, measured)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"wrote {folder / 'RESULTS.md'}, {folder / 'results.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
