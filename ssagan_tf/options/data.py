"""From footage to prepared sets."""

from __future__ import annotations

import dataclasses
from typing import Literal

from ssagan_tf.options import shared
from ssagan_tf.options.setting import Section, Stride, at_least, between, setting
from ssagan_tf.options.shared import ClipRule, Fit, Layout


@dataclasses.dataclass(frozen=True)
class PrepareOptions(Section):
    """From footage to TFRecords."""

    source: str = setting(
        "",
        "Folder of the footage, or its address, as gs://bucket/folder (not needed for the layout "
        "synthetic).",
        remote=True,
    )
    output: str = setting("", "Folder to write, or its address: the prepared set.", remote=True)
    layout: Layout = shared.layout()
    list: str = shared.list()
    resolution: int = shared.resolution()
    fit: Fit = shared.fit()
    clip_rule: ClipRule = shared.clip_rule()
    clip_stride: int = shared.clip_stride()
    frame_stride: Stride = shared.frame_stride()
    motion_target: float = shared.motion_target()
    scene_cut: float = shared.scene_cut()
    still: float = shared.still()
    near_duplicates: Literal["report", "drop", "ignore"] = setting(
        "report",
        "Training clips that look like a test clip (perceptual hash): report them, drop them from "
        "training, or don't look for them.",
    )
    test_fraction: float = setting(
        0.1,
        "Share of the videos kept for testing, where the source has no split of its own.",
        between(0.0, 1.0),
    )
    synthetic_clips: int = shared.synthetic_clips()
    seed: int = shared.seed()
    workers: int = setting(0, "Processes that read and resize; 0: one per core.", at_least(0))
    inspect: bool = setting(
        False,
        "Draw contact_sheet.png (clips from the stillest to the liveliest) and motion.png (how "
        "much all of them move) beside the shards; needs the extra evaluate.",
    )


@dataclasses.dataclass(frozen=True)
class VerifyOptions(Section):
    """Whether a prepared set is as it was written."""

    data: str = setting("", "Folder of the prepared set, or its address.", remote=True)
    workers: int = setting(0, "Threads that check records; 0: one per core.", at_least(0))
