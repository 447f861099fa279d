"""ONNX files, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

from ssagan_tf.pixels import to_float

from ..onnx_session import OnnxGenerator
from .target import Exported, Runner, Target


def _open(path: Path) -> Exported:
    generator = OnnxGenerator(path)
    precision = generator.settings["precision"]
    provider = generator.provider.removesuffix("ExecutionProvider")
    runner = Runner(f"ONNX, {provider} ({precision})", lambda photos: generator(to_float(photos)))
    return Exported(generator.settings["fingerprint"], frozenset([precision]), lambda: [runner])


TARGET = Target("onnx", "FILE.onnx written by to_onnx.", _open)
