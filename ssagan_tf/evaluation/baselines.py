"""What any system should beat: clips made from the photo, or from little more, without learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageFilter

from ssagan_tf import skies
from ssagan_tf.evaluation.real_clips import RealClips
from ssagan_tf.motion.optical_flow import velocities
from ssagan_tf.motion.sky_segmentation import find_sky
from ssagan_tf.motion.warping import warp
from ssagan_tf.options import OptionError
from ssagan_tf.pixels import to_float

COPY = "copy_first_frame"
WIND = 0.0105  # of constant_wind, widths a frame: mean speed in procedural-skies-64 v1's test clips


def copy_first_frame(real: np.ndarray) -> np.ndarray:
    """The photo, 32 times: `[32, H, W, 3]` uint8 in and out, as with all of these."""
    return np.broadcast_to(real[:1], real.shape)


def mean_frame(real: np.ndarray) -> np.ndarray:
    """The mean of the real frames, 32 times: no still picture has a smaller MSE."""
    mean = np.rint(real.mean(axis=0)).astype(np.uint8)
    return np.broadcast_to(mean, real.shape)


def pan(real: np.ndarray) -> np.ndarray:
    """The photo sliding to the right by a pixel a frame, mirrored at its edge."""
    photo, width = real[0], real.shape[2]
    twice = np.concatenate([photo, photo[:, ::-1]], axis=1)
    columns = [(np.arange(width) - step) % (2 * width) for step in range(len(real))]
    return np.stack([twice[:, some] for some in columns])


def blur(real: np.ndarray) -> np.ndarray:
    """The photo, ever softer: Gaussian of σ = 0.1 pixels a frame, as an unsure guess would be."""
    photo = Image.fromarray(real[0])
    steps = range(len(real))
    return np.stack([np.array(photo.filter(ImageFilter.GaussianBlur(0.1 * s))) for s in steps])


def constant_wind(real: np.ndarray) -> np.ndarray:
    """The photo, its sky sliding to the right by `WIND`, and nothing else moving."""
    photo = real[0]
    height, width = photo.shape[:2]
    field = np.broadcast_to(np.float32([WIND * width, 0]), (height, width, 2))
    return warp(photo, field, range(len(real)), find_sky(photo))


def real_motion(real: np.ndarray) -> np.ndarray:
    """The photo, moved by the median over time of the real clip's velocities at each pixel."""
    return warp(real[0], velocities(real), range(len(real)))


_OF_ITS_OWN_CLIP: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    COPY: (copy_first_frame, "the input, 32 times"),
    "mean_frame": (
        mean_frame,
        "the mean of the real frames: the best still picture, which needs the real clip",
    ),
    "pan": (pan, "the input, sliding by a pixel a frame"),
    "blur": (blur, "the input, ever softer (Gaussian, σ 0.1 pixels more each frame)"),
    "constant_wind": (
        constant_wind,
        f"the input, its sky (found by colour and gradient) sliding to the right by {WIND:.2%} of "
        f"the width a frame",
    ),
    "real_motion": (
        real_motion,
        "the input, moved by the real clip's own velocities (median of optical flow over time)",
    ),
}

OF_THE_PHOTO = frozenset({COPY, "pan", "blur", "constant_wind"})
"""Those that see nothing but the photo, and so know no direction."""


class Baseline:
    """A row made from each real clip by itself."""

    def __init__(self, name: str):
        self.name = name
        self._make, self.about = _OF_ITS_OWN_CLIP[name]

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        return np.stack([to_float(self._make(clip)) for clip in real])


class OtherClip:
    """A real clip, but the wrong one: the first clip of the next video."""

    name = "other_clip"
    about = "a real clip of another video: how far real motion goes with wrong content"

    def __init__(self, real: RealClips):
        self._real = real
        videos = list(dict.fromkeys(real.videos))
        first = {of: real.videos.index(of) for of in videos}
        following = dict(zip(videos, videos[1:] + videos[:1], strict=True))
        self._other = [first[following[of]] for of in real.videos]

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        return np.stack([to_float(self._real.clip(self._other[p])) for p in positions])


class TrueMotion:
    """The photo, moved by what is known of its procedural sky: the true velocities' median."""

    name = "true_motion"
    about = "the input, moved by the true velocities of its procedural sky (median over time)"

    def __init__(self, real: RealClips):
        self._real = real
        self._truth(0)  # told before the work

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        return np.stack(
            [to_float(self._clip(p, clip)) for p, clip in zip(positions, real, strict=True)]
        )

    def _clip(self, position: int, real: np.ndarray) -> np.ndarray:
        truth = self._truth(position)
        return warp(real[0], truth.velocity[0], range(len(real)), truth.moving)

    def _truth(self, position: int) -> skies.Truth:
        truth = self._real.truth(position)
        if truth is None:
            raise OptionError(
                "baselines",
                self.name,
                "is of procedural skies, whose motion is known; give a set of --layout=synthetic, "
                "or leave it out",
            )
        return truth


_OF_ALL_CLIPS: dict[str, Callable[[RealClips], OtherClip | TrueMotion]] = {
    each.name: each for each in (OtherClip, TrueMotion)
}


def baselines(names: Sequence[str], real: RealClips) -> list[Baseline | OtherClip | TrueMotion]:
    """copy_first_frame, then the others asked for (`options.BASELINES`).

    Raises:
      OptionError: One of them cannot be made of these clips.
    """
    others = dict.fromkeys(name for name in names if name != COPY)
    return [
        _OF_ALL_CLIPS[name](real) if name in _OF_ALL_CLIPS else Baseline(name)
        for name in (COPY, *others)
    ]
