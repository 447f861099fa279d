"""Runs programs one after the other in another process, which loads the libraries only once.

`python -m tests.data.program_server` reads a program from each line of its input. It is for
programs that read S3: TensorFlow's S3 library aborts at exit, so the tests must not load it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

from tests.programs import ROOT, Result

RunProgram = Callable[..., Result]
"""Takes the name of a program and its arguments."""


@contextlib.contextmanager
def start() -> Iterator[RunProgram]:
    """Starts the process."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.data.program_server"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(name: str, *arguments: object) -> Result:
        given = list(map(str, arguments))
        print(json.dumps([name, given]), file=server.stdin, flush=True)
        return subprocess.CompletedProcess(given, *json.loads(server.stdout.readline()))

    try:
        yield run
    finally:
        server.stdin.close()
        server.wait()
        server.stdout.close()


def serve() -> None:
    """Runs a program for each line."""
    from ssagan_tf import cli
    from tests.programs import run

    cli._exit = lambda code, _: sys.exit(code)  # it would end this process
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print, too
    for line in sys.stdin:
        name, arguments = json.loads(line)
        result = run(name, *arguments)
        print(
            json.dumps([result.returncode, result.stdout, result.stderr]), file=answers, flush=True
        )
    os._exit(0)


if __name__ == "__main__":
    serve()
