"""The example of docs/, on each backend of Keras."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "docs" / "attention_anywhere.py"


def apart(backend: str) -> str:
    """Runs the example in a new process, as another backend needs, and returns its output."""
    # One thread: PyTorch's threads would wait for each other longer than they work.
    more = {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, EXAMPLE], env={**os.environ, **more}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_attention_solves_what_convolutions_cannot(backend: str, capsys) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    if backend == keras.backend.backend():
        runpy.run_path(str(EXAMPLE), run_name="__main__")
        shown = capsys.readouterr().out
    else:
        shown = apart(backend)
    assert f"Keras on {backend}" in shown
    without, attention = map(float, re.findall(r" (\d\.\d{3})", shown))
    assert without > 0.4
    assert attention < without / 2


@pytest.mark.long
def test_colours_from_hints(capsys) -> None:
    """One seed of the example whose table is in docs/layer.md."""
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    example = runpy.run_path(str(ROOT / "docs" / "layer_colours.py"))
    example["main"](seeds=1, epochs=4)
    without, ours, _ = map(float, re.findall(r" (\d\.\d{3})", capsys.readouterr().out))
    assert ours < 0.8 * without
