"""Layout synthetic: the built-in clouds, drawn by `data/synthetic.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ssagan_tf.data.layouts.clip import JPEGS, Clip, Form
from ssagan_tf.data.synthetic import synthetic_clip
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
        return f"clouds{self.index:05d}"

    def clips(self, options: PrepareOptions, form: Form = JPEGS) -> Iterator[Clip]:
        images = synthetic_clip(options.seed, self.index, options.resolution, FRAMES)
        yield Clip(self.name, self.video, 0, tuple(form.of_image(x, options) for x in images))


def list_clouds(options: PrepareOptions) -> Iterator[SyntheticClip]:
    """As many skies as the options ask for."""
    return map(SyntheticClip, range(options.synthetic_clips))
