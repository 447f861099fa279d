"""Static sites, whose network runs here on ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

from ssagan_tf.errors import DataError
from ssagan_tf.pixels import to_float

from ..onnx_session import OnnxGenerator
from .target import Exported, Runner, Target


def _open(folder: Path) -> Exported:
    models = list(folder.glob("model-*.onnx"))
    if len(models) != 1:
        raise DataError(f"{folder}: expected a folder written by to_web")
    generator = OnnxGenerator(models[0])
    weights = generator.settings.get("weights")
    provider = generator.provider.removesuffix("ExecutionProvider")
    runner = Runner(
        f"site, {provider} ({weights} weights)", lambda photos: generator(to_float(photos))
    )
    types = frozenset([str(weights), generator.settings["precision"]])
    return Exported(generator.settings["fingerprint"], types, lambda: [runner])


TARGET = Target("web", "Folder written by to_web.", _open)
