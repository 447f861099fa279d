"""Measures of a clip, frame by frame. All take and return NumPy arrays."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ssagan_tf.errors import missing_extra
from ssagan_tf.evaluation.protocols import Protocol
from ssagan_tf.pixels import to_float

WINDOW = 7
K1, K2 = 0.01, 0.03


def opencv() -> Any:
    """OpenCV, whose loops are many times faster than chains of NumPy's.

    Raises:
      DataError: It is not installed; it comes with the extra `evaluate`.
    """
    try:
        import cv2
    except ImportError as error:
        raise missing_extra(error, "evaluate") from error
    cv2.setNumThreads(1)  # clips are spread over the cores
    return cv2


def mean_squared_error(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Per frame: `[T, H, W, 3]` floats twice → `[T]`."""
    cv2 = opencv()
    pairs = zip(real, fake, strict=True)
    return np.array([cv2.norm(x, y, cv2.NORM_L2SQR) / x.size for x, y in pairs])


def peak_signal_to_noise(mse: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """10·log10(peak²/MSE) in dB; infinite where the frames are equal.

    Args:
      mse: Mean squared errors, of any shape.
      peaks: Largest possible difference of two values, of a shape that goes with it.
    """
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(np.square(peaks) / mse)


def structural_similarity(real: np.ndarray, fake: np.ndarray, data_range: float) -> np.ndarray:
    """SSIM (Wang et al., 2004) per frame, with a 7×7 uniform window and sample covariance.

    What scikit-image computes, in a quarter of its time: a channel of a frame stays in the cache.

    Args:
      real: `[T, H, W, 3]` floats, H and W at least 7.
      fake: The same shape and type.
      data_range: Difference of the largest and least possible value.

    Returns:
      `[T]`, mean over windows that lie inside the frame and over channels.

    Raises:
      ValueError: Frames smaller than the window.
    """
    if min(real.shape[1:3]) < WINDOW:
        raise ValueError(f"SSIM needs frames of {WINDOW}×{WINDOW} or more, not {real.shape[1:3]}")
    cv2 = opencv()
    return np.array(
        [
            np.mean(
                [
                    _channel_similarity(cv2, x, y, data_range)
                    for x, y in zip(cv2.split(of_real), cv2.split(of_fake), strict=True)
                ]
            )
            for of_real, of_fake in zip(real, fake, strict=True)
        ]
    )


def _channel_similarity(cv2: Any, real: np.ndarray, fake: np.ndarray, data_range: float) -> float:
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(values, -1, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)

    def squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        total = cv2.multiply(x, x)
        return cv2.accumulateSquare(y, total)

    mean_real, mean_fake = mean(real), mean(fake)
    product = cv2.multiply(mean_real, mean_fake)
    power = squares(mean_real, mean_fake)
    covariance = mean(cv2.multiply(real, fake))
    # Twice the covariance plus c2; of both variances only the sum is needed.
    covariance = cv2.addWeighted(covariance, 2 * unbiased, product, -2 * unbiased, c2)
    variances = cv2.addWeighted(mean(squares(real, fake)), unbiased, power, -unbiased, c2)
    above = cv2.multiply(cv2.addWeighted(product, 2, product, 0, c1), covariance)
    below = cv2.multiply(cv2.add(power, c1), variances)
    border = WINDOW // 2
    return float(cv2.divide(above, below)[border:-border, border:-border].mean())


def motion(clip: np.ndarray) -> np.ndarray:
    """Mean absolute change from frame to frame: `[T, H, W, 3]` floats → `[T - 1]`."""
    cv2 = opencv()
    steps = itertools.pairwise(clip)
    return np.array([cv2.norm(x, y, cv2.NORM_L1) / x.size for x, y in steps])


def optical_flow(clip: np.ndarray) -> np.ndarray:
    """Mean length of Farnebäck's dense optical flow from frame to frame, in pixels.

    Args:
      clip: `[T, H, W, 3]` uint8.

    Returns:
      `[T - 1]`.
    """
    cv2 = opencv()
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
    lengths = np.zeros(len(clip) - 1)
    for step, (now, then) in enumerate(itertools.pairwise(grey)):
        if np.array_equal(now, then):
            continue  # nothing moves
        flow = cv2.calcOpticalFlowFarneback(now, then, None, 0.5, 3, 15, 3, 5, 1.2, 0)
        lengths[step] = cv2.magnitude(flow[..., 0], flow[..., 1]).mean()
    return lengths


def measure_similarity(
    real: np.ndarray, fake: np.ndarray, protocol: Protocol
) -> dict[str, np.ndarray]:
    """Compares clips frame by frame.

    Args:
      real: `[T, H, W, 3]` uint8.
      fake: The same shape, float in [-1, 1].
      protocol: What is compared, and how.

    Returns:
      `mse`, `psnr` and `ssim`, `[T]` each.
    """
    real, fake = protocol.values(to_float(real)), protocol.values(fake)
    mse = mean_squared_error(real, fake)
    return {
        "mse": mse,
        "psnr": peak_signal_to_noise(mse, protocol.peaks(real)),
        "ssim": structural_similarity(real, fake, protocol.data_range),
    }
