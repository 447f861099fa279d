"""Measures everything and writes RESULTS.md and results.json.

    python -m benchmarks.run [--only=attention,generator,step,growth] [--quick] [--output=FOLDER]

Every measurement is made in a process of its own. The subjects of a comparison take turns, round
by round, so that a machine that slows down meanwhile does so for all of them; what is reported is
the median over all repetitions of all rounds. Parts that are not measured this time are kept as
results.json has them.
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
from ssagan_tf.startup import load_tensorflow

ROOT = Path(__file__).parents[1]

Measure = Callable[[Case], dict[str, Any]]
Say = Callable[[str], None]
Results = dict[Case, list[dict[str, Any]]]


# A subject that takes so many times as long as the first is measured in one round only: its ratio
# is plain, and the others' rounds stay close together.
HOPELESS = 10.0


def in_fresh_process(case: Case) -> dict[str, Any]:
    """Measures a case in a process of its own; whatever goes wrong is the result's `error`."""
    command = [sys.executable, "-m", "benchmarks.measure", json.dumps(dataclasses.asdict(case))]
    # Memory is what the system counts for the process, so GPUs are left out.
    hidden = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **hidden},
            capture_output=True,
            text=True,
            timeout=case.limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"stopped after {case.limit:.0f} s"}
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        if done.returncode == -9:
            return {"error": "killed, most likely for its memory"}
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"error": f"ended with exit code {done.returncode}: {last}"}


def measure_part(part: Part, measure: Measure, say: Say = print) -> dict[str, Any]:
    """Measures a part in rounds.

    Args:
      part: What to measure.
      measure: Measures one case.
      say: Is given a line after each.

    Returns:
      What results.json holds of it.
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
            say(f"{part.name}, round {number} of {part.rounds}: {_line(case, result)}")
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


def _is_enough(before: list[dict[str, Any]], of_first: list[dict[str, Any]]) -> bool:
    """Whether another round would tell nothing new."""
    if any("error" in result for result in before):
        return True  # it would go wrong again
    if "seconds" not in before[0] or "error" in of_first[0]:
        return False
    return min(before[0]["seconds"]) > HOPELESS * max(of_first[0]["seconds"])


def comparison_rows(
    comparison: Comparison,
    results: Results,
    rates: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """A row for each case: medians, ratios to the first case, share of the floor.

    The floor is the time that the first case's operations would take at the rate of TensorFlow's
    matrix products.
    """
    rows = []
    for case in comparison.cases:
        row = {"label": comparison.label, "subject": case.subject, "batch": case.batch}
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
            if first["extra_mib"] > 0:
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
    return {
        "times": times,
        "seconds": statistics.median(times),
        "least_seconds": min(times),
        "most_seconds": max(times),
        "extra_mib": statistics.median(result["extra_mib"] for result in results),
        "peak_mib": statistics.median(result["peak_mib"] for result in results),
    }


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
    what = f"{case.subject}, {case.framework} {case.precision}"
    if "error" in result:
        return f"{what}: {result['error']}"
    if "rate" in result:
        return f"{what}: {result['rate'] / 1e9:.0f} GFLOP/s"
    return (
        f"{what}, {case.mode}, batch {case.batch}: {statistics.median(result['seconds']):.3f} s, "
        f"{result['extra_mib']:.0f} MiB"
    )


def chosen(names: str, quick: bool) -> list[Part]:
    """The parts that `--only` names: by a whole name, or else by what stands before a hyphen.

    Raises:
      ValueError: There is none of a name.
    """
    every = parts(quick)
    if not names:
        return every
    wanted = set()
    for name in (name.strip() for name in names.split(",")):
        found = {part.name for part in every if part.name == name}
        found = found or {part.name for part in every if part.name.startswith(f"{name}-")}
        if not found:
            raise ValueError(f"there is no {name}; there are {', '.join(p.name for p in every)}")
        wanted |= found
    return [part for part in every if part.name in wanted]


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    try:
        return {part["name"]: part for part in json.loads(path.read_text())["parts"]}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} holds no results; remove it or name another folder") from error


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
      arguments: The command line.
      measure: Measures one case.

    Returns:
      The exit code. Cases that cannot be measured are rows of the report and no failure.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", default="", help="Parts, separated by commas; all by default.")
    parser.add_argument("--quick", action="store_true", help="Tiny sizes: does it run at all?")
    parser.add_argument("--output", help="Folder of the results; by default this package's.")
    parser.add_argument("--rounds", type=int, default=0, help="Instead of each part's own number.")
    options = parser.parse_args(arguments)
    try:
        wanted = chosen(options.only, options.quick)
    except ValueError as error:
        parser.error(f"--only: {error}")
    # Figures of tiny sizes mean nothing and must not replace others.
    default = tempfile.mkdtemp() if options.quick else str(Path(__file__).parent)
    folder = Path(options.output or default)
    load_tensorflow()  # quietly, for the counts
    try:
        measured = _read(folder / "results.json")
        for part in wanted:
            if options.rounds > 0:
                part = dataclasses.replace(part, rounds=options.rounds)
            measured[part.name] = measure_part(part, measure, lambda line: print(line, flush=True))
            _write(folder, measured)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"written: {folder / 'RESULTS.md'}, {folder / 'results.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
