"""The example of docs/, on each backend of Keras, in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_attention_solves_what_convolutions_cannot(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    run = subprocess.run(
        [sys.executable, "docs/attention_anywhere.py"],
        cwd=ROOT,
        # One thread: PyTorch's others would spend more on waiting for each other than on the work.
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert f"Keras on {backend}" in run.stdout
    without, attention = map(float, re.findall(r" (\d\.\d{3})", run.stdout))
    assert without > 0.4
    assert attention < without / 2
