"""Baselines that any system should beat: clips made from the photo, or a little more, by rule.

A new one is a function and an entry in `BASELINES`: the setting `--baselines`, the help of
`evaluate` and the report follow from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from PIL import Image, ImageFilter

from ssagan_tf.evaluation.real_clips import RealClips
from ssagan_tf.motion.optical_flow import velocities
from ssagan_tf.motion.sky_segmentation import find_sky
from ssagan_tf.motion.warping import warp
from ssagan_tf.options import OptionError
from ssagan_tf.pixels import to_float

# Of constant_wind, in widths per frame: the mean speed in the test clips of the benchmark
# procedural-skies-64 v1.
WIND = 0.0105
# Clips that unknown_motion takes the velocities of. With its own, as many as RealClips remembers.
OTHERS = 15


def copy_first_frame(real: np.ndarray) -> np.ndarray:
    """The photo, 32 times. Takes and returns a clip `[32, H, W, 3]` uint8, as do all of these."""
    return np.broadcast_to(real[:1], real.shape)


def mean_frame(real: np.ndarray) -> np.ndarray:
    """The mean of the real frames, 32 times: no still picture has a smaller MSE."""
    mean = np.rint(real.mean(axis=0)).astype(np.uint8)
    return np.broadcast_to(mean, real.shape)


def pan(real: np.ndarray) -> np.ndarray:
    """The photo sliding to the right by one pixel per frame, mirrored at its edge."""
    photo, width = real[0], real.shape[2]
    twice = np.concatenate([photo, photo[:, ::-1]], axis=1)
    columns = [(np.arange(width) - step) % (2 * width) for step in range(len(real))]
    return np.stack([twice[:, some] for some in columns])


def blur(real: np.ndarray) -> np.ndarray:
    """The photo, more blurred in each frame, as by an uncertain prediction: σ grows by 0.1."""
    photo = Image.fromarray(real[0])
    steps = range(len(real))
    return np.stack([np.array(photo.filter(ImageFilter.GaussianBlur(0.1 * s))) for s in steps])


def constant_wind(real: np.ndarray) -> np.ndarray:
    """The photo with its sky sliding to the right by `WIND`; nothing else moves."""
    photo = real[0]
    height, width = photo.shape[:2]
    field = np.broadcast_to(np.float32([WIND * width, 0]), (height, width, 2))
    return warp(photo, field, range(len(real)), find_sky(photo))


def real_motion(real: np.ndarray) -> np.ndarray:
    """The photo, moved by the median over time of the real clip's velocity at each pixel."""
    return warp(real[0], velocities(real), range(len(real)))


def true_motion(real: np.ndarray, position: int, clips: RealClips) -> np.ndarray:
    """The photo, moved by the median over time of the true velocity at each pixel."""
    truth = clips.truth(position)
    return warp(real[0], truth.velocity[0], range(len(real)), truth.moving)


def unknown_motion(real: np.ndarray, position: int, clips: RealClips) -> np.ndarray:
    """The photo, moved by the true velocities of other clips: at each pixel the median of these.

    About the clip with the smallest L1 that can be made without knowing the wind.
    """
    moving = clips.truth(position).moving
    others = [n for n in range(len(clips)) if clips.videos[n] != clips.videos[position]]
    some = others[:: max(1, len(others) // OTHERS)][:OTHERS]
    moved = [warp(real[0], clips.truth(n).velocity[0], range(len(real)), moving) for n in some]
    return np.uint8(np.rint(np.median(moved, axis=0))) if moved else copy_first_frame(real)


def other_clip(real: np.ndarray, position: int, clips: RealClips) -> np.ndarray:
    """The first clip of the next video: real, but the wrong one."""
    videos = list(dict.fromkeys(clips.videos))
    following = videos[(videos.index(clips.videos[position]) + 1) % len(videos)]
    return clips.clip(clips.videos.index(following))


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A baseline.

    Attributes:
      name: Its name in `--baselines` and in the table.
      description: For the help of `evaluate` and the report.
      make: Makes its clip from the real one, or from that, its position and all real clips.
      sees_all_clips: Whether `make` takes the position and all real clips as well.
      photo_only: Whether it uses nothing but the photo, so that it cannot know the direction.
      needs_truth: Whether the clips must be of procedural skies, whose motion is known.
    """

    name: str
    description: str
    make: Callable[..., np.ndarray]
    _: dataclasses.KW_ONLY
    sees_all_clips: bool = False
    photo_only: bool = False
    needs_truth: bool = False


COPY = Baseline("copy_first_frame", "the input, 32 times", copy_first_frame, photo_only=True)
"""Always has a row."""
BASELINES = {
    baseline.name: baseline
    for baseline in (
        COPY,
        Baseline(
            "mean_frame",
            "the mean of the real frames: the best still picture, which needs the real clip",
            mean_frame,
        ),
        Baseline("pan", "the input, sliding by one pixel per frame", pan, photo_only=True),
        Baseline(
            "blur",
            "the input, more blurred in each frame (Gaussian, σ grows by 0.1 pixels per frame)",
            blur,
            photo_only=True,
        ),
        Baseline(
            "constant_wind",
            "the input, its sky (found by colour and gradient) sliding to the right by "
            f"{WIND:.2%} of the width per frame",
            constant_wind,
            photo_only=True,
        ),
        Baseline(
            "real_motion",
            "the input, moved by the real clip's own velocities (median of optical flow over time)",
            real_motion,
        ),
        Baseline(
            "true_motion",
            "the input, moved by the true velocities of its procedural sky (median over time)",
            true_motion,
            sees_all_clips=True,
            needs_truth=True,
        ),
        Baseline(
            "unknown_motion",
            f"the input, moved by the true velocities of up to {OTHERS} other procedural skies: "
            "the median at each pixel, so about the smallest L1 without knowing the wind",
            unknown_motion,
            sees_all_clips=True,
            needs_truth=True,
        ),
        Baseline(
            "other_clip",
            "a real clip of another video: how well real motion with the wrong content does",
            other_clip,
            sees_all_clips=True,
        ),
    )
}


class BaselineSystem:
    """The row of a baseline."""

    def __init__(self, baseline: Baseline, real: RealClips):
        self._baseline, self._real = baseline, real
        self.name, self.description = baseline.name, baseline.description
        self.photo_only = baseline.photo_only

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        return np.stack([to_float(self._clip(*each)) for each in zip(positions, real, strict=True)])

    def _clip(self, position: int, clip: np.ndarray) -> np.ndarray:
        if self._baseline.sees_all_clips:
            return self._baseline.make(clip, position, self._real)
        return self._baseline.make(clip)


def check_names(names: Iterable[str]) -> None:
    """Refuses names of baselines that do not exist.

    Raises:
      OptionError: One does not exist.
    """
    for name in names:
        if name not in BASELINES:
            raise OptionError("baselines", name, f"must be one of {', '.join(BASELINES)}")


def baseline_systems(names: Sequence[str], real: RealClips) -> list[BaselineSystem]:
    """Rows of copy_first_frame, then of the other baselines requested.

    Raises:
      OptionError: One does not exist, or cannot be made from these clips.
    """
    check_names(names)
    requested = [BASELINES[name] for name in dict.fromkeys((COPY.name, *names))]
    for baseline in requested:
        if baseline.needs_truth and real.truth(0) is None:
            raise OptionError(
                "baselines",
                baseline.name,
                "needs procedural skies, whose motion is known; evaluate on a set that was "
                "prepared with --layout=synthetic, or leave it out",
            )
    return [BaselineSystem(baseline, real) for baseline in requested]
