"""`python -m ssagan_tf.verify`: checks a prepared set for damage."""

from __future__ import annotations

import time
from typing import NoReturn

from ssagan_tf import cli
from ssagan_tf.data import verification
from ssagan_tf.data.dataset_info import FILE_NAME
from ssagan_tf.errors import DataError
from ssagan_tf.options import VerifyOptions, require
from ssagan_tf.progress import Progress

ABOUT = f"""
Checks a prepared set: compares it with the counts and checksums in {FILE_NAME}, and decodes
every frame of every record. Prints a line for each problem.
"""


def main() -> NoReturn:
    cli.run("verify", ABOUT, [VerifyOptions], verify)


def verify(options: VerifyOptions) -> None:
    """Runs the program.

    Raises:
      OptionError: --data is not given.
      DataError: It is not a prepared set, or has a problem.
    """
    require(options, "data")
    print(f"verifying {options.data}", flush=True)
    start = time.monotonic()
    with Progress("checking records", None) as progress:
        result = verification.verify_set(options.data, options.workers, progress.update)
    for problem in result.problems:
        print(problem)
    if result.problems:
        number = len(result.problems)
        raise DataError(
            f"{options.data}: {number} problem{'s' if number > 1 else ''}, the first: "
            f"{result.problems[0]}; prepare the set again"
        )
    seconds = time.monotonic() - start
    print(f"{result.clips} clips in {result.shards} shards: no problems ({seconds:.0f} s)")


if __name__ == "__main__":
    main()
