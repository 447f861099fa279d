"""An ONNX file of `export.to_onnx`, run by ONNX Runtime: without TensorFlow and Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np

from ssagan_tf import limits
from ssagan_tf.errors import DataError, missing_extra
from ssagan_tf.options import FRAMES, LARGEST_RESOLUTION, Fit
from ssagan_tf.pixels import to_float, to_uint8

from . import onnx_safety

GPU_PROVIDERS = (
    "CUDAExecutionProvider",
    "ROCMExecutionProvider",
    "MIGraphXExecutionProvider",
    "DmlExecutionProvider",
)
CPU_PROVIDER = "CPUExecutionProvider"
_FLOAT = "tensor(float)"


class OnnxGenerator:
    """A generator in an ONNX file: photos in, clips out.

    Args:
      path: A file of `export.to_onnx`.
      require_gpu: Whether to refuse the CPU.
      threads: Of the CPU; 0: one per core.

    Attributes:
      settings: What `export.to_onnx` noted: `resolution`, `fit`, `fingerprint`, …
      provider: What really does the work.

    Raises:
      DataError: The file is missing, damaged or another's; ONNX Runtime is not installed; or there
        is no GPU where one is required.
    """

    def __init__(self, path: str | Path, require_gpu: bool = False, threads: int = 0):
        runtime, self._path = _runtime(), path
        if not Path(path).is_file():
            raise DataError(f"{path}: no such file; name a FILE.onnx of export.to_onnx")
        if Path(path).suffix != ".onnx":  # by others, ONNX Runtime takes other formats
            raise DataError(f"{path} is no FILE.onnx; name one of export.to_onnx")
        available = runtime.get_available_providers()
        wanted = [name for name in GPU_PROVIDERS if name in available]
        if require_gpu and not wanted:
            raise DataError(
                f"--require_gpu: this ONNX Runtime has none of a GPU ({', '.join(available)}); "
                "install the extra 'onnx-gpu' in an environment of its own"
            )
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors; what it falls back to is said below
        try:
            onnx_safety.check(Path(path))
            self._session = runtime.InferenceSession(
                str(path), options, providers=[*wanted, CPU_PROVIDER]
            )
        except Exception as error:  # its own kinds, one for each stage of loading
            raise DataError(f"cannot load {path}: {_first_line(error)}") from error
        # It lists providers whose libraries do not load, and then quietly takes the CPU.
        self.provider = self._session.get_providers()[0]
        if require_gpu and self.provider not in GPU_PROVIDERS:
            raise DataError(
                f"--require_gpu: {wanted[0]} could not be loaded (driver, CUDA or cuDNN of another "
                f"version?), {self.provider} would do the work"
            )
        self._quietly = runtime.RunOptions()
        self._quietly.log_severity_level = 4  # what fails is raised as well
        self.settings = self._settings(path)

    def _settings(self, path: str | Path) -> dict[str, Any]:
        noted = self._session.get_modelmeta().custom_metadata_map
        try:
            settings = {name: limits.parse_json(text) for name, text in noted.items()}
        except ValueError:
            settings = {}
        side, frames = settings.get("resolution"), settings.get("frames")
        texts = [settings.get(name) for name in ("fit", "fingerprint", "precision")]
        whole = (
            (type(side), frames) == (int, FRAMES)
            and 1 <= side <= LARGEST_RESOLUTION
            and all(isinstance(text, str) for text in texts)
            and texts[0] in set(get_args(Fit)) - {"auto"}
        )
        ends = {
            each.name: (each.type, [n if isinstance(n, int) else "N" for n in each.shape])
            for each in (*self._session.get_inputs(), *self._session.get_outputs())
        }
        image, clip = ["N", side, side, 3], ["N", frames, side, side, 3]
        if not whole or ends != {"image": (_FLOAT, image), "clip": (_FLOAT, clip)}:
            raise DataError(f"{path} is no generator of export.to_onnx; name one")
        return settings

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Float32 `[B, S, S, 3]` → clips, float32 `[B, T, S, S, 3]`, both in [-1, 1].

        Raises:
          DataError: ONNX Runtime fails: there is not enough memory, or the model is no generator.
            Or values are not finite.
        """
        try:
            [clip] = self._session.run(["clip"], {"image": image}, self._quietly)
        except Exception as error:  # its own kinds; of memory, for one
            raise DataError(f"cannot run {self._path}: {_first_line(error)}") from error
        batch, *square = image.shape
        if clip.shape != (batch, self.settings["frames"], *square):
            raise DataError(f"{self._path} gives no clips: {clip.shape} for {image.shape}")
        if not np.isfinite(clip).all():  # float16 ends at 65,504
            raise DataError(f"{self._path} gives values that are not finite; export it in float32")
        return clip

    def on_pixels(self, photos: np.ndarray) -> np.ndarray:
        """The same in pixels, uint8 on both sides."""
        return to_uint8(self(to_float(photos)))


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise missing_extra(error, "onnx", ", or 'onnx-gpu' for NVIDIA GPUs") from error
    return onnxruntime
