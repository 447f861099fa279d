"""Measures one case in this process, which should be fresh.

    python -m benchmarks.measure \
        '{"work": "generator", "implementation": "ours", "variant": "static"}'

The last line printed is the result as JSON: the seconds of each repetition and the peak memory;
operations per second; or an error, with exit code 1.
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
from ssagan_tf.errors import DataError

MIB = 2**20
# A first run that takes longer than this (in seconds) counts as a repetition.
LONG = 30.0


def measure(case: Case) -> dict[str, Any]:
    """Prepares and runs a case.

    Returns:
      `seconds`: a list with the time of each repetition; `peak_mib`: peak memory of the process;
      `extra_mib`: how much of it was added after weights, inputs and graph had been created. For
      `matmul`: `rate`, the highest in operations per second, and `product`, the name of the matrix
      product that reached it.

    Raises:
      ImportError, DataError: The case needs an extra, which is not installed.
    """
    workloads = _framework(case.framework).prepare(case)
    gc.collect()
    before = reset_peak_memory()
    seconds = {name: _seconds(workload, case) for name, workload in workloads.items()}
    if case.work == "matmul":
        rates = {name: workloads[name].operations / min(seconds[name]) for name in workloads}
        best = max(rates, key=rates.__getitem__)
        return {"rate": rates[best], "product": best, "rates": rates}
    peak = peak_memory()
    return {
        "seconds": seconds[case.implementation],
        "peak_mib": peak / MIB,
        "extra_mib": (peak - before) / MIB,
    }


def attempt(case: Case) -> dict[str, Any]:
    """Does the same, but returns any exception as `error`, in one line."""
    try:
        return measure(case)
    except Exception as error:
        traceback.print_exc()
        return {"error": one_line(error)}


def _framework(name: str) -> Any:
    if name == "tensorflow":
        from ssagan_tf.startup import load_tensorflow

        load_tensorflow()
    return importlib.import_module(f"benchmarks.{name}_workloads")


def _seconds(workload: Workload, case: Case) -> list[float]:
    first = _timed(workload.warm_up or workload.run)
    if workload.warm_up is None and first > LONG:
        return [first]
    seconds: list[float] = []
    while len(seconds) < case.repetitions and sum(seconds) <= case.seconds:
        seconds.append(_timed(workload.run))
    return seconds


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def reset_peak_memory() -> int:
    """Resets the peak, where the system can. Returns the current peak memory in bytes."""
    # Importing and initialising leave a peak that would hide some of what is measured.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


def peak_memory() -> int:
    """Peak memory of this process in bytes."""
    # `ru_maxrss` is only a fallback: on Linux it starts at the parent's size.
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return _largest(resource.RUSAGE_SELF)


def peak_memory_of_children() -> int:
    """Peak memory of the largest child process that has ended, in bytes."""
    return _largest(resource.RUSAGE_CHILDREN)


def _largest(whose: int) -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(whose).ru_maxrss * unit


def one_line(error: Exception) -> str:
    """An error as one line of a table."""
    lines = str(error).strip().splitlines()
    first_line = lines[0] if lines else type(error).__name__
    lowered = str(error).lower()
    exhausted = ("ResourceExhaustedError", "OutOfMemoryError")  # TensorFlow's, PyTorch's
    exhausted = isinstance(error, MemoryError) or type(error).__name__ in exhausted
    known = ("can't allocate memory", "oom when", "resource_exhausted")
    if exhausted or any(words in lowered for words in known):
        return "out of memory"
    if isinstance(error, ImportError | DataError):
        return first_line
    return f"{type(error).__name__}: {first_line}"


def _be_killed_first() -> None:
    """Asks the system to kill this process rather than others when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main(arguments: list[str]) -> int:
    """Prints the result of the case given as JSON. Returns the exit code: 1 for an error."""
    _be_killed_first()
    result = attempt(Case(**json.loads(arguments[0])))
    print(json.dumps(result), flush=True)
    return 1 if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
