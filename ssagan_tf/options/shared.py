"""Settings of more than one section."""

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
        "How encoder features join the decoder: concatenate (standard in ssagan), add (in "
        "mdgan_stage1), or add_inner: without the two outer ones (in second stages).",
    )


def ssa_layers() -> Any:
    return setting(
        "standard",
        "Layers followed by spatial self-attention: standard (every convolution but conv6, every "
        "deconvolution but the last; none in MD-GAN), all, none, or a list such as conv1,deconv5.",
        _layer_names,
    )


def seed() -> Any:
    return setting(
        0,
        "Seed of initial weights, data order, synthetic clouds, splits and draws.",
        between(0, 2**32 - 1),
    )


def _host_names(values: tuple[str, ...]) -> str | None:
    for value in values:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            if not re.fullmatch(r"[a-zA-Z0-9._-]+", value):
                return "must be names or addresses, without a protocol and a port"
    return None


def host() -> Any:
    return setting(
        "127.0.0.1",
        "Address to listen on. The default lets in this machine only; 0.0.0.0 lets in all who have "
        "the access token of the link that is printed.",
    )


def names() -> Any:
    return setting(
        (),
        "Names or addresses, beside --host, by which visitors call the server: behind a proxy, or "
        "in a container. Others are refused.",
        _host_names,
    )


def port() -> Any:
    return setting(7860, "Port to listen on; 0 takes a free one.", between(0, 65535))


def fit() -> Any:
    return setting(
        "auto",
        "How a picture is made square: stretched (the paper), its centre cropped, or letterboxed "
        "with black bars. auto: as the generator's run or ONNX file has it, else stretched.",
    )


def run_dir() -> Any:
    return setting(
        "",
        "Folder of the training run: settings, checkpoints, samples, generator.keras.",
        may_change=True,  # it is found where it is
    )


def fps() -> Any:
    return setting(
        12.0, "Frames per second of the videos written.", between(0.1, 1000.0), may_change=True
    )


def synthetic_clips(only_with: Mapping[str, tuple[str, ...]]) -> Any:
    return setting(
        240, "Number of clips of the built-in synthetic clouds.", at_least(2), only_with=only_with
    )


def wind(only_with: Mapping[str, tuple[str, ...]]) -> Any:
    return setting(
        "any",
        "Synthetic clouds. any: they drift every way, over plain hills or a sea. canonical: they "
        "drift to the right, in skies with what photos have: towns, trees, mountains, all hours.",
        only_with=only_with,
    )


def layout() -> Any:
    return setting(
        "auto",
        "What the source holds: frames (folders of pictures in order), videos (video files), "
        "stacked (a picture per clip, frames one below the other), or nothing: synthetic clouds.",
    )


def list() -> Any:
    return setting(
        "", "Layout stacked: text file of the pictures to take, a path below the source per line."
    )


def clip_rule() -> Any:
    return setting("all", "Clips of a folder or video: every run of 32 frames, or only the first.")


def frame_stride() -> Any:
    return setting(
        1,
        "Take every n-th frame (2: twice as fast). auto: per video or folder of pictures, the "
        "stride whose motion is nearest to --motion_target.",
        lambda v: None if v == "auto" or v >= 1 else "must be at least 1, or auto",
    )


def motion_target() -> Any:
    return setting(
        0.0072,
        "What --frame_stride=auto aims at: change from frame to frame, in [0, 1]. The default is "
        "the median of Sky Time-lapse clips.",
        above_zero,
        only_with={"frame_stride": ("auto",)},
    )


def clip_stride() -> Any:
    return setting(
        FRAMES,
        "Frames, of those taken, from the start of a clip to that of the next. Below 32 clips "
        "overlap.",
        at_least(1),
        only_with={"clip_rule": ("all",)},
    )


def scene_cut() -> Any:
    return setting(
        5.0,
        "A jump of so many times the usual change around it is a scene cut, which no clip crosses; "
        "0: cuts are not looked for.",
        at_least(0.0),
    )


def static_threshold() -> Any:
    return setting(
        0.0005,
        "Clips that change by less than this from frame to frame, in [0, 1], are dropped as still "
        "(0.0005: every 8th pixel by one of 255 levels; the three largest changes do not count); "
        "0: none.",
        between(0.0, 1.0),
    )


def systems() -> Any:
    return setting(
        (),
        "Systems as NAME=FOLDER, with commas: videos or folders of 32 frames, a clip of the same "
        "name in each (evaluate --save_clips writes such).",
        paths=True,
    )
