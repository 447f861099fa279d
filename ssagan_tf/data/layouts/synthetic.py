"""Layout synthetic: clips of procedural skies, which need no source."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from ssagan_tf import skies
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts.clip import JPEGS, Clip, FrameEncoder, Picture
from ssagan_tf.data.layouts.cutting import Frame, cut
from ssagan_tf.data.layouts.folders import SourceFolder
from ssagan_tf.data.layouts.layout import LayoutSpec
from ssagan_tf.options import FRAMES, PrepareOptions
from ssagan_tf.remote import AnyPath


@dataclasses.dataclass(frozen=True)
class SyntheticClip:
    """A procedural sky, which is a video of its own."""

    index: int
    split: None = None

    @property
    def name(self) -> str:
        return f"{self.video}/0"

    @property
    def video(self) -> str:
        return skies.video_name(self.index)

    paths: tuple[str, ...] = ()

    def clips(
        self, options: PrepareOptions, encoder: FrameEncoder = JPEGS
    ) -> Iterator[Clip | Skipped]:
        images = skies.procedural_clip(
            options.seed, self.index, options.resolution, FRAMES, options.wind
        )
        frames = (Frame(number, Picture(image)) for number, image in enumerate(images))
        uncut = dataclasses.replace(options, scene_cut=0.0, static_threshold=0.0)
        # Its drift is known, and need not be measured.
        yield from cut(frames, self.video, self.video, uncut, encoder, measure_drift=False)


def list_synthetic(
    source: AnyPath,
    folders: Sequence[SourceFolder],
    options: PrepareOptions,
    skipped: list[Skipped],
) -> Iterator[SyntheticClip]:
    """Lists `options.synthetic_clips` skies."""
    return map(SyntheticClip, range(options.synthetic_clips))


LAYOUT = LayoutSpec("nothing", list_synthetic)
