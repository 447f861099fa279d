"""Assigns clips to splits and shards, deterministically from their names and the seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from ssagan_tf.data import duplicates, layouts
from ssagan_tf.data.dataset_info import SPLITS, DatasetInfo, Shard, Skipped, Split
from ssagan_tf.data.duplicates import NearDuplicate
from ssagan_tf.data.layouts import splits
from ssagan_tf.data.spool import ClipMetadata
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, PrepareOptions

SHARD_CLIPS, SHARD_BYTES = 256, 128 << 20  # at most, unless a single clip is larger
FEW_SHARDS, FEW_CLIPS = 4, 16  # at least 4 shards, if they have 16 clips each
_NOT_SETTINGS = ("output", "workers", "inspect")  # the content does not depend on these

ClipT = TypeVar("ClipT", bound=ClipMetadata)


@dataclasses.dataclass(frozen=True)
class Sharding(Generic[ClipT]):
    """The clips of a prepared set in their shards.

    Attributes:
      shards: For each split, the clips of each of its shards in order, by the shard's name.
      skipped: What is left out.
      near_duplicates: Training clips that look like a test clip.
    """

    shards: Mapping[str, Mapping[str, Sequence[ClipT]]]
    skipped: tuple[Skipped, ...]
    near_duplicates: tuple[NearDuplicate, ...]

    def clips(self, split: str) -> list[ClipT]:
        """Returns the clips of a split in order."""
        return [clip for clips in self.shards[split].values() for clip in clips]

    def info(
        self, options: PrepareOptions, layout: str, written: Mapping[str, Shard]
    ) -> DatasetInfo:
        """Returns the description of the set, once its shards are written."""
        described = {}
        for split in SPLITS:
            clips = self.clips(split)
            shards = tuple(written[name] for name in self.shards[split])
            described[split] = Split(len(clips), len({clip.video for clip in clips}), shards)
        return DatasetInfo(
            resolution=options.resolution,
            frames=FRAMES,
            layout=layout,
            fit=layouts.resolved_fit(options),
            settings=settings_of(options),
            splits=described,
            skipped=self.skipped,
            near_duplicates=self.near_duplicates,
        )


def settings_of(options: PrepareOptions) -> dict[str, object]:
    """Returns the settings that the content of a set depends on."""
    settings = dataclasses.asdict(options)
    return {name: value for name, value in settings.items() if name not in _NOT_SETTINGS}


def shard_clips(
    clips: Sequence[ClipT], skipped: Sequence[Skipped], options: PrepareOptions
) -> Sharding[ClipT]:
    """Splits clips into training and testing, shuffles them and assigns them to shards.

    Args:
      clips: All clips that were read.
      skipped: All that was skipped.
      options: Test fraction, seed, and what to do with near-duplicates.

    Raises:
      NoUsableClipsError: There is no clip to train on.
    """
    by_split = splits.split_clips(clips, options)
    near_duplicates: tuple[NearDuplicate, ...] = ()
    all_skipped = list(skipped)
    if options.near_duplicates != "ignore":
        near_duplicates = duplicates.find(by_split["train"], by_split["test"])
    if options.near_duplicates == "drop":
        test_clip = {pair.train: pair.test for pair in near_duplicates}
        all_skipped += [
            Skipped(train, f"near-duplicate: looks like the test clip {test}")
            for train, test in test_clip.items()
        ]
        by_split["train"] = [clip for clip in by_split["train"] if clip.name not in test_clip]
        near_duplicates = ()
    if not clips or (not by_split["train"] and options.test_fraction < 1):
        raise no_usable_clips(options, all_skipped)
    shards = {}
    for split in SPLITS:
        shuffled = sorted(
            by_split[split], key=lambda clip: splits.random_key(options.seed, clip.name)
        )
        shards[split] = dict(_shards(split, shuffled))
    return Sharding(shards, tuple(all_skipped), near_duplicates)


class NoUsableClipsError(DataError):
    """The source has no clip to train on."""


def no_usable_clips(options: PrepareOptions, skipped: Sequence[Skipped]) -> NoUsableClipsError:
    """Returns the error about a source without clips, with what was skipped instead."""
    first = "; ".join(f"{item.item}: {item.reason}" for item in skipped[:3])
    more = f"; and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    source = options.source or options.layout
    return NoUsableClipsError(
        f"{source} has no usable clip to train on ({first or 'it is empty'}{more}); expected "
        f"videos or sequences of {FRAMES} numbered images; or set --layout"
    )


def _shards(split: str, clips: Sequence[ClipT]) -> Iterator[tuple[str, Sequence[ClipT]]]:
    """Divides clips into shards of about the same number."""
    if not clips:
        return
    number = max(
        1,
        -(-len(clips) // SHARD_CLIPS),
        -(-sum(clip.bytes for clip in clips) // SHARD_BYTES),
        min(FEW_SHARDS, len(clips) // FEW_CLIPS),
    )
    number = min(number, len(clips))
    bounds = [len(clips) * index // number for index in range(number + 1)]
    for index in range(number):
        name = f"{split}-{index:05d}-of-{number:05d}.tfrecord"
        yield name, clips[bounds[index] : bounds[index + 1]]
