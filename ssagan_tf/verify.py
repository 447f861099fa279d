"""`python -m ssagan_tf.verify`: is a prepared set as it was written?"""

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
Checks a prepared set: counts and checksums of {FILE_NAME}, and that every record is a whole
clip whose frames can be decoded. Names what is wrong.
"""


def main() -> NoReturn:
    cli.run("verify", ABOUT, [VerifyOptions], verify)


def verify(options: VerifyOptions) -> None:
    """The program: prints a line for each problem.

    Raises:
      OptionError: No set is named.
      DataError: It is no prepared set, or something is wrong with it.
    """
    require(options, "data")
    print(f"verifying {options.data}", flush=True)
    start = time.monotonic()
    with Progress("checking records", None) as progress:
        found = verification.verify_set(options.data, options.workers, progress.update)
    for problem in found.problems:
        print(problem)
    if found.problems:
        number = len(found.problems)
        raise DataError(
            f"{options.data}: {number} problem{'s' if number > 1 else ''}, the first: "
            f"{found.problems[0]}; prepare the set again"
        )
    seconds = time.monotonic() - start
    print(
        f"{found.clips} clips in {found.shards} shards are as they were written ({seconds:.0f} s)"
    )


if __name__ == "__main__":
    main()
