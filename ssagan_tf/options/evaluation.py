"""Comparing clips: in numbers, side by side, and by people."""

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
    whole = all(re.fullmatch(r"\d+", number) for number in value)
    return None if whole and len(value) % 2 == 0 else "must be whole numbers in pairs: x,y"


@dataclasses.dataclass(frozen=True)
class EvaluateOptions(SourceOptions):
    """Generated clips against real ones, in numbers that can be compared."""

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
        "test", "Clips to take, where the data has a split of its own; else it is read whole."
    )
    max_clips: int = setting(0, "Take so many clips, drawn by --seed; 0: all.", at_least(0))
    model: str = setting(
        "", "A generator saved as FILE.keras, or box: the one that comes with the package."
    )
    generated: tuple[str, ...] = setting(
        (),
        "Folders of any system's clips, videos or folders of 32 frames, named like the data's. "
        "Of these, --run_dir and --model, several go with commas, each as NAME=PATH or PATH.",
        paths=True,
    )
    direction: Literal["as_given", "better"] = setting(
        "as_given",
        "better: every system makes each clip in both mirrored directions, and the one of less MSE "
        "is taken, as a photo does not tell where clouds drift. Clips of a folder stand as they "
        "are, unless --generated_mirrored names the others.",
    )
    generated_mirrored: tuple[str, ...] = setting(
        (),
        "For --direction=better: folders of clips made from mirrored photos and mirrored back, as "
        "NAME=PATH, where NAME is that of a folder of --generated.",
        paths=True,
    )
    baselines: tuple[str, ...] = setting(
        (), "Rows of more of the baselines that are listed above, separated by commas."
    )
    transfer: bool = setting(
        False,
        "Beside every generator, a row NAME_transfer: photos moved by the motion of its clips, as "
        "animate --noloop does. With --loop_metrics also NAME_loop: 32 frames of the endless loop "
        "that animate makes.",
    )
    size: int = setting(
        0,
        "Side in pixels at which clips are compared: real clips are brought to it, and those of "
        "generators of another size; folders must be of it. 0: that of all generated clips.",
        _side,
    )
    protocol: Literal["paper", "standard"] = setting(
        "paper",
        "paper: values in [-1,1], frames 1-32, as Table 3. standard: clipped to [0,1], peak 1, "
        "frames 2-32.",
    )
    batch_norm: Literal["running", "batch"] = setting(
        "running",
        "Statistics of batch norm in generators: the running ones, or those of each batch of "
        "--batch_size, as the released code evaluates its first stage.",
    )
    batch_size: int = setting(16, "Clips generated at once.", at_least(1))
    optical_flow: bool = setting(
        True, "Measure optical flow, and velocities by it; it takes most of the time."
    )
    loop_metrics: bool = setting(
        False, "Measure seam and pumping, which say something of clips that loop."
    )
    incomplete: Literal["error", "skip"] = setting(
        "error",
        "When clips are missing, broken or not of 32 frames: stop and name them, or leave them out "
        "for all systems and list them in the report.",
    )
    attention_at: tuple[str, ...] = setting(
        (),
        "Draw attention maps of the position x,y of the frame, in pixels; more positions follow "
        "as x,y,x,y.",
        _positions,
    )
    save_clips: Literal["none", "mp4", "frames"] = setting(
        "none", "Also write the clips of all rows and the real ones, for compare and study."
    )
    seed: int = shared.seed()
    fps: float = shared.fps()
    output: str = setting("", "Folder to write: metrics.json, report.md and pictures.")


@dataclasses.dataclass(frozen=True)
class CompareOptions(Section):
    """Clips of several systems side by side, as one film."""

    systems: tuple[str, ...] = shared.systems()
    clips: tuple[str, ...] = setting(
        (), "Names of the clips to show; without it, --rows drawn by --seed."
    )
    rows: int = setting(3, "Clips shown, one below the other.", at_least(1))
    loops: int = setting(
        4, "Times that an mp4 repeats the clips; GIF and WebP are endless.", at_least(1)
    )
    seed: int = shared.seed()
    fps: float = shared.fps()
    output: str = setting("", "FILE.mp4, FILE.gif or FILE.webp.")


@dataclasses.dataclass(frozen=True)
class StudyOptions(Section):
    """A preference study (Sec. 5.2, Table 2): which of two clips is more realistic?"""

    systems: tuple[str, ...] = shared.systems()
    store: str = setting("", "SQLite file of the study; one that is there is gone on with.")
    pairs: int = setting(100, "Pairs shown per case, that is, per two systems.", at_least(1))
    cases: tuple[str, ...] = setting(
        (), "Systems to compare, as A:B,A:real; without it, each with each."
    )
    catch_pairs: int = setting(
        0,
        "Pairs more for each subject, one of them a clip that is plainly broken: shows who looks.",
        at_least(0),
    )
    subjects: int = setting(
        0,
        "Print so many personal links, and let in nobody else: a link is one subject, in whichever "
        "browser it is opened. 0: each browser is a subject.",
        between(0, 10000),
    )
    report: bool = setting(False, "Print the results of the store and write them to --output.")
    output: str = setting("", "Folder for --report; without it, beside the store.")
    host: str = shared.host()
    names: tuple[str, ...] = shared.names()
    port: int = shared.port()
    seed: int = shared.seed()
    fps: float = shared.fps()
