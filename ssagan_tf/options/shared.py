"""Settings that several sections share."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Literal

from ssagan_tf.options.setting import above_zero, at_least, between, setting
from ssagan_tf.options.sizes import FRAMES, LARGEST_RESOLUTION, outer_levels

Fit = Literal["auto", "stretch", "crop", "letterbox"]
Skips = Literal["standard", "concatenate", "add", "add_inner"]
Layout = Literal["auto", "frames", "videos", "stacked", "synthetic"]
ClipRule = Literal["all", "first"]
Wind = Literal["any", "canonical"]


def _network_side(resolution: int) -> str | None:
    if outer_levels(resolution) < 0:
        return f"must be 64·2^k, that is 64, 128, 256, 512 or {LARGEST_RESOLUTION}"
    return None


def _layer_names(value: str) -> str | None:
    if value in ("standard", "all", "none"):
        return None
    if all(re.fullmatch(r"(de)?conv-?\d+", name) for name in value.split(",")):
        return None
    return "must be standard, all, none, or names of layers such as conv1,conv2,deconv5"


def resolution() -> Any:
    return setting(128, "Side of the square frames in pixels: 64·2^k, at most 1024.", _network_side)


def skips() -> Any:
    return setting(
        "standard",
        "How encoder features join the decoder: concatenate (standard in ssagan), add (standard in "
        "mdgan_stage1), or add_inner: add without the two outermost skips (standard in second "
        "stages).",
    )


def ssa_layers() -> Any:
    return setting(
        "standard",
        "Layers followed by spatial self-attention. standard: every convolution except conv6 and "
        "every deconvolution except the last, as in the released code; in MD-GAN none. all: every "
        "one, as in the paper. none; or a list such as conv1,deconv5.",
        _layer_names,
    )


def seed() -> Any:
    return setting(
        0,
        "Random seed: initial weights, data order, splits, synthetic clouds, sampling.",
        between(0, 2**32 - 1),
    )


def _host_names(values: tuple[str, ...]) -> str | None:
    for value in values:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            if not re.fullmatch(r"[a-zA-Z0-9._-]+", value):
                return "must be host names or addresses, without protocol or port"
    return None


def host() -> Any:
    return setting(
        "127.0.0.1",
        "Address to listen on. The default accepts connections from this machine only; 0.0.0.0 "
        "accepts everyone who has the access token in the printed link.",
    )


def names() -> Any:
    return setting(
        (),
        "Further host names or addresses under which visitors reach the server, for example behind "
        "a proxy or in a container. Requests for other hosts are refused.",
        _host_names,
    )


def port() -> Any:
    return setting(7860, "Port to listen on; 0: any free port.", between(0, 65535))


def fit() -> Any:
    return setting(
        "auto",
        "How pictures are made square: stretch (as in the paper), crop to the centre, or letterbox "
        "with black bars. auto: as recorded in the generator's run or ONNX file, else stretch.",
    )


def run_dir() -> Any:
    return setting(
        "",
        "Folder of the training run: settings, checkpoints, samples, generator.keras.",
        may_change=True,  # a run may be moved
    )


def fps() -> Any:
    return setting(
        12.0, "Frames per second of written videos.", between(0.1, 1000.0), may_change=True
    )


def synthetic_clips(only_with: Mapping[str, tuple[str, ...]]) -> Any:
    return setting(
        240, "Number of clips of the built-in synthetic clouds.", at_least(2), only_with=only_with
    )


def wind(only_with: Mapping[str, tuple[str, ...]]) -> Any:
    return setting(
        "any",
        "Synthetic clouds. any: they drift in every direction, over plain hills or a sea. "
        "canonical: they drift to the right, in scenes like those of photos: towns, trees, "
        "mountains, all times of day.",
        only_with=only_with,
    )


def layout() -> Any:
    return setting(
        "auto",
        "Layout of the source: frames (folders of numbered pictures), videos (video files), "
        "stacked (one picture per clip, its frames one below the other), or synthetic: built-in "
        "clouds, no source.",
    )


def list() -> Any:
    return setting(
        "",
        "For --layout=stacked: text file that lists the pictures to use, one path per line, "
        "relative to the source.",
    )


def clip_rule() -> Any:
    return setting(
        "all",
        "Clips to cut from a folder or video: every 32 consecutive frames, or only the first.",
    )


def frame_stride() -> Any:
    return setting(
        1,
        "Use every n-th frame (2: twice as fast). auto: for each video or folder of pictures the "
        "stride whose motion is closest to --motion_target.",
        lambda v: None if v == "auto" or v >= 1 else "must be at least 1, or auto",
    )


def motion_target() -> Any:
    return setting(
        0.0072,
        "Motion that --frame_stride=auto aims for: mean change between frames, in [0, 1]. The "
        "default is the median of the Sky Time-lapse clips.",
        above_zero,
        only_with={"frame_stride": ("auto",), "inspect": (True,)},  # which draws it
    )


def clip_stride() -> Any:
    return setting(
        FRAMES,
        "Frames between the starts of consecutive clips, counted after --frame_stride. Below 32, "
        "clips overlap.",
        at_least(1),
        only_with={"clip_rule": ("all",)},
    )


def scene_cut() -> Any:
    return setting(
        5.0,
        "A change this many times larger than the changes around it counts as a scene cut, which "
        "no clip crosses. 0: don't detect cuts.",
        at_least(0.0),
    )


def static_threshold() -> Any:
    return setting(
        0.0005,
        "Drop clips as static whose mean change between frames, in [0, 1], is below this (0.0005: "
        "every 8th pixel by one of 255 levels), ignoring the three largest changes. 0: keep all.",
        between(0.0, 1.0),
    )


def systems() -> Any:
    return setting(
        (),
        "Systems as NAME=FOLDER, separated by commas. Each folder holds videos or folders of 32 "
        "frames, under the same clip names (as written by evaluate --save_clips).",
        paths=True,
    )
