"""Settings of the programs in this folder, declared as in `ssagan_tf/options/`."""

from __future__ import annotations

import dataclasses
from typing import Literal

from ssagan_tf import box
from ssagan_tf.options import (
    Fit,
    PhotosToAnimations,
    PhotosToClips,
    Section,
    SourceOptions,
    SourceOrBoxOptions,
    at_least,
    between,
    setting,
)

from .parity import TARGETS

FIT_HELP = (
    "How photos are made square: stretched (as in the paper), cropped to the centre, or "
    "letterboxed. auto: like the clips of the run; with --model, stretched."
)
ONNX_HELP = "FILE.onnx written by to_onnx."


def _are_counts(values: tuple[str, ...]) -> str | None:
    if all(value.isdecimal() and int(value) > 0 for value in values):
        return None
    return "must be positive whole numbers, separated by commas"


@dataclasses.dataclass(frozen=True)
class SavedModelOptions(SourceOptions):
    """Options of the SavedModel."""

    output: str = setting(
        "",
        "Folder to write. Its name is the version number: models/ssagan/1, then models/ssagan/2.",
    )
    fit: Fit = setting("auto", FIT_HELP)
    weights: Literal["float32", "float16", "bfloat16"] = setting(
        "float32",
        "Data type of the stored kernels. 16 bits halve the size of the folder; the arithmetic is "
        "the same.",
    )
    max_megapixels: int = setting(
        64, "Largest photo accepted, in megapixels; checked before decoding.", between(1, 130)
    )
    warm_up: tuple[str, ...] = setting(
        ("1", "2", "4", "8"),
        "Batch sizes that the server runs once when it loads the model: the allowed_batch_sizes in "
        "batching.config. Leave empty (--warm_up=) for no warm-up.",
        _are_counts,
    )


@dataclasses.dataclass(frozen=True)
class BoxOptions(SourceOptions):
    """Options of the bundled model."""

    name: str = setting(
        box.DEFAULT,
        "Name of the model, such as box64-small.",
        lambda v: (
            None
            if box.is_name(v) and v != box.BOX
            else "must start with box, in lower case: box64, box64-small"
        ),
    )
    metrics: tuple[str, ...] = setting(
        (),
        "Evaluations for the model card, as NAME=FOLDER/metrics.json, separated by commas. Run "
        "evaluate with --transfer --baselines=constant_wind, as the card needs these rows.",
        paths=True,
    )
    output: str = setting("", "Folder to write to. Default: ssagan_tf/box.")


@dataclasses.dataclass(frozen=True)
class OnnxOptions(SourceOptions):
    """Options of the ONNX file."""

    output: str = setting("", "FILE.onnx to write.")
    fit: Fit = setting(
        "auto", FIT_HELP + " This is only noted in the file: callers make their photos square."
    )
    precision: Literal["float32", "float16"] = setting(
        "float32",
        "Data type of weights and arithmetic. With float16, attention weights, inputs and outputs "
        "stay float32.",
    )
    opset: Literal["17", "18"] = setting("18", "ONNX opset version.")
    attention_memory: int = setting(
        2048,
        "Memory limit in MiB for the weights of one attention module at batch size 16. If they "
        "need more, they are computed in blocks.",
        at_least(1),
    )


@dataclasses.dataclass(frozen=True)
class WebOptions(SourceOrBoxOptions):
    """Options of the site."""

    output: str = setting("", "Folder to write. With --serve: a temporary one if empty.")
    runtime: str = setting(
        "",
        "Folder with the npm packages onnxruntime-web and mediabunny, such as node_modules. "
        "Default: npm downloads them.",
    )
    serve: bool = setting(False, "Serve the site on this machine until Ctrl-C.")
    port: int = setting(
        8000,
        "Port for --serve; 0 picks a free one.",
        between(0, 65535),
        only_with={"serve": (True,)},
    )


@dataclasses.dataclass(frozen=True)
class RuntimeOptions(Section):
    """Options of ONNX Runtime."""

    require_gpu: bool = setting(False, "Fail if there is no usable GPU.")
    threads: int = setting(0, "CPU threads; 0: one per core.", at_least(0))


@dataclasses.dataclass(frozen=True)
class OnnxGenerateOptions(RuntimeOptions, PhotosToClips):
    """Photos to videos with ONNX Runtime."""

    model: str = setting("", ONNX_HELP)


@dataclasses.dataclass(frozen=True)
class OnnxAnimateOptions(RuntimeOptions, PhotosToAnimations):
    """Photos to moving photos with ONNX Runtime."""

    model: str = setting("", ONNX_HELP)


# A generator and its exports: one setting for each target.
_ExportedOptions = dataclasses.make_dataclass(
    "_ExportedOptions",
    [(target.flag, str, setting("", target.help)) for target in TARGETS],
    bases=(SourceOptions,),
    frozen=True,
)


@dataclasses.dataclass(frozen=True)
class ParityOptions(_ExportedOptions):
    """What to compare, and how closely it must match."""

    image: tuple[str, ...] = setting(
        (), "Photos, separated by commas. Default: synthetic clouds.", paths=True
    )
    batches: tuple[str, ...] = setting(("1", "2", "5"), "Batch sizes.", _are_counts)
    tolerance: float = setting(
        0.0,
        "Largest difference allowed between clips in [-1, 1]. 0: 1e-5, or 2e-2 for 16-bit weights "
        "or arithmetic.",
        at_least(0.0),
    )
    repeats: int = setting(3, "Timed runs of each model, after one untimed run.", at_least(1))


@dataclasses.dataclass(frozen=True)
class ServerOptions(Section):
    """Options of the server."""

    server: str = setting(
        "",
        "HOST:PORT. TensorFlow Serving listens on 8500 for gRPC and on 8501 for REST.",
        lambda v: "must be HOST:PORT, without a protocol" if "://" in v else None,
    )
    api: Literal["grpc", "rest"] = setting("grpc", "API that the server offers at this port.")
    name: str = setting("ssagan", "Name of the model in models.config.")
    version: int = setting(0, "Version of the model; 0: the latest.", at_least(0))
    signature: Literal["encoded", "serving_default"] = setting(
        "encoded",
        "What the server returns. encoded: JPEG frames, small enough for any message; "
        "serving_default: exact pixels, seven times as large.",
    )
    deadline: float = setting(60.0, "Seconds to wait for a response.", between(0.001, 86400))
    message_mib: int = setting(
        4, "Largest response accepted, in MiB (4 is also gRPC's own default).", between(1, 2047)
    )


@dataclasses.dataclass(frozen=True)
class ClientOptions(ServerOptions, PhotosToClips):
    """Photos to videos with a server."""

    batch: int = setting(1, "Photos per request.", at_least(1))


@dataclasses.dataclass(frozen=True)
class ServingAnimateOptions(ServerOptions, PhotosToAnimations):
    """Photos to moving photos with a server."""
