"""`python -m ssagan_tf.sweep`: trains one run per configuration, one after the other."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ssagan_tf import cli
from ssagan_tf.errors import DataError, Stopped
from ssagan_tf.options import OptionError, SweepOptions, require

ABOUT = """
Trains a run for each configuration, one after the other, in RUNS/NAME for NAME.cfg. The same
command again resumes: finished runs are skipped. What follows -- is given to every `train` after
its configuration, such as -- --data=sets/mine --steps=2000.
"""
_STOPPED = {128 + number: number for number in (signal.SIGINT, signal.SIGTERM)}


def sweep(options: SweepOptions, arguments: Sequence[str]) -> None:
    """Trains all runs, and reports at the end which ones failed.

    Args:
      options: Which configurations, and the folder of the runs.
      arguments: Further arguments of every `train`.

    Raises:
      OptionError: No configuration is given, or two have the same name.
      DataError: At least one run failed; the others are finished.
      Stopped: A signal was received; the run that was being trained has saved its state.
    """
    require(options, "configs")
    names = [Path(config).stem for config in options.configs]
    for name in names:
        if names.count(name) > 1:
            raise OptionError("configs", options.configs, f"duplicate name {name}; rename one file")
    failed = []
    for number, (name, config) in enumerate(zip(names, options.configs, strict=True), 1):
        run_dir = Path(options.runs) / name
        print(f"sweep: run {number} of {len(names)}: {config} in {run_dir}", flush=True)
        began = time.monotonic()
        code = run_program(train_command(config, run_dir, arguments))
        if code in _STOPPED:
            raise Stopped(
                f"stopped at run {number}; run the same command to resume", _STOPPED[code]
            )
        if code:
            failed.append(name)
        print(
            f"sweep: {name} {f'failed (exit code {code})' if code else 'finished'} after "
            f"{(time.monotonic() - began) / 60:.1f} minutes",
            flush=True,
        )
    if failed:
        raise DataError(
            f"{len(failed)} of {len(names)} runs failed: {', '.join(failed)}; see their messages "
            "above, and run the same command to resume"
        )


def train_command(config: str, run_dir: Path, arguments: Sequence[str]) -> list[str]:
    """The command that trains or resumes a run."""
    settings = [f"--flagfile={config}", f"--run_dir={run_dir}", *arguments]
    return [sys.executable, "-m", "ssagan_tf.train", *settings]


def run_program(command: Sequence[str]) -> int:
    """Runs a program and returns its exit code. SIGTERM is passed on, so that it can save."""
    with subprocess.Popen(command) as process:

        def pass_on(number: int, frame: object) -> None:
            process.send_signal(number)

        before = signal.signal(signal.SIGTERM, pass_on)
        # A terminal sends Ctrl-C to both; this program waits for the other to end.
        ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            code = process.wait()
        finally:
            signal.signal(signal.SIGTERM, before)
            signal.signal(signal.SIGINT, ignored)
    return 128 - code if code < 0 else code


def main() -> None:
    cli.run("sweep", ABOUT, [SweepOptions], sweep, pass_on=True)


if __name__ == "__main__":
    main()
