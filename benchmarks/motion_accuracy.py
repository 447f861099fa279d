"""`python -m benchmarks.motion_accuracy`: measures how accurate a model's motion is.

    python -m benchmarks.motion_accuracy prior                mean motion of skies: the prior
    python -m benchmarks.motion_accuracy table --model=box    angle and speed errors

Both use procedural skies that are in no prepared set, with their true velocities. `prior` fits a
velocity field to each sky by least squares; the mean and standard deviation of the coefficients are
`field._MEAN` and `field._SPREAD`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from ssagan_tf import skies
from ssagan_tf.motion import field, optical_flow, transfer
from ssagan_tf.motion.moving_mask import horizon_height

PRIOR_SEED, TEST_SEED = 65, 66  # of the skies; the benchmark's is 64
SIDE, MIN_OPACITY = 64, 0.3  # the motion of clouds below this opacity is not visible


def truth(seed: int, index: int) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Returns true velocities `[64, 64, 2]`, a mask of clouds, and the horizon; None: no clouds."""
    known = skies.clip_truth(seed, index, SIDE, wind="canonical")
    seen = (np.median(known.opacity, axis=0) > MIN_OPACITY) & (known.moving > 0.99)
    if seen.mean() < 0.02:
        return None
    return np.median(known.velocity, axis=0), seen, horizon_height(known.moving)


def prior(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation of the true fields' coefficients, `[3, 2]` each."""
    found = []
    for index in range(number):
        known = truth(PRIOR_SEED, index)
        if known is None:
            continue
        velocities, seen, horizon = known
        basis, below = field.basis(SIDE, SIDE, horizon)
        values = velocities.reshape(-1, 2) / SIDE
        values[below, 1] *= -1
        where = seen.ravel()
        found.append(np.linalg.lstsq(basis[where], values[where], rcond=None)[0])
    return np.mean(found, axis=0), np.std(found, axis=0)


def table(number: int, make_clips: Callable[[np.ndarray], np.ndarray]) -> str:
    """Formats angle errors and speed ratios of the prior, of optical flow, and of the transfer."""
    results: dict[str, list[tuple[float, float]]] = {}
    for index in range(number):
        known = truth(TEST_SEED, index)
        if known is None:
            continue
        velocities, seen, horizon = known
        real = skies.procedural_clip(TEST_SEED, index, SIDE, wind="canonical")
        [generated] = make_clips(real[:1])
        found = {"usual wind, no clip": field.prior_mean(horizon).velocities(SIDE, SIDE)}
        for name, clip in (("true clip", real), ("network's clip", generated)):
            found[f"{name}, flow of each pixel"] = optical_flow.velocities(clip[:14], 2)
            try:
                motion = transfer.estimate_motion(clip, real[0])
            except transfer.NothingMovesError:
                continue
            found[f"{name}, transfer"] = motion.field.velocities(SIDE, SIDE)
        for name, other in found.items():
            results.setdefault(name, []).append(_compare(other[seen], velocities[seen]))
    lines = [f"{'':<32} {'angle':>6} {'speed':>6} {'10 to 90 %':>14} {'0.6-1.4':>8} {'clips':>6}"]
    for name, pairs in results.items():
        angles, ratios = np.array(pairs).T
        low, middle, high = np.percentile(ratios, (10, 50, 90))
        within = np.mean((ratios > 0.6) & (ratios < 1.4))
        lines.append(
            f"{name:<32} {np.median(angles):5.1f}° {middle:6.2f} {f'{low:.2f} to {high:.2f}':>14} "
            f"{within:8.2f} {len(pairs):6}"
        )
    return "\n".join(lines)


def _compare(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Median angle in degrees between velocities `[N, 2]`, and median ratio of their lengths."""
    cross = found[:, 0] * true[:, 1] - found[:, 1] * true[:, 0]
    angles = np.abs(np.arctan2(cross, (found * true).sum(axis=1)))
    ratios = np.hypot(*found.T) / np.maximum(np.hypot(*true.T), 1e-6)
    return float(np.degrees(np.median(angles))), float(np.median(ratios))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("prior", "table"))
    parser.add_argument("--number", type=int, default=128, help="number of skies")
    parser.add_argument("--model", default="box", help="box, a .keras file, or a run's folder")
    given = parser.parse_args()
    if given.what == "prior":
        with np.printoptions(precision=4, suppress=True, floatmode="fixed"):
            for name, values in zip(("_MEAN", "_SPREAD"), prior(given.number), strict=True):
                print(f"{name} =\n{values}")
        return
    from ssagan_tf.startup import load_tensorflow

    load_tensorflow()
    from ssagan_tf.pixels import on_pixels
    from ssagan_tf.training.generator_source import load_generator

    print(table(given.number, on_pixels(load_generator(given.model))))


if __name__ == "__main__":
    main()
