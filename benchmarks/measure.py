"""Measures one case in this process, which should be a fresh one.

    python -m benchmarks.measure '{"work": "generator", "subject": "ours", "variant": "static"}'

The last line printed is the result as JSON: seconds of each repetition and the peak memory; or
operations per second; or an error, in which case the exit code is 1.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.workload import Workload

MIB = 2**20
# Seconds from which on a first run is as good as a second one.
LONG = 30.0


def measure(case: Case) -> dict[str, Any]:
    """Prepares and runs a case.

    Returns:
      `seconds`: a list, one for each timed repetition; `peak_mib`: the largest memory of the
      process; `extra_mib`: how much of it came on top once weights, inputs and graph were there.
      For products of matrices: `rate`, the best in operations per second, and `product`.

    Raises:
      ImportError: PyTorch is wanted and not installed.
    """
    subjects = _framework(case.framework).prepare(case)
    gc.collect()
    before = _restart_peak()
    seconds = {name: _seconds(subject, case) for name, subject in subjects.items()}
    if case.work == "products":
        rates = {name: subjects[name].operations / min(seconds[name]) for name in subjects}
        best = max(rates, key=rates.__getitem__)
        return {"rate": rates[best], "product": best, "rates": rates}
    peak = _peak()
    return {
        "seconds": seconds[case.subject],
        "peak_mib": peak / MIB,
        "extra_mib": (peak - before) / MIB,
    }


def attempt(case: Case) -> dict[str, Any]:
    """The same; whatever goes wrong is the result's `error`, in one line."""
    try:
        return measure(case)
    except Exception as error:
        traceback.print_exc()
        return {"error": _reason(error)}


def _framework(name: str) -> Any:
    if name == "tensorflow":
        from ssagan_tf.startup import load_tensorflow

        load_tensorflow()
    return importlib.import_module(f"benchmarks.{name}_workloads")


def _seconds(subject: Workload, case: Case) -> list[float]:
    first = _timed(subject.warm_up or subject.run)
    if subject.warm_up is None and first > LONG:
        return [first]
    seconds: list[float] = []
    while len(seconds) < case.repetitions and sum(seconds) <= case.seconds:
        seconds.append(_timed(subject.run))
    return seconds


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _restart_peak() -> int:
    """Forgets the peak so far, where the system can. Returns the peak now, in bytes."""
    # Importing and filling weights leave a peak that would hide some of what is measured.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """Largest memory of this process in bytes."""
    # Not `ru_maxrss` where it can be helped: on Linux it starts at the parent's size.
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    what = lines[0] if lines else type(error).__name__
    lowered = str(error).lower()
    exhausted = isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
    if exhausted or "can't allocate memory" in lowered or "oom when" in lowered:
        return "out of memory"
    if isinstance(error, ImportError):
        return what
    return f"{type(error).__name__}: {what}"


def _die_first() -> None:
    """Asks the system to end this process rather than another one when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main(arguments: list[str]) -> int:
    """Prints the result of the case given as JSON; the exit code is 1 if there is none."""
    _die_first()
    result = attempt(Case(**json.loads(arguments[0])))
    print(json.dumps(result), flush=True)
    return 1 if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
