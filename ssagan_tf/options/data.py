"""Preparing footage, and verifying prepared sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from ssagan_tf.options import shared
from ssagan_tf.options.setting import (
    OptionError,
    Section,
    Stride,
    at_least,
    between,
    setting,
)
from ssagan_tf.options.shared import ClipRule, Fit, Layout, Wind

# Data sets that are identical wherever they are made. A changed one gets a new name.
BENCHMARKS: dict[str, dict[str, Any]] = {
    "procedural-skies-64-v1": {
        "layout": "synthetic",
        "wind": "canonical",
        "resolution": 64,
        "synthetic_clips": 4256,
        "test_fraction": 256 / 4256,
        "near_duplicates": "ignore",
        "seed": 64,
    },
}


@dataclasses.dataclass(frozen=True)
class PrepareOptions(Section):
    """How footage becomes TFRecords."""

    recipes: ClassVar[Mapping[str, Mapping[str, Any]]] = {"none": {}, **BENCHMARKS}
    recipe_choice: ClassVar[str] = "benchmark"

    source: str = setting(
        "",
        "Folder of the footage, or a remote address such as gs://bucket/folder (not needed with "
        "--layout=synthetic).",
        remote=True,
    )
    output: str = setting("", "Folder or remote address to write the prepared set to.", remote=True)
    layout: Layout = shared.layout()
    list: str = shared.list()
    resolution: int = shared.resolution()
    fit: Fit = shared.fit()
    clip_rule: ClipRule = shared.clip_rule()
    clip_stride: int = shared.clip_stride()
    frame_stride: Stride = shared.frame_stride()
    motion_target: float = shared.motion_target()
    scene_cut: float = shared.scene_cut()
    static_threshold: float = shared.static_threshold()
    near_duplicates: Literal["report", "drop", "ignore"] = setting(
        "report",
        "What to do about training clips that look like a test clip (by perceptual hash): report "
        "them, drop them from training, or ignore them.",
    )
    test_fraction: float = setting(
        0.1,
        "Fraction of the videos set aside for testing, if the source has no split of its own.",
        between(0.0, 1.0),
    )
    synthetic_clips: int = shared.synthetic_clips(only_with={"layout": ("synthetic",)})
    wind: Wind = shared.wind(only_with={"layout": ("synthetic",)})
    benchmark: Literal["none", "procedural-skies-64-v1"] = setting(
        "none",
        "Make this data set, which is identical everywhere: 4,000 canonical clips for training and "
        "256 for testing, at 64×64. It fixes the settings that its content depends on.",
    )
    seed: int = shared.seed()
    workers: int = setting(0, "Processes that read and resize; 0: one per core.", at_least(0))
    inspect: bool = setting(
        False,
        "Also draw contact_sheet.png (clips sorted by motion) and motion.png (a histogram of their "
        "motion) next to the shards. Needs the extra `evaluate`.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in BENCHMARKS.get(self.benchmark, {}).items():
            if (given := getattr(self, name)) != value:
                raise OptionError(name, given, f"must be {value} with --benchmark={self.benchmark}")


@dataclasses.dataclass(frozen=True)
class VerifyOptions(Section):
    """Which prepared set is verified."""

    data: str = setting("", "Folder or remote address of the prepared set.", remote=True)
    workers: int = setting(0, "Threads that check records; 0: one per core.", at_least(0))
