"""The two evaluation protocols: how exactly clips are compared (Sec. 5.2 for the paper's)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from ssagan_tf.options import FRAMES


def _unchanged(clip: np.ndarray) -> np.ndarray:
    return clip.astype("float64")


def _to_unit_range(clip: np.ndarray) -> np.ndarray:
    return (np.clip(clip.astype("float64"), -1.0, 1.0) + 1.0) / 2.0


def _peak_of_frame(real: np.ndarray) -> np.ndarray:
    return np.where((real < 0).any(axis=(1, 2, 3)), 2.0, 1.0)


def _peak_one(real: np.ndarray) -> np.ndarray:
    return np.ones(len(real))


@dataclasses.dataclass(frozen=True)
class EvaluationProtocol:
    """How a clip is compared with the real one.

    Attributes:
      name: `paper` or `standard`.
      values: Maps a float clip in [-1, 1] to the values that are compared, float64.
      peaks: Maps these values of the real clip `[T, H, W, 3]` to the peak of PSNR, `[T]`.
      data_range: Range of values for SSIM.
      first_frame: Number of the first frame that counts, from 1.
      rules: The same in words, for the report.
    """

    name: str
    values: Callable[[np.ndarray], np.ndarray]
    peaks: Callable[[np.ndarray], np.ndarray]
    data_range: float
    first_frame: int
    rules: dict[str, str]

    @property
    def frames(self) -> slice:
        """Slice of the frames that count."""
        return slice(self.first_frame - 1, FRAMES)


_SSIM = (
    "7×7 uniform window, sample covariance, K1 0.01, K2 0.03, range {}, mean over channels and the "
    "windows inside the frame; equal to scikit-image's structural_similarity("
    "channel_axis=-1, data_range={})"
)

PAPER = EvaluationProtocol(
    name="paper",
    values=_unchanged,
    peaks=_peak_of_frame,
    data_range=2.0,
    first_frame=1,
    rules={
        "values": "[-1, 1], not clipped (so the MSE is four times that of values in [0, 1])",
        "MSE": "mean squared error of a frame",
        "PSNR": "10·log10(peak²/MSE) of a frame, in dB; peak 2 if the real frame has a negative "
        "value, else 1",
        "SSIM": _SSIM.format(2, 2),
        "frames": "1 to 32; frame 1 is the input",
        "averaging": "over the frames of a clip, then over clips; PSNR in dB",
    },
)

STANDARD = EvaluationProtocol(
    name="standard",
    values=_to_unit_range,
    peaks=_peak_one,
    data_range=1.0,
    first_frame=2,
    rules={
        "values": "[0, 1], clipped",
        "MSE": "mean squared error of a frame",
        "PSNR": "10·log10(1/MSE) of a frame, in dB",
        "SSIM": _SSIM.format(1, 1),
        "frames": "2 to 32; frame 1 is the input and is left out",
        "averaging": "over the frames of a clip, then over clips; PSNR in dB",
    },
)

PROTOCOLS = {protocol.name: protocol for protocol in (PAPER, STANDARD)}
