"""`python -m ssagan_tf.prepare`: cuts footage into clips and writes TFRecord shards.

Nothing here imports TensorFlow at module level, as the worker processes import this module again.
"""

from __future__ import annotations

import collections
import time
from typing import NoReturn

from ssagan_tf import cli
from ssagan_tf.data.dataset_info import FILE_NAME, DatasetInfo
from ssagan_tf.options import FRAMES, PrepareOptions, refuse_without_effect
from ssagan_tf.progress import Progress
from ssagan_tf.remote import as_path

ABOUT = f"""
Cuts footage into clips of {FRAMES} square frames, and writes TFRecord shards for training and
testing, with a description of the set in {FILE_NAME}.
"""
_LISTED = 5  # items named in the summary


def main() -> NoReturn:
    cli.run("prepare", ABOUT, [PrepareOptions], prepare)


def prepare(options: PrepareOptions) -> None:
    """Runs the program.

    Raises:
      OptionError: A setting is missing or does not fit the source.
      DataError: There is no usable clip, or the output cannot be written or is not empty.
    """
    from ssagan_tf.data import writer

    refuse_without_effect(options)
    work = writer.plan(options)
    source = options.source or f"{options.synthetic_clips} synthetic clips"
    side = options.resolution
    print(f"preparing {source} at {side}×{side} into {options.output}", flush=True)
    if writer.is_interrupted(as_path(options.output)):
        print("resuming an interrupted prepare, unless settings or source files have changed")
    start = time.monotonic()
    with Progress("listing", None) as progress:
        info = work(progress.update)
    for line in summary(info):
        print(line)
    print(f"wrote {options.output} in {time.monotonic() - start:.0f} s")


def summary(info: DatasetInfo) -> list[str]:
    """Returns lines about the clips of a set, and what was skipped and why."""
    from ssagan_tf.data.layouts.perceptual_hash import BITS

    lines = [
        f"{name}: clips {split.clips}, videos {split.videos}, shards {len(split.shards)}"
        for name, split in info.splits.items()
    ]
    if not info.splits["test"].clips and info.settings["test_fraction"] > 0:
        lines.append(f"no test clips: {_why_no_test(info)}")
    if info.near_duplicates:
        number = len(info.near_duplicates)
        lines.append(
            f"training clips that look like a test clip: {number} "
            "(--near_duplicates=drop leaves them out)"
        )
        for pair in info.near_duplicates[:_LISTED]:
            lines.append(f"  {pair.train} and {pair.test}: {pair.bits} of {BITS} bits differ")
    if info.skipped:
        kinds = collections.Counter(item.kind for item in info.skipped)
        by_kind = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
        lines.append(f"skipped: {len(info.skipped)} ({by_kind})")
        lines += [f"  {item.item}: {item.reason}" for item in info.skipped[:_LISTED]]
        if len(info.skipped) > _LISTED:
            lines.append(f"  and {len(info.skipped) - _LISTED} more in {FILE_NAME}")
    return lines


def _why_no_test(info: DatasetInfo) -> str:
    if info.splits["train"].videos > 1:  # so the source is split
        return "the test split of the source has no usable clip"
    return "only one video is usable" if info.skipped else "the source is a single video"


if __name__ == "__main__":
    main()
