"""`python -m benchmarks.metric_throughput`: clips per second of each metric."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from ssagan_tf.evaluation.metrics import motion, similarity
from ssagan_tf.evaluation.protocols import PAPER
from ssagan_tf.pixels import to_float
from ssagan_tf.skies.any_wind import synthetic_clip

SIDE, CLIPS, ROUNDS = 128, 8, 3


def scikit_image(real: np.ndarray, fake: np.ndarray) -> list[float]:
    """Computes SSIM with scikit-image, frame by frame, as its function requires."""
    from skimage.metrics import structural_similarity

    return [
        structural_similarity(*pair, channel_axis=-1, data_range=2)
        for pair in zip(real, fake, strict=True)
    ]


def metrics() -> dict[str, Callable[[np.ndarray], object]]:
    """Returns functions of one uint8 clip, which is compared with its mirror image."""

    def pair(clip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = PAPER.values(to_float(clip))
        return values, values[:, :, ::-1]

    return {
        "MSE and PSNR": lambda clip: similarity.peak_signal_to_noise(
            similarity.mean_squared_error(*pair(clip)), PAPER.peaks(pair(clip)[0])
        ),
        "SSIM": lambda clip: similarity.structural_similarity(*pair(clip), 2.0),
        "SSIM, scikit-image": lambda clip: scikit_image(*pair(clip)),
        "motion": lambda clip: motion.motion(pair(clip)[0]),
        "optical flow": motion.optical_flow,
    }


def main() -> None:
    clips = [synthetic_clip(0, number, SIDE, 32) for number in range(CLIPS)]
    throughputs: dict[str, list[float]] = {}
    for _ in range(ROUNDS):  # in turns, since the machine's speed varies
        for name, metric in metrics().items():
            began = time.process_time()
            for clip in clips:
                metric(clip)
            throughputs.setdefault(name, []).append(CLIPS / (time.process_time() - began))
    print(f"clips of 32 frames at {SIDE}×{SIDE} per second of CPU time")
    for name, values in throughputs.items():
        shown = ", ".join(f"{value:.1f}" for value in values)
        print(f"{name:<20} {statistics.median(values):7.1f}  ({shown})")


if __name__ == "__main__":
    main()
