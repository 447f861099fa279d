"""Which clips of all that were read go into which shard of which split: a function of the clips."""

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

SHARD_CLIPS, SHARD_BYTES = 256, 128 << 20  # at most, but for a single larger clip
FEW_SHARDS, FEW_CLIPS = 4, 16  # at least 4 shards, as long as they hold 16 clips each
_NOT_SETTINGS = ("output", "workers", "inspect")  # the content does not depend on them

AnyMetadata = TypeVar("AnyMetadata", bound=ClipMetadata)


@dataclasses.dataclass(frozen=True)
class Sharding(Generic[AnyMetadata]):
    """The set to be written.

    Attributes:
      shards: For each split the names of its shards, and their clips in order.
      skipped: What is left out of it.
      near_duplicates: Clips of training and of testing that look alike.
    """

    shards: Mapping[str, Mapping[str, Sequence[AnyMetadata]]]
    skipped: tuple[Skipped, ...]
    near_duplicates: tuple[NearDuplicate, ...]

    def clips(self, split: str) -> list[AnyMetadata]:
        """The clips of a split, in order."""
        return [clip for clips in self.shards[split].values() for clip in clips]

    def info(
        self, options: PrepareOptions, layout: str, written: Mapping[str, Shard]
    ) -> DatasetInfo:
        """The description of the set, once the shards are written."""
        in_splits = {}
        for split in SPLITS:
            clips = self.clips(split)
            shards = tuple(written[name] for name in self.shards[split])
            in_splits[split] = Split(len(clips), len({clip.video for clip in clips}), shards)
        return DatasetInfo(
            resolution=options.resolution,
            frames=FRAMES,
            layout=layout,
            fit=layouts.fit_of(options),
            settings=settings_of(options),
            splits=in_splits,
            skipped=self.skipped,
            near_duplicates=self.near_duplicates,
        )


def settings_of(options: PrepareOptions) -> dict[str, object]:
    """The settings that the content depends on."""
    settings = dataclasses.asdict(options)
    return {name: value for name, value in settings.items() if name not in _NOT_SETTINGS}


def arrange(
    clips: Sequence[AnyMetadata], skipped: Sequence[Skipped], options: PrepareOptions
) -> Sharding[AnyMetadata]:
    """Divides, mixes and cuts into shards.

    Args:
      clips: All that were read.
      skipped: All that were not.
      options: Split, seed, and what is done about near-duplicates.

    Raises:
      NoUsableClipsError: There is none to train on.
    """
    in_split = splits.divide(clips, options)
    alike: tuple[NearDuplicate, ...] = ()
    left_out = list(skipped)
    if options.near_duplicates != "ignore":
        alike = duplicates.find(in_split["train"], in_split["test"])
    if options.near_duplicates == "drop":
        of = {pair.train: pair.test for pair in alike}
        left_out += [
            Skipped(name, f"near-duplicate: looks like the test clip {of[name]}") for name in of
        ]
        in_split["train"] = [clip for clip in in_split["train"] if clip.name not in of]
        alike = ()
    if not clips or (not in_split["train"] and options.test_fraction < 1):
        raise no_usable_clips(options, left_out)
    shards = {}
    for split in SPLITS:
        ordered = sorted(in_split[split], key=lambda clip: splits.draw(options.seed, clip.name))
        shards[split] = dict(_shards(split, ordered))
    return Sharding(shards, tuple(left_out), alike)


class NoUsableClipsError(DataError):
    """A source without a clip to train on."""


def no_usable_clips(options: PrepareOptions, skipped: Sequence[Skipped]) -> NoUsableClipsError:
    """The error of a source without clips, with what was found instead."""
    first = "; ".join(f"{item.item}: {item.reason}" for item in skipped[:3])
    more = f"; and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    source = options.source or options.layout
    return NoUsableClipsError(
        f"{source} holds no usable clip to train on ({first or 'empty'}{more}); give videos or "
        f"runs of {FRAMES} numbered pictures, or name another --layout"
    )


def _shards(
    split: str, clips: Sequence[AnyMetadata]
) -> Iterator[tuple[str, Sequence[AnyMetadata]]]:
    """Cuts into shards of about the same number of clips."""
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
