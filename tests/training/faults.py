"""`python -m ssagan_tf.train` with a fault planted in it: for the tests.

    python -m tests.training.faults '{"name": value}' FLAGS…

It trains the networks of `tiny.py`.

kill_after      seconds after everything was imported: SIGKILL
kill_in_save    [n, share]: SIGKILL in the n-th save of a checkpoint, when it has taken this share
                of the time that the first took
largest_file    bytes: writing more into a file fails, as on a full disk
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import time
from typing import Any


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


def main(faults: dict[str, Any], arguments: list[str]) -> None:
    from ssagan_tf.startup import load_tensorflow

    if "largest_file" in faults:
        resource.setrlimit(resource.RLIMIT_FSIZE, (faults["largest_file"],) * 2)
    load_tensorflow()
    from ssagan_tf import train
    from tests.training import tiny

    tiny.install()
    if "kill_after" in faults:
        kill_after(faults["kill_after"])
    if "kill_in_save" in faults:
        kill_in_save(*faults["kill_in_save"])

    sys.argv = ["train", *arguments]
    train.main()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
