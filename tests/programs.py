"""Runs programs as a user does: in this process or, where that matters, in a new one."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

Result = subprocess.CompletedProcess[str]


def command(program: str, *arguments: object) -> list[str]:
    """Returns the `python -m` command of a program of the package."""
    return [sys.executable, "-m", f"ssagan_tf.{program}", *map(str, arguments)]


def run_apart(program: str, *arguments: object, cwd: Path = ROOT) -> Result:
    """Runs a program in a new process: slow, but shows what the libraries print."""
    return subprocess.run(
        command(program, *arguments),
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def run(program: str, *arguments: object, cwd: Path = ROOT, package: str = "ssagan_tf") -> Result:
    """Runs a program in this process, where the libraries are already loaded."""
    module = importlib.import_module(f"{package}.{program}")
    given, output, errors = list(map(str, arguments)), io.StringIO(), io.StringIO()
    with (
        _in_place_of(sys, "argv", [program, *given]),
        _working_in(cwd),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        try:
            module.main()
        except SystemExit as stop:
            code = stop.code
    return subprocess.CompletedProcess(given, code, output.getvalue(), errors.getvalue())


def complaint(result: Result, code: int) -> str:
    """Checks the exit code, and returns the error message, which must be one line."""
    assert result.returncode == code, result.stderr
    [line] = result.stderr.splitlines()
    return line


@contextlib.contextmanager
def _in_place_of(thing: object, name: str, value: object) -> Iterator[None]:
    kept = getattr(thing, name)
    setattr(thing, name, value)
    try:
        yield
    finally:
        setattr(thing, name, kept)


@contextlib.contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    kept = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(kept)
