"""Trains the demo for longer, to see whether a precision changes what is learned.

    python -m benchmarks.learning \
        '{"work": "learning", "implementation": "ours", "precision": "bfloat16", "seed": 1}'

The last line printed is the result as JSON: the seconds of a step, the peak memory, and the
content loss on test clips after the last step.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.measure import MIB, peak_memory_of_children
from benchmarks.tensorflow_workloads import PRECISIONS

ROOT = Path(__file__).parents[1]


def measure(case: Case) -> dict[str, Any]:
    """Trains for the case's number of repetitions, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "ssagan_tf.train", "--flagfile=configs/demo.cfg"),
            *(f"--run_dir={folder}", f"--precision={PRECISIONS[case.precision]}"),
            *(f"--resolution={case.resolution}", f"--base_filters={case.base_filters}"),
            *(f"--batch_size={case.batch}", f"--steps={case.repetitions}", f"--seed={case.seed}"),
            *(f"--sample_every={case.repetitions}", f"--checkpoint_every={case.repetitions}"),
        ]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    log = [json.loads(line) for line in lines]
    losses = [line["test_content_loss"] for line in log if "test_content_loss" in line]
    return {
        "seconds": [line["seconds_per_step"] for line in log if "seconds_per_step" in line],
        "peak_mib": peak_memory_of_children() / MIB,
        "content_loss": losses[-1],
    }


def main() -> None:
    print(json.dumps(measure(Case(**json.loads(sys.argv[1])))), flush=True)


if __name__ == "__main__":
    main()
