"""`python -m ssagan_tf.prepare_beam`: `prepare` as an Apache Beam pipeline, for large archives."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NoReturn

from ssagan_tf import cli
from ssagan_tf.options import OptionError, PrepareOptions, refuse_without_effect

ABOUT = """
Does the work of prepare as an Apache Beam pipeline (extra `beam`), and writes the same set.
Arguments for Beam and its runner come after --, for example -- --runner=FlinkRunner
--flink_master=host:8081; without them, it runs on this machine. All workers must be able to access
source and output.
"""


def main() -> NoReturn:
    cli.run("prepare_beam", ABOUT, [PrepareOptions], prepare, pass_on=True)


def prepare(options: PrepareOptions, arguments: Sequence[str]) -> None:
    """Runs the program.

    Args:
      options: What to read and where to write.
      arguments: Beam's arguments.

    Raises:
      OptionError: A setting is missing, does not fit the source, or is for `prepare` only.
      DataError: There is no usable clip, the output cannot be written, or the pipeline failed.
    """
    from ssagan_tf.data import beam
    from ssagan_tf.prepare import summary

    for name, why in (
        ("workers", "is set by the runner: give its argument after --"),
        ("inspect", "is for prepare only"),
    ):
        if value := getattr(options, name):
            raise OptionError(name, value, why)
    refuse_without_effect(options)
    start = time.monotonic()
    info = beam.prepare(options, arguments)
    for line in summary(info):
        print(line)
    print(f"wrote {options.output} in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
