"""What any system should beat: clips made from the photo, or from little more, without learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageFilter

from ssagan_tf.evaluation.real import RealClips
from ssagan_tf.pixels import to_float

COPY = "copy_first_frame"


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


_OF_ITS_OWN_CLIP: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    COPY: (copy_first_frame, "the input, 32 times"),
    "mean_frame": (
        mean_frame,
        "the mean of the real frames: the best still picture, which needs the real clip",
    ),
    "pan": (pan, "the input, sliding by a pixel a frame"),
    "blur": (blur, "the input, ever softer (Gaussian, σ 0.1 pixels more each frame)"),
}


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


def baselines(names: Sequence[str], real: RealClips) -> list[Baseline | OtherClip]:
    """copy_first_frame, then the others asked for (`options.BASELINES`)."""
    others = dict.fromkeys(name for name in names if name != COPY)
    return [
        OtherClip(real) if name == OtherClip.name else Baseline(name) for name in (COPY, *others)
    ]
