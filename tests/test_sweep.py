"""`sweep`: several configurations, one after the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ssagan_tf import sweep
from tests import programs

# Replaces `train`, and behaves as the configuration says.
TRAIN = """
import pathlib, signal, sys, time
config, run_dir, *arguments = (argument.partition("=")[2] for argument in sys.argv[1:])
folder = pathlib.Path(run_dir)
folder.mkdir(parents=True, exist_ok=True)
with (folder / "log").open("a") as log:
    print(config, *arguments, file=log)
what = pathlib.Path(config).read_text()
if what == "wait":
    def stop(number, frame):
        (folder / "saved").touch()
        sys.exit(128 + number)
    signal.signal(signal.SIGTERM, stop)
    (folder / "waits").touch()
    time.sleep(60)
sys.exit(int(what))
"""


@pytest.fixture
def write_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = sweep.train_command

    def command(*arguments: object) -> list[str]:
        _, module, name, *settings = real(*arguments)
        assert (module, name) == ("-m", "ssagan_tf.train")
        return [sys.executable, "-c", TRAIN, *settings]

    monkeypatch.setattr(sweep, "train_command", command)
    monkeypatch.chdir(tmp_path)

    def write(name: str, what: str) -> str:
        Path(f"{name}.cfg").write_text(what)
        return f"{name}.cfg"

    return write


def run(configs: list[str], *passed_on: str) -> subprocess.CompletedProcess[str]:
    arguments = [f"--configs={','.join(configs)}", "--", *passed_on]
    return programs.run("sweep", *arguments, cwd=Path.cwd())


def test_all_runs_are_trained_in_folders_of_their_own(write_config) -> None:
    configs = [write_config(name, "0") for name in ("a", "b")]
    done = run(configs, "--data=sets/mine", "--steps=7")
    assert done.returncode == 0, done.stderr
    for name in ("a", "b"):
        assert Path(f"runs/{name}/log").read_text() == f"{name}.cfg sets/mine 7\n"
        assert f"sweep: {name} finished after 0.0 minutes" in done.stdout


def test_a_failure_does_not_stop_the_others(write_config) -> None:
    configs = [write_config("a", "1"), write_config("b", "0")]
    line = programs.complaint(run(configs), code=1)
    assert line.startswith("sweep: 1 of 2 runs failed: a; ")
    assert Path("runs/b/log").is_file()


def test_a_signal_lets_the_run_save_and_ends_the_sweep(write_config) -> None:
    configs = [write_config("a", "wait"), write_config("b", "0")]

    def stop() -> None:
        while not Path("runs/a/waits").is_file():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()
    line = programs.complaint(run(configs), code=128 + signal.SIGTERM)
    assert line == "sweep: stopped at run 1; run the same command to resume"
    assert Path("runs/a/saved").is_file()
    assert not Path("runs/b").exists()


def test_refuses_no_configs_and_duplicate_names(write_config) -> None:
    assert "--configs=: is required" in programs.complaint(programs.run("sweep"), code=2)
    line = programs.complaint(run(["a.cfg", "other/a.cfg"]), code=2)
    assert line == "sweep: --configs=a.cfg,other/a.cfg: duplicate name a; rename one file"
