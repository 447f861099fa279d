"""Comparing clips: by measures, side by side, and by people."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

from ssagan_tf.options import shared
from ssagan_tf.options.generation import SourceOptions
from ssagan_tf.options.setting import Section, Stride, at_least, between, setting
from ssagan_tf.options.shared import ClipRule, Fit, Layout
from ssagan_tf.options.sizes import LARGEST_RESOLUTION


def _side(value: int) -> str | None:
    smallest = 7  # SSIM's window
    if value == 0 or smallest <= value <= LARGEST_RESOLUTION:
        return None
    return f"must be 0, or from {smallest} to {LARGEST_RESOLUTION}"


def _positions(value: tuple[str, ...]) -> str | None:
    are_whole = all(re.fullmatch(r"\d+", number) for number in value)
    return None if are_whole and len(value) % 2 == 0 else "must be pairs of whole numbers: x,y"


@dataclasses.dataclass(frozen=True)
class EvaluateOptions(SourceOptions):
    """How generated clips are measured against real ones."""

    data: str = setting(
        "", "Real clips: a prepared set, or a folder of frames or videos.", remote=True
    )
    layout: Layout = shared.layout()
    list: str = shared.list()
    clip_rule: ClipRule = shared.clip_rule()
    clip_stride: int = shared.clip_stride()
    frame_stride: Stride = shared.frame_stride()
    motion_target: float = shared.motion_target()
    scene_cut: float = shared.scene_cut()
    static_threshold: float = shared.static_threshold()
    fit: Fit = shared.fit()
    split: Literal["test", "train", "all"] = setting(
        "test", "Split to use, if the data has one; otherwise all of it is used."
    )
    max_clips: int = setting(0, "Number of clips, sampled by --seed; 0: all.", at_least(0))
    model: str = setting("", "A generator saved as FILE.keras, or box (the bundled model).")
    generated: tuple[str, ...] = setting(
        (),
        "Folders of clips from any system: videos or folders of 32 frames, with the same names as "
        "in the data. --generated, --run_dir and --model each take several, separated by commas, "
        "as PATH or NAME=PATH.",
        paths=True,
    )
    direction: Literal["as_given", "better"] = setting(
        "as_given",
        "better: every system generates each clip for the photo and for its mirror image, and the "
        "one of lower MSE counts, because a photo does not show which way clouds drift. Clips from "
        "a folder are used as they are, unless --generated_mirrored has their counterparts.",
    )
    generated_mirrored: tuple[str, ...] = setting(
        (),
        "For --direction=better: folders of clips generated from mirrored photos and mirrored "
        "back, as NAME=PATH, where NAME is a folder's name in --generated.",
        paths=True,
    )
    baselines: tuple[str, ...] = setting(
        (), "Further baselines to add as rows, from the list above, separated by commas."
    )
    transfer: bool = setting(
        False,
        "For every generator, add a row NAME_transfer: photos animated with the motion of its "
        "clips, like animate --noloop. With --loop_metrics also NAME_loop: 32 frames of the "
        "endless loop that animate makes.",
    )
    size: int = setting(
        0,
        "Side in pixels at which clips are compared. Real clips and clips of generators are "
        "resized to it; clips from folders must have it. 0: the side of all generated clips.",
        _side,
    )
    protocol: Literal["paper", "standard"] = setting(
        "paper",
        "paper: values in [-1, 1], frames 1-32, as in Table 3. standard: values clipped to [0, 1], "
        "peak 1, frames 2-32.",
    )
    batch_norm: Literal["running", "batch"] = setting(
        "running",
        "Batch norm statistics in generators: running averages, or those of each batch of "
        "--batch_size, as the released code uses to evaluate its first stage.",
    )
    batch_size: int = setting(16, "Clips generated per batch.", at_least(1))
    optical_flow: bool = setting(
        True, "Measure optical flow and velocities derived from it; takes most of the time."
    )
    loop_metrics: bool = setting(
        False, "Measure seam and pumping, which are meaningful for clips that loop."
    )
    incomplete: Literal["error", "skip"] = setting(
        "error",
        "What to do when clips are missing, damaged or not 32 frames long: stop and name them, or "
        "skip them for all systems and list them in the report.",
    )
    attention_at: tuple[str, ...] = setting(
        (),
        "Draw the attention maps of this query position in the frame, in pixels; several positions "
        "as x,y,x,y.",
        _positions,
    )
    save_clips: Literal["none", "mp4", "frames"] = setting(
        "none", "Also write the clips of all rows, and the real ones, for compare and study."
    )
    seed: int = shared.seed()
    fps: float = shared.fps()
    output: str = setting("", "Folder to write metrics.json, report.md and pictures to.")


@dataclasses.dataclass(frozen=True)
class CompareOptions(Section):
    """Which clips are shown side by side in one video."""

    systems: tuple[str, ...] = shared.systems()
    clips: tuple[str, ...] = setting(
        (), "Names of the clips to show. Empty: --rows clips sampled by --seed."
    )
    rows: int = setting(3, "Number of clips, one below the other.", at_least(1))
    loops: int = setting(
        4, "How often an mp4 repeats the clips; GIF and WebP loop forever.", at_least(1)
    )
    seed: int = shared.seed()
    fps: float = shared.fps()
    output: str = setting("", "FILE.mp4, FILE.gif or FILE.webp.")


@dataclasses.dataclass(frozen=True)
class StudyOptions(Section):
    """A preference study (Sec. 5.2, Table 2): which of two clips is more realistic?"""

    systems: tuple[str, ...] = shared.systems()
    store: str = setting("", "SQLite file of the study. An existing study is continued.")
    pairs: int = setting(100, "Pairs of clips per case, that is, per pair of systems.", at_least(1))
    cases: tuple[str, ...] = setting(
        (), "Pairs of systems to compare, as A:B,A:real. Empty: every pair."
    )
    catch_pairs: int = setting(
        0,
        "Additional pairs per subject in which one clip is obviously broken, to detect subjects "
        "who do not look.",
        at_least(0),
    )
    subjects: int = setting(
        0,
        "Print this many personal links and admit nobody else. A link is one subject, in whichever "
        "browser it is opened. 0: each browser is one subject.",
        between(0, 10000),
    )
    report: bool = setting(False, "Print the results of the study and write them to --output.")
    output: str = setting("", "Folder for --report. Empty: a folder next to --store.")
    host: str = shared.host()
    names: tuple[str, ...] = shared.names()
    port: int = shared.port()
    seed: int = shared.seed()
    fps: float = shared.fps()
