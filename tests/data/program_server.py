"""Programs one after the other in a process that loads the libraries once.

`python -m tests.data.program_server` reads one a line from its input. For those that read a store: the
library for it may not be loaded in the process of the tests, which it would abort at its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

from tests.programs import ROOT, Result

Run = Callable[..., Result]
"""Takes a program and its arguments."""


@contextlib.contextmanager
def runs() -> Iterator[Run]:
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

    cli._exit = sys.exit  # it would end this process
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print is no answer
    for line in sys.stdin:
        name, arguments = json.loads(line)
        result = run(name, *arguments)
        print(
            json.dumps([result.returncode, result.stdout, result.stderr]), file=answers, flush=True
        )
    os._exit(0)


if __name__ == "__main__":
    serve()
