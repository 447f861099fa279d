"""Settings of the programs of this folder, declared as in `ssagan_tf/options/`."""

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
    at_least,
    between,
    setting,
)

FITS_HELP = (
    "How photos are made square: stretched (the paper), the centre cropped, or letterboxed. auto: "
    "as the clips of the run were; stretched for a --model."
)
ONNX_HELP = "FILE.onnx, written by export.to_onnx."


def _counts(values: tuple[str, ...]) -> str | None:
    if all(value.isdecimal() and int(value) > 0 for value in values):
        return None
    return "must be whole numbers above 0, separated by commas"


@dataclasses.dataclass(frozen=True)
class SavedModelOptions(SourceOptions):
    """A SavedModel for TensorFlow Serving."""

    output: str = setting(
        "", "Folder to write, named by the version number: models/ssagan/1, then …/2."
    )
    fit: Fit = setting("auto", FITS_HELP)
    weights: Literal["float32", "float16", "bfloat16"] = setting(
        "float32",
        "Type of the stored kernels. 16 bits halve the folder; the arithmetic stays the same.",
    )
    max_megapixels: int = setting(
        64, "Larger photos are refused before they are decoded.", between(1, 130)
    )
    warm_up: tuple[str, ...] = setting(
        ("1", "2", "4", "8"),
        "Batch sizes that the server runs once when it loads the model: the allowed_batch_sizes of "
        "batching.config. An empty --warm_up= asks for none.",
        _counts,
    )


@dataclasses.dataclass(frozen=True)
class BoxOptions(SourceOptions):
    """A model that comes with the package."""

    name: str = setting(
        box.DEFAULT,
        "Its name, such as box64-small.",
        lambda v: (
            None
            if box.is_name(v) and v != box.BOX
            else "must begin with box: box64, box64-small, in small letters"
        ),
    )
    metrics: tuple[str, ...] = setting(
        (),
        "Its evaluations for the card, as DATA=FOLDER/metrics.json, separated by commas; made with "
        "--transfer --baselines=constant_wind, so that the card holds both beside its own frames.",
        paths=True,
    )
    output: str = setting("", "Folder; without it, the package's own.")


@dataclasses.dataclass(frozen=True)
class OnnxOptions(SourceOptions):
    """An ONNX file."""

    output: str = setting("", "FILE.onnx to write.")
    fit: Fit = setting("auto", FITS_HELP + " The file only says so: the caller fits its photos.")
    precision: Literal["float32", "float16"] = setting(
        "float32",
        "Type of weights and arithmetic. In float16 the products of queries and keys and their "
        "softmax, inputs and outputs stay float32.",
    )
    opset: Literal["17", "18"] = setting("18", "Version of ONNX' operators.")
    attention_memory: int = setting(
        2048,
        "MiB that the weights of one attention module may take for 16 clips. Where they need more, "
        "they are computed in blocks.",
        at_least(1),
    )


@dataclasses.dataclass(frozen=True)
class RuntimeOptions(Section):
    """How ONNX Runtime works."""

    require_gpu: bool = setting(False, "Stop unless a GPU does the work.")
    threads: int = setting(0, "Threads of the CPU; 0: one per core.", at_least(0))


@dataclasses.dataclass(frozen=True)
class OnnxGenerateOptions(RuntimeOptions, PhotosToClips):
    """From photos to videos, by ONNX Runtime."""

    model: str = setting("", ONNX_HELP)


@dataclasses.dataclass(frozen=True)
class OnnxAnimateOptions(RuntimeOptions, PhotosToAnimations):
    """From photos to moving photos, by ONNX Runtime."""

    model: str = setting("", ONNX_HELP)


@dataclasses.dataclass(frozen=True)
class ParityOptions(SourceOptions):
    """What is compared, and how close it must be."""

    saved_model: str = setting(
        "", "Folder written by export.to_saved_model. It is run as a program: trust its source."
    )
    onnx: str = setting("", ONNX_HELP)
    image: tuple[str, ...] = setting(
        (), "Photos, separated by commas; without any: built-in synthetic clouds.", paths=True
    )
    batches: tuple[str, ...] = setting(("1", "2", "5"), "Batch sizes.", _counts)
    tolerance: float = setting(
        0.0,
        "Largest difference of clips in [-1, 1]. 0: 1e-5, or 2e-2 where weights or arithmetic have "
        "16 bits.",
        at_least(0.0),
    )
    repeats: int = setting(3, "Timed runs of each, after an untimed one.", at_least(1))


@dataclasses.dataclass(frozen=True)
class ServerOptions(Section):
    """A server, and how it is asked."""

    server: str = setting(
        "",
        "HOST:PORT; TensorFlow Serving has gRPC at 8500 and REST at 8501.",
        lambda v: "must be HOST:PORT, without a protocol" if "://" in v else None,
    )
    api: Literal["grpc", "rest"] = setting("grpc", "What the server speaks at this port.")
    name: str = setting("ssagan", "The model's name in models.config.")
    version: int = setting(0, "The model's version; 0: the newest.", at_least(0))
    signature: Literal["encoded", "serving_default"] = setting(
        "encoded",
        "What the server sends: encoded: JPEGs, which fit any message; serving_default: exact "
        "pixels, seven times as large.",
    )
    deadline: float = setting(60.0, "Seconds to wait for an answer.", between(0.001, 86400))
    message_mib: int = setting(
        4, "MiB of the largest answer taken (gRPC's own default is 4).", between(1, 2047)
    )


@dataclasses.dataclass(frozen=True)
class ClientOptions(ServerOptions, PhotosToClips):
    """From photos to videos, by a server."""

    batch: int = setting(1, "Photos sent in one request.", at_least(1))


@dataclasses.dataclass(frozen=True)
class ServingAnimateOptions(ServerOptions, PhotosToAnimations):
    """From photos to moving photos, by the clips of a server."""
