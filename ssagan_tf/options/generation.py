"""Turning photos into videos, with generators that were trained here or imported."""

from __future__ import annotations

import dataclasses
from typing import Literal

from ssagan_tf.options import shared
from ssagan_tf.options.setting import Section, between, setting
from ssagan_tf.options.shared import Fit, Skips


@dataclasses.dataclass(frozen=True)
class SourceOptions(Section):
    """Where the generator comes from: a run, a file, or the bundled model."""

    run_dir: str = shared.run_dir()
    model: str = setting(
        "",
        "A generator saved as FILE.keras, or box (the bundled model), instead of --run_dir.",
    )
    checkpoint: str = setting(
        "",
        "Checkpoint of the run: best (lowest content loss on test clips), newest, or a step such "
        "as 5000. Empty: generator.keras, or the newest checkpoint if the run is not finished.",
        lambda v: (
            None
            if v in ("", "best", "newest") or v.isdecimal()
            else "must be best, newest, or a step number"
        ),
    )


@dataclasses.dataclass(frozen=True)
class PhotosToVideos(Section):
    """Photos to read, and videos to write."""

    image: tuple[str, ...] = setting(
        (),
        "Photos, separated by commas or by repeating the flag. Patterns such as 'photos/*.jpg' are "
        "expanded. Existing files whose names contain a comma or [ ] are taken literally.",
        paths=True,
        any_bytes=True,
    )
    output: str = setting("", "FILE.mp4, FILE.gif or FILE.webp, or a folder.", any_bytes=True)
    format: Literal["auto", "mp4", "gif", "webp", "frames"] = setting(
        "auto",
        "Format of videos written to a folder, each named like its photo: mp4, gif, webp, or "
        "frames (a folder of pictures). auto: by the extension of --output; for a folder, frames "
        "(of a single photo directly in it).",
    )


@dataclasses.dataclass(frozen=True)
class PhotosToClips(PhotosToVideos):
    """Photos to read, and clips of 32 generated frames to write."""

    fit: Fit = shared.fit()
    fps: float = shared.fps()


@dataclasses.dataclass(frozen=True)
class SourceOrBoxOptions(SourceOptions):
    """Where the generator comes from; by default, the bundled model."""

    model: str = setting(
        "",
        "A generator saved as FILE.keras, instead of --run_dir. If neither is given: box, the "
        "bundled model.",
    )


@dataclasses.dataclass(frozen=True)
class GenerateOptions(PhotosToClips, SourceOrBoxOptions):
    """Photos, generator and videos."""


@dataclasses.dataclass(frozen=True)
class DemoOptions(SourceOrBoxOptions):
    """A web page that turns photos into videos."""

    runs: tuple[str, ...] = setting(
        (),
        "Further models for visitors to choose from: box, training runs, folders of runs, or "
        "FILE.keras, separated by commas. If --runs, --run_dir and --model are all empty: the "
        "bundled models and the runs in ./runs.",
        paths=True,
    )
    host: str = shared.host()
    names: tuple[str, ...] = shared.names()
    port: int = shared.port()
    fps: float = setting(
        12.0,
        "Frames per second of the generated clips; animated photos have 25.",
        between(0.1, 1000.0),
        may_change=True,
    )


@dataclasses.dataclass(frozen=True)
class ImportOptions(Section):
    """Converting PyTorch state dicts to .keras files, and back."""

    state_dict: str = setting("", "FILE.pth: a state dict of the released PyTorch code.")
    export: str = setting(
        "",
        "FILE.keras, or box (the bundled model), to convert to a PyTorch state dict, instead of "
        "--state_dict.",
    )
    output: str = setting("", "FILE.keras to write; with --export FILE.pth.")
    network: str = setting(
        "",
        "Registered name of the network, needed where the weights fit several: mdgan_stage1 and "
        "mdgan_stage2 look the same. With --export: which stage, if the file holds two.",
    )
    stage1: str = setting(
        "",
        "FILE.keras of a first stage: --output then holds it and the imported second stage as one "
        "generator, from photo to clip.",
    )
    skips: Skips = shared.skips()
    ssa_layers: str = shared.ssa_layers()
