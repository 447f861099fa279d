"""Measures of a clip, frame by frame. All take and return NumPy arrays."""

from __future__ import annotations

import itertools

import numpy as np

from ssagan_tf.errors import missing_extra
from ssagan_tf.evaluation.protocols import Protocol
from ssagan_tf.pixels import to_float

WINDOW = 7
K1, K2 = 0.01, 0.03


def mean_squared_error(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Per frame: `[T, H, W, C]` twice → `[T]`."""
    return np.square(real - fake).mean(axis=(1, 2, 3))


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

    What scikit-image computes, at a tenth of the time: window sums are a few shifted additions,
    taken a frame at a time so that they stay in the cache.

    Args:
      real: `[T, H, W, C]` floats, H and W at least 7.
      fake: The same shape.
      data_range: Difference of the largest and least possible value.

    Returns:
      `[T]`, mean over windows that lie inside the frame and over channels.

    Raises:
      ValueError: Frames smaller than the window.
    """
    if min(real.shape[1:3]) < WINDOW:
        raise ValueError(f"SSIM needs frames of {WINDOW}×{WINDOW} or more, not {real.shape[1:3]}")
    return np.array([_frame_similarity(*pair, data_range) for pair in zip(real, fake, strict=True)])


def _frame_similarity(real: np.ndarray, fake: np.ndarray, data_range: float) -> float:
    count = WINDOW**2
    unbiased = count / (count - 1)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    mean_real, mean_fake = _window_sums(real) / count, _window_sums(fake) / count
    product = mean_real * mean_fake
    squares = mean_real * mean_real + mean_fake * mean_fake
    # Of both variances only their sum is needed.
    power = _window_sums(real * real + fake * fake) / count
    variances = unbiased * (power - squares)
    covariance = unbiased * (_window_sums(real * fake) / count - product)
    similarity = (2.0 * product + c1) * (2.0 * covariance + c2)
    similarity /= (squares + c1) * (variances + c2)
    return float(similarity.mean())


def _window_sums(values: np.ndarray) -> np.ndarray:
    """Sums over all 7×7 windows inside `[H, W, C]`, along one axis after the other."""
    twos = values[1:] + values[:-1]
    fours = twos[2:] + twos[:-2]
    values = fours[:-3] + twos[4:-1] + values[6:]
    twos = values[:, 1:] + values[:, :-1]
    fours = twos[:, 2:] + twos[:, :-2]
    return fours[:, :-3] + twos[:, 4:-1] + values[:, 6:]


def motion(clip: np.ndarray) -> np.ndarray:
    """Mean absolute change from frame to frame: `[T, H, W, C]` → `[T - 1]`."""
    return np.abs(np.diff(clip, axis=0)).mean(axis=(1, 2, 3))


def optical_flow(clip: np.ndarray) -> np.ndarray:
    """Mean length of Farnebäck's dense optical flow from frame to frame, in pixels.

    Args:
      clip: `[T, H, W, 3]` uint8.

    Returns:
      `[T - 1]`.

    Raises:
      DataError: OpenCV, of the extra `evaluate`, is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise missing_extra(error, "evaluate") from error
    cv2.setNumThreads(1)  # clips are spread over the cores
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
    lengths = np.zeros(len(clip) - 1)
    for step, (now, then) in enumerate(itertools.pairwise(grey)):
        if np.array_equal(now, then):
            continue  # nothing moves
        flow = cv2.calcOpticalFlowFarneback(now, then, None, 0.5, 3, 15, 3, 5, 1.2, 0)
        lengths[step] = np.hypot(flow[..., 0], flow[..., 1]).mean()
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
