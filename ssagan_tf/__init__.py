"""SSA-GAN in TensorFlow and Keras: a photo of a sky or a sea becomes a time-lapse video.

Clips are `[B, T, H, W, C]`; float in [-1, 1] inside, uint8 in files and pictures.
The import is light: Keras and TensorFlow load when a name that needs them is used.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

from ssagan_tf.startup import use_onednn

__version__ = "0.1.0"

use_onednn()  # here, because it counts only before TensorFlow is first imported

_HOMES = {
    "animate": "ssagan_tf.animation",
    "build_generator": "ssagan_tf.models",
    "build_discriminator": "ssagan_tf.models",
    "load_generator": "ssagan_tf.training.generator_source",
    "ModelOptions": "ssagan_tf.options",
    "layers": None,
    "models": None,
    "options": None,
}
__all__ = [
    "ModelOptions",
    "animate",
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


class _Package(types.ModuleType):
    """A program has the name of the function that it runs: here the function has it.

    Python sets every submodule as an attribute of its package once it is imported.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (_HOMES.get(name) and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
