"""Layout synthetic: the built-in clouds, drawn by `skies/`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ssagan_tf import skies
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts.clip import JPEGS, Clip, FrameEncoder, Picture
from ssagan_tf.data.layouts.cutting import Frame, cut
from ssagan_tf.options import FRAMES, PrepareOptions


@dataclasses.dataclass(frozen=True)
class SyntheticClip:
    """A sky of its own, not read but drawn."""

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
        whole = dataclasses.replace(options, scene_cut=0.0, static_threshold=0.0)
        yield from cut(frames, self.video, self.video, whole, encoder)


def list_clouds(options: PrepareOptions) -> Iterator[SyntheticClip]:
    """As many skies as the options ask for."""
    return map(SyntheticClip, range(options.synthetic_clips))
