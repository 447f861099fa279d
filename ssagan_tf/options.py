"""Every setting once: its name, type, default, help and check.

The sections below are frozen dataclasses. `flags.py` makes the command-line flags from
them, so a setting is added here and nowhere else. A setting that two sections share
(`seed`, `resolution`) has the same type and default in both.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

FRAMES = 32  # length of a clip, fixed by the kernels of Table 1
CORE_RESOLUTION = 64  # side of the smallest network (Sec. 5.3); larger ones double it

Fit = Literal["auto", "stretch", "crop", "letterbox"]
Skips = Literal["standard", "concatenate", "add", "add_inner"]
Layout = Literal["auto", "frames", "videos", "stacked", "synthetic"]
ClipRule = Literal["all", "first"]
Stride = int | Literal["auto"]

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # of another machine, as gs://bucket/folder

Check = Callable[[Any], str | None]
"""Takes the value; returns what it must be if it is wrong, else None."""


class OptionError(ValueError):
    """A setting with an impossible value (exit code 2). Message: ``name=value: why``."""

    def __init__(self, name: str, value: Any, why: str):
        given = ",".join(value) if isinstance(value, tuple) else value  # as it is typed
        super().__init__(f"{name}={given}: {why}")


def setting(
    default: Any,
    help: str,
    check: Check | None = None,
    *,
    may_change: bool = False,
    remote: bool = False,
) -> Any:
    """Declares one setting.

    Args:
      default: The value when nothing is given. Its type is the annotation's.
      help: One or two sentences for `--help`.
      check: Refuses impossible values.
      may_change: Whether a run that is resumed may be given another value.
      remote: Whether it may be an address of another machine.
    """
    metadata = {"help": help, "check": check, "may_change": may_change, "remote": remote}
    return dataclasses.field(default=default, metadata=metadata)


def at_least(low: float) -> Check:
    """Checks that a number is `low` or more."""
    return lambda value: None if value >= low else f"must be at least {low}"


def between(low: float, high: float) -> Check:
    """Checks that a number is in [low, high]."""
    return lambda v: None if low <= v <= high else f"must be between {low} and {high}"


def above_zero(value: float) -> str | None:
    """Checks that a number is positive."""
    return None if value > 0 else "must be greater than 0"


def outer_levels(resolution: int) -> int:
    """Number of outer U-Net levels k of a network of side 64·2^k, or -1 if it is none."""
    quotient, rest = divmod(resolution, CORE_RESOLUTION)
    if rest or quotient < 1 or quotient & (quotient - 1):
        return -1
    return quotient.bit_length() - 1


def _network_side(resolution: int) -> str | None:
    if outer_levels(resolution) < 0:
        return "must be 64·2^k, that is 64, 128, 256, 512, …"
    return None


def _layer_names(value: str) -> str | None:
    if value in ("standard", "all", "none"):
        return None
    if all(re.fullmatch(r"(de)?conv-?\d+", name) for name in value.split(",")):
        return None
    return "must be standard, all, none, or names of layers such as conv1,conv2,deconv5"


def _rising_numbers(values: tuple[str, ...]) -> str | None:
    numbers = [int(value) if value.isdecimal() else 0 for value in values]
    rises = all(a < b for a, b in zip([0, *numbers], numbers, strict=False))
    return None if rises else "must be whole numbers above 0, each above the one before"


BASELINES = ("copy_first_frame", "mean_frame", "pan", "blur", "other_clip")


def _baselines(value: tuple[str, ...]) -> str | None:
    return None if set(value) <= set(BASELINES) else f"must be of {', '.join(BASELINES)}"


def _positions(value: tuple[str, ...]) -> str | None:
    whole = all(re.fullmatch(r"\d+", number) for number in value)
    return None if whole and len(value) % 2 == 0 else "must be whole numbers in pairs: x,y"


# Settings of more than one section.


def _resolution() -> Any:
    return setting(128, "Side of the square frames in pixels: 64·2^k.", _network_side)


def _skips() -> Any:
    return setting(
        "standard",
        "How encoder features join the decoder: concatenate (standard in ssagan), add (in "
        "mdgan_stage1), or add_inner: without the two outer ones (in second stages).",
    )


def _ssa_layers() -> Any:
    return setting(
        "standard",
        "Layers followed by spatial self-attention: standard (every convolution but conv6, every "
        "deconvolution but the last; none in MD-GAN), all, none, or a list such as conv1,deconv5.",
        _layer_names,
    )


def _seed() -> Any:
    return setting(
        0,
        "Seed of initial weights, data order, synthetic clouds, splits and draws.",
        between(0, 2**32 - 1),
    )


def _fit() -> Any:
    return setting(
        "auto",
        "How a picture is made square: stretched (the paper), its centre cropped, or letterboxed "
        "with black bars. auto: as the generator's run or ONNX file has it, else stretched.",
    )


def _run_dir() -> Any:
    return setting(
        "",
        "Folder of the training run: settings, checkpoints, samples, generator.keras.",
        may_change=True,  # it is found where it is
    )


def _fps() -> Any:
    return setting(
        12.0, "Frames per second of the videos written.", between(0.1, 1000.0), may_change=True
    )


def _synthetic_clips() -> Any:
    return setting(240, "Number of clips of the built-in synthetic clouds.", at_least(2))


def _layout() -> Any:
    return setting(
        "auto",
        "What the source holds: frames (folders of numbered pictures), videos (video files), "
        "stacked (a picture per clip, frames one below the other), or nothing: synthetic clouds.",
    )


def _list() -> Any:
    return setting(
        "", "Layout stacked: text file of the pictures to take, a path below the source per line."
    )


def _clip_rule() -> Any:
    return setting("all", "Clips of a folder or video: every run of 32 frames, or only the first.")


def _frame_stride() -> Any:
    return setting(
        1,
        "Take every n-th frame (2: twice as fast). auto: per video or folder of pictures, the "
        "stride whose motion is nearest to --motion_target.",
        lambda v: None if v == "auto" or v >= 1 else "must be at least 1, or auto",
    )


def _motion_target() -> Any:
    return setting(
        0.0072,
        "What --frame_stride=auto aims at: change from frame to frame, in [0, 1]. The default is "
        "the median of Sky Time-lapse clips.",
        above_zero,
    )


def _clip_stride() -> Any:
    return setting(
        FRAMES,
        "Frames, of those taken, from the start of a clip to that of the next. Below 32 clips "
        "overlap.",
        at_least(1),
    )


def _scene_cut() -> Any:
    return setting(
        5.0,
        "A jump of so many times the usual change around it is a scene cut, which no clip crosses; "
        "0: cuts are not looked for.",
        at_least(0.0),
    )


def _still() -> Any:
    return setting(
        0.0005,
        "Clips that change by less than this from frame to frame, in [0, 1], are dropped as still "
        "(0.0005: every 8th pixel by one of 255 levels; the three largest changes do not count); "
        "0: none.",
        between(0.0, 1.0),
    )


def _systems() -> Any:
    return setting(
        (),
        "Systems as NAME=FOLDER, with commas: videos or folders of 32 frames, a clip of the same "
        "name in each (evaluate --save_clips writes such).",
    )


def _type_error(value: Any, kind: Any) -> str | None:
    """What the value must be if it is not of the annotated type."""
    if get_origin(kind) is tuple:
        of_strings = isinstance(value, tuple) and all(isinstance(item, str) for item in value)
        return None if of_strings else "must be a tuple of strings"
    if kind == Stride:
        return _type_error(value, int) if value != "auto" else None
    if kind is float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return None if is_number and math.isfinite(value) else "must be a finite number"
    if kind is int:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return None if is_whole else "must be a whole number"
    if kind in (bool, str):
        return None if isinstance(value, kind) else f"must be a {kind.__name__}"
    return None  # a Literal, whose choices are checked


def _address_error(value: Any, allowed: bool) -> str | None:
    """What is wrong with a value that is an address, or `NAME=ADDRESS`."""
    for text in value if isinstance(value, tuple) else (value,):
        match = isinstance(text, str) and ADDRESS.match(text.rpartition("=")[2])
        if match and not allowed:
            return (
                "is an address; only --data, and --source and --output of prepare, may be one; "
                "name a file or folder of this machine"
            )
        if match and not match.string[match.end() :].strip("/"):
            return f"names no place, as {match[0]}bucket/folder does"
    return None


class Section:
    """What all sections of settings have in common: their types and checks.

    Attributes:
      recipes: By registered name of a network, other defaults for settings that are not given.
    """

    recipes: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if why := _type_error(value, hints[field.name]):
                raise OptionError(field.name, value, why)
            if get_origin(hints[field.name]) is Literal:
                choices = get_args(hints[field.name])
                if value not in choices:
                    raise OptionError(field.name, value, f"must be one of {', '.join(choices)}")
            if (check := field.metadata["check"]) and (why := check(value)):
                raise OptionError(field.name, value, why)
            if why := _address_error(value, field.metadata["remote"]):
                raise OptionError(field.name, value, why)


def require(section: Section, *names: str) -> None:
    """Raises OptionError unless the settings of these names were given."""
    for name in names:
        if not getattr(section, name):
            raise OptionError(name, "", "is needed; see --help")


@dataclasses.dataclass(frozen=True)
class ModelOptions(Section):
    """The networks. Without arguments: the paper's SSA-GAN at 128×128 (Table 1)."""

    network: str = setting(
        "ssagan",
        "Registered name: ssagan; mdgan_stage1; mdgan_stage2 and ssagan_stage2, which refine the "
        "clips of a first stage; vgan and rnngan, at 64×64 only.",
    )
    resolution: int = _resolution()
    base_filters: int = setting(
        32,
        "Filters of conv1 in the 128×128 network (all others follow): 32 in the paper. At 32 vgan "
        "begins with 128 filters and rnngan with 64.",
        at_least(1),
    )
    skips: Skips = _skips()
    ssa_layers: str = _ssa_layers()
    ssa_gate: Literal["gamma", "none", "projected"] = setting(
        "gamma",
        "How attention joins its input (Sec. 5.4): gamma: γ·o + x; none: o + x; projected: "
        "BN(W·o) + x with W zero at first, as released.",
    )
    ssa_ratio: float = setting(
        1.0,
        "Channels of queries and keys over those of the features, C̄/C (1 in the paper, "
        "0.125 in the released second stage).",
        lambda v: None if 0 < v <= 1 else "must be above 0 and at most 1",
    )
    spectral_norm: bool = setting(
        False, "Spectral normalisation of all convolutions but those of the attention."
    )
    scale_stddev: float = setting(
        0.0,
        "Standard deviation about 1 of batch norm's scales at first (0.02 as released).",
        at_least(0.0),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        halvings = max(outer_levels(self.resolution) - 1, 0)
        if self.base_filters % 2**halvings:
            raise OptionError(
                "base_filters",
                self.base_filters,
                f"must be a multiple of {2**halvings} at resolution {self.resolution}, whose "
                "outer layers halve it",
            )


@dataclasses.dataclass(frozen=True)
class ComputeOptions(Section):
    """How the networks are computed. What they compute stays the same, but for rounding."""

    precision: Literal["float32", "mixed_bfloat16"] = setting(
        "float32",
        "Arithmetic of the layers. mixed_bfloat16 is meant for hardware that has it; weights, "
        "batch moments and losses stay float32.",
    )
    attention_memory: int = setting(
        256,
        "MiB that the weights of one attention module may take for a batch. Where they need more, "
        "they are computed in blocks, and in training a second time.",
        at_least(1),
        may_change=True,
    )
    remat: bool = setting(
        False,
        "Gradient checkpointing: the generator's layers are computed again in the gradient instead "
        "of kept. Less memory for more time.",
        may_change=True,
    )


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
    layout: Layout = _layout()
    list: str = _list()
    resolution: int = _resolution()
    fit: Fit = _fit()
    clip_rule: ClipRule = _clip_rule()
    clip_stride: int = _clip_stride()
    frame_stride: Stride = _frame_stride()
    motion_target: float = _motion_target()
    scene_cut: float = _scene_cut()
    still: float = _still()
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
    synthetic_clips: int = _synthetic_clips()
    seed: int = _seed()
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


# What the other systems have by default where it differs. Their publications name Adam's learning
# rate and β₁; β₂ is Adam's own. One update of each network in turn is published for VGAN only.
_ALTERNATING = {"discriminator_updates": 1, "beta_2": 0.999}
RECIPES: dict[str, dict[str, Any]] = {
    "mdgan_stage1": _ALTERNATING,
    "mdgan_stage2": {**_ALTERNATING, "lambda_rank": 1.0},
    "vgan": {**_ALTERNATING, "lambda_con": 0.0, "lambda_first_frame": 10.0},
    "rnngan": {**_ALTERNATING, "lambda_con": 0.0, "lambda_mse": 1.0, "lambda_adv": 0.2},
}


@dataclasses.dataclass(frozen=True)
class TrainOptions(Section):
    """Training of one run. Defaults are the paper's (Sec. 4); the baselines have their own."""

    recipes: ClassVar[Mapping[str, Mapping[str, Any]]] = RECIPES

    data: str = setting(
        "",
        "Prepared set, also at an address, or `synthetic` for the built-in clouds.",
        may_change=True,
        remote=True,
    )
    run_dir: str = _run_dir()
    stage1: str = setting(
        "",
        "Of a second stage: run or FILE.keras of the first, whose clips it refines. The run keeps "
        "a copy, so that going on does not need it.",
        may_change=True,  # its weights may not: see training/first_stage.py
    )
    steps: int = setting(
        20_000,
        "Training steps; each updates the discriminator --discriminator_updates times and the "
        "generator once.",
        at_least(1),
        may_change=True,
    )
    batch_size: int = setting(16, "Clips per update, of all devices together.", at_least(1))
    discriminator_updates: int = setting(
        5, "Discriminator updates before each generator update (baselines: 1).", at_least(1)
    )
    adversarial: Literal["nonsaturating", "minimax", "wasserstein"] = setting(
        "nonsaturating",
        "The adversarial loss. The generator minimises −log D(G(x)), or literally Eq. 4: "
        "log(1 − D(G(x))), or, as released, −D(G(x)), and the discriminator D(G(x)) − D(Y).",
    )
    lambda_penalty: float = setting(
        0.0, "Weight of the discriminator's gradient penalty (10 as released).", at_least(0.0)
    )
    lambda_adv: float = setting(
        1.0, "Weight of the generator's adversarial loss (0.2 in rnngan).", at_least(0.0)
    )
    lambda_con: float = setting(
        1.0, "Weight of the L1 content loss (Eq. 7; 0 in vgan and rnngan).", at_least(0.0)
    )
    lambda_ssim: float = setting(
        0.0, "Weight of the content loss 1 − SSIM (1 as released).", at_least(0.0)
    )
    lambda_mse: float = setting(
        0.0, "Weight of the mean squared error as content loss (1 in rnngan).", at_least(0.0)
    )
    lambda_first_frame: float = setting(
        0.0, "Weight of the L1 loss of the first frame alone (10 in vgan).", at_least(0.0)
    )
    lambda_rank: float = setting(
        0.0,
        "Weight of the ranking loss of second stages (1 in mdgan_stage2).",
        at_least(0.0),
    )
    ranking: Literal["both", "generator"] = setting(
        "both",
        "Who has the ranking loss: both, the generator minimising and the discriminator maximising "
        "it, as in MD-GAN; or the generator alone.",
    )
    learning_rate: float = setting(2e-4, "Adam's learning rate at first.", above_zero)
    learning_rate_drops: tuple[str, ...] = setting(
        (),
        "Numbers of steps after which the learning rate is a tenth of what it was, separated by "
        "commas; none: it is fixed.",
        _rising_numbers,
    )
    beta_1: float = setting(0.5, "Adam's β₁.", between(0.0, 0.9999))
    beta_2: float = setting(0.9, "Adam's β₂ (baselines: 0.999).", between(0.0, 0.9999))
    ema_decay: float = setting(
        0.0,
        "Decay per step of the exponential moving average of the generator's weights, which "
        "samples and generator.keras then have, such as 0.999; 0: no average.",
        between(0.0, 0.999999),
    )
    flip: bool = setting(False, "Mirror half of the training clips left to right.")
    zoom: float = setting(
        0.0,
        "Enlarge a part of each training clip to the whole, by up to this: 0.2 cuts out squares of "
        "5/6 to all of its side; 0: don't.",
        between(0.0, 4.0),
    )
    slow_motion: float = setting(
        0.0,
        "Play a part of each training clip in the time of the whole, frames in between blended: it "
        "loses up to this share of its pace; 0: don't. Faster is --frame_stride of prepare.",
        between(0.0, 0.75),
    )
    colour: float = setting(
        0.0,
        "Change contrast and exposure of each training clip by up to this share, up or down, and "
        "each colour by half of it; 0: don't.",
        between(0.0, 0.5),
    )
    cache: str = setting(
        "",
        "Folder on a near disk (of each host) to copy the prepared set into and to read it from, "
        "for sets on slow ones. It may be shared by several sets.",
        may_change=True,
    )
    shuffle_window: int = setting(
        512, "Clips (undecoded) that are shuffled among each other.", at_least(1)
    )
    synthetic_clips: int = _synthetic_clips()
    seed: int = _seed()
    checkpoint_every: int = setting(250, "Steps between checkpoints.", at_least(1), may_change=True)
    keep_checkpoints: int = setting(
        3,
        "Newest checkpoints kept, beside that of the least content loss on test clips.",
        at_least(1),
        may_change=True,
    )
    sample_every: int = setting(
        250,
        "Steps between sample videos, strips and the content loss on test clips.",
        at_least(1),
        may_change=True,
    )
    samples: int = setting(4, "Clips in a sample.", at_least(1), may_change=True)
    test_clips: int = setting(
        64, "Test clips that the content loss is taken of.", at_least(1), may_change=True
    )
    log_every: int = setting(
        10, "Steps between lines of metrics.jsonl.", at_least(1), may_change=True
    )
    fps: float = _fps()
    strategy: Literal["auto", "one_device", "mirrored", "multi_worker"] = setting(
        "auto",
        "Devices: one, several of this host, or the hosts of the environment variable TF_CONFIG. "
        "auto: all that there are.",
        may_change=True,
    )
    replicas: int = setting(
        0,
        "Devices of this host; 0: all GPUs. Without GPUs the processor is split into so many, to "
        "try it out.",
        at_least(0),
        may_change=True,
    )
    rollbacks: int = setting(
        0,
        "How often a run whose numbers go bad (NaN, infinite) goes back to its newest checkpoint "
        "and on with other random draws, before it stops.",
        at_least(0),
        may_change=True,
    )
    skip_corrupt: bool = setting(
        False,
        "Leave out damaged records of the prepared set, and count them, instead of stopping.",
        may_change=True,
    )
    deterministic: bool = setting(
        False, "Same bits on every run of one machine: deterministic ops, one op at a time."
    )
    dry_run: bool = setting(
        False, "Check settings and data, build the networks, and stop.", may_change=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cache and self.skip_corrupt:
            raise OptionError("cache", self.cache, "cannot go with --skip_corrupt")


@dataclasses.dataclass(frozen=True)
class SourceOptions(Section):
    """Where a generator comes from: a run, or a file."""

    run_dir: str = _run_dir()
    model: str = setting("", "A generator saved as FILE.keras (instead of --run_dir).")
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
        (), "Photos, separated by commas; patterns such as 'photos/*.jpg' are expanded."
    )
    output: str = setting("", "FILE.mp4, FILE.gif, or a folder.")
    format: Literal["auto", "mp4", "gif", "frames"] = setting(
        "auto",
        "What is written into a folder, named like each photo: mp4, GIF, or folders of frames. "
        "auto: by the ending of --output; frames in a folder (of one photo: right there).",
    )
    fit: Fit = _fit()
    fps: float = _fps()


@dataclasses.dataclass(frozen=True)
class GenerateOptions(PhotosToVideos, SourceOptions):
    """From photos to videos."""


@dataclasses.dataclass(frozen=True)
class DemoOptions(Section):
    """A page that turns photos into videos."""

    runs: tuple[str, ...] = setting(
        ("runs",),
        "What can be chosen from: runs of train, folders that hold runs, or FILE.keras, separated "
        "by commas.",
    )
    host: str = setting(
        "127.0.0.1",
        "Address to listen on. The default lets in this machine only; 0.0.0.0 lets in all.",
    )
    port: int = setting(7860, "Port to listen on; 0: any that is free.", between(0, 65535))
    fps: float = _fps()


@dataclasses.dataclass(frozen=True)
class ImportOptions(Section):
    """From PyTorch checkpoints to .keras files, and back."""

    checkpoint: str = setting("", "FILE.pth: weights of the released PyTorch code.")
    export: str = setting(
        "", "FILE.keras, to be written as such a checkpoint (instead of --checkpoint)."
    )
    output: str = setting("", "FILE.keras, or with --export FILE.pth.")
    model: str = setting(
        "",
        "Registered name of the network, where the file fits several: those of mdgan_stage1 and "
        "mdgan_stage2 look the same. With --export: the stage, where the file holds two.",
    )
    stage1: str = setting(
        "",
        "FILE.keras of a first stage: --output gets it and the imported second stage as one, from "
        "photo to clip.",
    )
    skips: Skips = _skips()
    ssa_layers: str = _ssa_layers()


@dataclasses.dataclass(frozen=True)
class EvaluateOptions(SourceOptions):
    """Generated clips against real ones, in numbers that can be compared."""

    data: str = setting(
        "", "Real clips: a prepared set, or a folder of frames or videos.", remote=True
    )
    layout: Layout = _layout()
    list: str = _list()
    clip_rule: ClipRule = _clip_rule()
    clip_stride: int = _clip_stride()
    frame_stride: Stride = _frame_stride()
    motion_target: float = _motion_target()
    scene_cut: float = _scene_cut()
    still: float = _still()
    fit: Fit = _fit()
    split: Literal["test", "train", "all"] = setting(
        "test", "Clips to take, where the data has a split of its own; else it is read whole."
    )
    max_clips: int = setting(0, "Take so many clips, drawn by --seed; 0: all.", at_least(0))
    model: str = setting("", "A generator saved as FILE.keras.")
    generated: tuple[str, ...] = setting(
        (),
        "Folders of any system's clips, videos or folders of 32 frames, named like the data's. "
        "Of these, --run_dir and --model, several go with commas, each as NAME=PATH or PATH.",
    )
    baselines: tuple[str, ...] = setting(
        (),
        "Rows beside copy_first_frame: mean_frame (the best still picture: needs the real clip), "
        "pan (slides by a pixel a frame), blur (ever softer), other_clip (a real one, but of "
        "another video).",
        _baselines,
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
    optical_flow: bool = setting(True, "Measure optical flow; it takes most of the time.")
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
    seed: int = _seed()
    fps: float = _fps()
    output: str = setting("", "Folder to write: metrics.json, report.md and pictures.")


@dataclasses.dataclass(frozen=True)
class CompareOptions(Section):
    """Clips of several systems side by side, as one film."""

    systems: tuple[str, ...] = _systems()
    clips: tuple[str, ...] = setting(
        (), "Names of the clips to show; without it, --rows drawn by --seed."
    )
    rows: int = setting(3, "Clips shown, one below the other.", at_least(1))
    loops: int = setting(4, "Times that an mp4 repeats the clips; a GIF is endless.", at_least(1))
    seed: int = _seed()
    fps: float = _fps()
    output: str = setting("", "FILE.mp4 or FILE.gif.")


@dataclasses.dataclass(frozen=True)
class StudyOptions(Section):
    """A preference study (Sec. 5.1, Table 2): which of two clips is more realistic?"""

    systems: tuple[str, ...] = _systems()
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
    report: bool = setting(False, "Print the results of the store and write them to --output.")
    output: str = setting("", "Folder for --report; without it, beside the store.")
    host: str = setting(
        "127.0.0.1", "Address to listen on; one that others can reach asks for an access token."
    )
    port: int = setting(7860, "Port to listen on; 0 takes a free one.", between(0, 65535))
    seed: int = _seed()
    fps: float = _fps()
