"""`python -m ssagan_tf.prepare_beam`: `prepare` as an Apache Beam pipeline, for large archives."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NoReturn

from ssagan_tf import cli
from ssagan_tf.data import beam
from ssagan_tf.options import OptionError, PrepareOptions, refuse_without_effect
from ssagan_tf.prepare import summary

ABOUT = """
Does what prepare does as an Apache Beam pipeline (extra `beam`), and writes the same set. Settings
of Beam and its runner follow after --, such as -- --runner=FlinkRunner --flink_master=host:8081;
without them it runs on this machine. Source and output must be folders that all workers see.
"""


def main() -> NoReturn:
    cli.run("prepare_beam", ABOUT, [PrepareOptions], prepare, pass_on=True)


def prepare(options: PrepareOptions, arguments: Sequence[str]) -> None:
    """The program: runs the pipeline and tells about the set.

    Args:
      options: What to read and where to write.
      arguments: Beam's own.

    Raises:
      OptionError: A setting is missing or does not fit the source, or is prepare's alone.
      DataError: There is no usable clip, the output cannot be written, or the pipeline failed.
    """
    for name, why in (("workers", "is the runner's to say"), ("inspect", "is prepare's alone")):
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
