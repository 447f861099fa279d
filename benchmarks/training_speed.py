"""Measures the steps of `ssagan_tf.train`, as its user waits for them.

    python -m benchmarks.training_speed \
        '{"work": "training", "implementation": "train", "base_filters": 8, "updates": 1}'

Trains on a prepared set of synthetic clouds, with reading, decoding, augmentation, metrics and
their log. The last line printed is the result as JSON: the seconds of each step and the peak
memory.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.measure import MIB, peak_memory
from ssagan_tf.startup import load_tensorflow

CLIPS = 24  # of the set
FIRST = 3  # steps that are not timed: compiling, and what a pipeline has prepared meanwhile


def measure(case: Case) -> dict[str, Any]:
    """Trains for the case's number of repetitions, and some steps before and after."""
    load_tensorflow()
    from ssagan_tf.options import ComputeOptions, ModelOptions, TrainOptions
    from ssagan_tf.training import callbacks, loop

    ends = []
    shown = callbacks.ShowProgress.on_train_batch_end  # of the last callback

    def end(*arguments: Any, **named: Any) -> None:
        shown(*arguments, **named)
        ends.append(time.perf_counter())

    callbacks.ShowProgress.on_train_batch_end = end
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "set"
        prepare(case, data)
        options = TrainOptions(
            data=str(data),
            run_dir=str(Path(folder) / "run"),
            batch_size=case.batch,
            discriminator_updates=case.updates,
            # After the last step come a sample and a checkpoint.
            steps=FIRST + case.repetitions + 1,
        )
        model = ModelOptions(resolution=case.resolution, base_filters=case.base_filters)
        loop.train(model, ComputeOptions(), options)
    steps = [after - before for before, after in itertools.pairwise(ends)]
    return {"seconds": steps[FIRST - 1 : -1], "peak_mib": peak_memory() / MIB}


def prepare(case: Case, folder: Path) -> None:
    """Writes a set of synthetic clouds, in a process whose memory does not count."""
    program = [sys.executable, "-m", "ssagan_tf.prepare", "--layout=synthetic"]
    settings = {
        "output": folder,
        "resolution": case.resolution,
        "synthetic_clips": CLIPS,
    }
    command = [*program, *(f"--{name}={value}" for name, value in settings.items())]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    print(json.dumps(measure(Case(**json.loads(sys.argv[1])))), flush=True)


if __name__ == "__main__":
    main()
