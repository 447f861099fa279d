"""From photos to videos, with generators trained here or imported."""

from __future__ import annotations

import dataclasses
from typing import Literal

from ssagan_tf.options import shared
from ssagan_tf.options.setting import Section, between, setting
from ssagan_tf.options.shared import Fit, Skips


@dataclasses.dataclass(frozen=True)
class SourceOptions(Section):
    """Where a generator comes from: a run, a file, or the package."""

    run_dir: str = shared.run_dir()
    model: str = setting(
        "",
        "A generator saved as FILE.keras, or box: the one that comes with the package (instead of "
        "--run_dir).",
    )
    checkpoint: str = setting(
        "",
        "Of the run: best (the least content loss on test clips), newest, or a step such as 5000. "
        "By default generator.keras, or the newest while the run is not finished.",
        lambda v: (
            None
            if v in ("", "best", "newest") or v.isdecimal()
            else "must be best, newest, or a step"
        ),
    )


@dataclasses.dataclass(frozen=True)
class PhotosToVideos(Section):
    """Photos in, videos out: what all programs share that do this."""

    image: tuple[str, ...] = setting(
        (),
        "Photos, separated by commas, or the setting again for each; patterns such as "
        "'photos/*.jpg' are expanded. What is there under a name with a comma or [ ] is meant.",
        paths=True,
        any_bytes=True,
    )
    output: str = setting("", "FILE.mp4, FILE.gif, FILE.webp, or a folder.", any_bytes=True)
    format: Literal["auto", "mp4", "gif", "webp", "frames"] = setting(
        "auto",
        "What is written into a folder, named like each photo: mp4, GIF, WebP, or folders of "
        "frames. auto: by the ending of --output; frames in a folder (of one photo: right there).",
    )


@dataclasses.dataclass(frozen=True)
class PhotosToClips(PhotosToVideos):
    """Photos in, a network's own frames out."""

    fit: Fit = shared.fit()
    fps: float = shared.fps()


@dataclasses.dataclass(frozen=True)
class SourceOrBoxOptions(SourceOptions):
    """Where a generator comes from, if not from the package."""

    model: str = setting(
        "",
        "A generator saved as FILE.keras, instead of --run_dir. Without either, box: the one that "
        "comes with the package.",
    )


@dataclasses.dataclass(frozen=True)
class GenerateOptions(PhotosToClips, SourceOrBoxOptions):
    """From photos to videos."""


@dataclasses.dataclass(frozen=True)
class DemoOptions(SourceOrBoxOptions):
    """A page that turns photos into videos."""

    runs: tuple[str, ...] = setting(
        (),
        "What else visitors can choose from: box, runs of train, folders that hold runs, or "
        "FILE.keras, separated by commas. Without this, --run_dir and --model: the models of the "
        "package and the runs in runs.",
        paths=True,
    )
    host: str = shared.host()
    names: tuple[str, ...] = shared.names()
    port: int = shared.port()
    fps: float = setting(
        12.0,
        "Frames per second of the network's own frames; a moving photo has 25.",
        between(0.1, 1000.0),
        may_change=True,
    )


@dataclasses.dataclass(frozen=True)
class ImportOptions(Section):
    """From PyTorch checkpoints to .keras files, and back."""

    state_dict: str = setting("", "FILE.pth: weights of the released PyTorch code.")
    export: str = setting(
        "",
        "FILE.keras, or box (the bundled model), to write as a PyTorch state dict (instead of "
        "--state_dict).",
    )
    output: str = setting("", "FILE.keras, or with --export FILE.pth.")
    network: str = setting(
        "",
        "Registered name of the network, where the file fits several: those of mdgan_stage1 and "
        "mdgan_stage2 look the same. With --export: the stage, where the file holds two.",
    )
    stage1: str = setting(
        "",
        "FILE.keras of a first stage: --output gets it and the imported second stage as one, from "
        "photo to clip.",
    )
    skips: Skips = shared.skips()
    ssa_layers: str = shared.ssa_layers()
