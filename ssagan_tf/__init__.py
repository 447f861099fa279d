"""SSA-GAN in TensorFlow and Keras: a photo of a sky or a sea becomes a time-lapse video.

Clips are `[B, T, H, W, C]`; float in [-1, 1] inside, uint8 in files and pictures.
The import is light: Keras and TensorFlow load when a name that needs them is used.
"""

from __future__ import annotations

import importlib
from typing import Any

from ssagan_tf.startup import use_onednn

__version__ = "0.1.0"

use_onednn()  # here, because it counts only before TensorFlow is first imported

_HOMES = {
    "build_generator": "ssagan_tf.models",
    "build_discriminator": "ssagan_tf.models",
    "load_generator": "ssagan_tf.training.source",
    "ModelOptions": "ssagan_tf.options",
    "layers": None,
    "models": None,
    "options": None,
}
__all__ = [
    "ModelOptions",
    "build_discriminator",
    "build_generator",
    "layers",
    "load_generator",
    "models",
    "options",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES[name]
    if home is None:
        return importlib.import_module(f"{__name__}.{name}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
