"""Runs an ONNX file written by `to_onnx` with ONNX Runtime, without TensorFlow and Keras."""

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
    """A generator in an ONNX file, which maps photos to clips.

    Args:
      path: File written by `to_onnx`.
      require_gpu: Whether to fail if no GPU can be used.
      threads: CPU threads; 0: one per core.

    Attributes:
      settings: What `to_onnx` stored in the file: `resolution`, `fit`, `fingerprint` and others.
      provider: The execution provider that ONNX Runtime really uses.

    Raises:
      DataError: The file is missing, damaged or not written by `to_onnx`; ONNX Runtime is not
        installed; or a required GPU cannot be used.
    """

    def __init__(self, path: str | Path, require_gpu: bool = False, threads: int = 0):
        runtime, self._path = _runtime(), path
        if not Path(path).is_file():
            raise DataError(f"{path}: not found; give a FILE.onnx written by to_onnx")
        if Path(path).suffix != ".onnx":  # ONNX Runtime picks the format by the suffix
            raise DataError(f"{path}: expected a FILE.onnx written by to_onnx")
        available = runtime.get_available_providers()
        wanted = [name for name in GPU_PROVIDERS if name in available]
        if require_gpu and not wanted:
            raise DataError(
                f"--require_gpu: ONNX Runtime has no GPU provider, only {', '.join(available)}; "
                "in a new environment, pip install 'ssagan_tf[onnx-gpu]'"
            )
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors only; a fallback to the CPU is reported below
        try:
            onnx_safety.check(Path(path))
            self._session = runtime.InferenceSession(
                str(path), options, providers=[*wanted, CPU_PROVIDER]
            )
        except Exception as error:  # ONNX Runtime raises a different kind at each stage of loading
            raise DataError(f"cannot load {path}: {_first_line(error)}") from error
        # It lists providers whose libraries cannot be loaded, and then silently uses the CPU.
        self.provider = self._session.get_providers()[0]
        if require_gpu and self.provider not in GPU_PROVIDERS:
            raise DataError(
                f"--require_gpu: {wanted[0]} could not be loaded; check the versions of the "
                "driver, CUDA and cuDNN"
            )
        self._run_options = runtime.RunOptions()
        self._run_options.log_severity_level = 4  # errors are raised anyway
        self.settings = self._settings(path)

    def _settings(self, path: str | Path) -> dict[str, Any]:
        metadata = self._session.get_modelmeta().custom_metadata_map
        try:
            settings = {name: limits.parse_json(text) for name, text in metadata.items()}
        except ValueError:
            settings = {}
        side, frames = settings.get("resolution"), settings.get("frames")
        texts = [settings.get(name) for name in ("fit", "fingerprint", "precision")]
        valid = (
            (type(side), frames) == (int, FRAMES)
            and 1 <= side <= LARGEST_RESOLUTION
            and all(isinstance(text, str) for text in texts)
            and texts[0] in set(get_args(Fit)) - {"auto"}
        )
        signature = {
            each.name: (each.type, [n if isinstance(n, int) else "N" for n in each.shape])
            for each in (*self._session.get_inputs(), *self._session.get_outputs())
        }
        image, clip = ["N", side, side, 3], ["N", frames, side, side, 3]
        if not valid or signature != {"image": (_FLOAT, image), "clip": (_FLOAT, clip)}:
            raise DataError(f"{path}: expected a generator written by to_onnx")
        return settings

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Makes clips from photos.

        Args:
          image: Float32 `[B, S, S, 3]` in [-1, 1].

        Returns:
          Float32 `[B, T, S, S, 3]` in [-1, 1].

        Raises:
          DataError: ONNX Runtime fails, for example from lack of memory, or gives values that are
            NaN or infinite or not the shape of clips.
        """
        try:
            [clip] = self._session.run(["clip"], {"image": image}, self._run_options)
        except Exception as error:  # ONNX Runtime's own kinds, such as for lack of memory
            raise DataError(f"cannot run {self._path}: {_first_line(error)}") from error
        batch, *square = image.shape
        if clip.shape != (batch, self.settings["frames"], *square):
            raise DataError(f"{self._path} gives shape {clip.shape} for photos {image.shape}")
        if not np.isfinite(clip).all():  # float16 overflows above 65,504
            raise DataError(f"{self._path} gives NaN or infinite values; export it in float32")
        return clip

    def on_pixels(self, photos: np.ndarray) -> np.ndarray:
        """Like `__call__`, for pixels: uint8 in and out."""
        return to_uint8(self(to_float(photos)))


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise missing_extra(error, "onnx", ", or 'onnx-gpu' for NVIDIA GPUs") from error
    return onnxruntime
