"""SSA-GAN in TensorFlow and Keras: turns a photo of a sky or a sea into a time-lapse video.

Clips have shape `[B, T, H, W, C]`: floats in [-1, 1] in memory, uint8 in files.
Importing the package is cheap and changes nothing in the process: Keras and TensorFlow load when a
name that needs them is first used. Call `ssagan_tf.startup.use_onednn()` before that to train or
generate at full speed on older CPUs.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

__version__ = "0.2.0"

_HOMES = {
    "animate": "ssagan_tf.animation",
    "build_generator": "ssagan_tf.models",
    "build_discriminator": "ssagan_tf.models",
    "load_generator": "ssagan_tf.training.generator_source",
    "ModelOptions": "ssagan_tf.options",
    "layers": None,
    "models": None,
    "options": None,
    "startup": None,
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
    "startup",
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
    """Keeps names such as `ssagan_tf.animate` for functions.

    Python sets each imported submodule as an attribute of its package, so importing the program
    `ssagan_tf/animate.py` would hide the function of the same name.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (_HOMES.get(name) and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
