"""Runs of `ssagan_tf.train` with a fault planted in them, each in a process of its own.

The processes are forked from one that has imported everything, as importing takes longer than
such a run: `python -m tests.training.faults` reads a run a line from its input.

kill_at_step    SIGKILL when this step is done
kill_after      seconds after the beginning: SIGKILL
kill_in_save    [n, share]: SIGKILL in the n-th save of a checkpoint, when it has taken this share
                of the time that the first took
largest_file    bytes: writing more into a file fails, as on a full disk
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.programs import ROOT, Result
from tests.surroundings import elsewhere

Train = Callable[..., Result]
"""Takes a folder for logs, arguments of train and faults by name; `real=True`: real networks."""


@contextlib.contextmanager
def runs() -> Iterator[Train]:
    """Starts the process that all runs are forked from, on a machine unlike ours."""
    home = tempfile.TemporaryDirectory()
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.training.faults"],
        cwd=ROOT,
        env=elsewhere(Path(home.name), backend="jax"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(logs: Path, *arguments: object, real: bool = False, **faults: Any) -> Result:
        files = [str(logs / f".{name}") for name in ("stdout", "stderr")]
        arguments = list(map(str, arguments))
        print(json.dumps([files, arguments, real, faults]), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        said = (Path(file).read_text() for file in files)
        return subprocess.CompletedProcess(arguments, code, *said)

    try:
        yield run
    finally:
        server.stdin.close()
        server.wait()
        server.stdout.close()
        home.cleanup()


def kill_at_step(step: int) -> None:
    from ssagan_tf.training.callbacks import ShowProgress

    def killed(self: ShowProgress, batch: int, logs: Any = None) -> None:
        if self.model.step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    ShowProgress.on_train_batch_end = killed


def kill_after(seconds: float) -> None:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()


def kill_in_save(number: int, share: float) -> None:
    from ssagan_tf.training.checkpoint import Checkpoints

    save, taken = Checkpoints.save, []

    def killed(self: Checkpoints) -> None:
        if len(taken) == number - 1:
            kill_after(share * (taken[0] if taken else 0.05))
        began = time.monotonic()
        save(self)
        taken.append(time.monotonic() - began)

    Checkpoints.save = killed


def largest_file(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


FAULTS = {
    "kill_at_step": kill_at_step,
    "kill_after": kill_after,
    "kill_in_save": lambda given: kill_in_save(*given),
    "largest_file": largest_file,
}


def serve() -> None:
    """Forks a process for each line."""
    from ssagan_tf.startup import load_tensorflow

    load_tensorflow()
    from ssagan_tf import train
    from ssagan_tf.training import loop  # noqa: F401  as train does when it begins
    from tests.training import tiny

    while line := sys.stdin.readline():
        files, arguments, real, faults = json.loads(line)
        if process := os.fork():
            _, status = os.waitpid(process, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        for number, file in enumerate(files, 1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        if not real:
            tiny.install()
        for name, value in faults.items():
            FAULTS[name](value)
        sys.argv = ["train", *arguments]
        train.main()  # exits


if __name__ == "__main__":
    serve()
