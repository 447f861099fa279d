"""From light to a picture: exposure, colours, lens, sensor and file."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
from PIL import Image

from ssagan_tf.skies.camera import axes
from ssagan_tf.skies.randomness import RandomStream

_GREY = np.array([0.299, 0.587, 0.114])
_NOISE_SIDE = 64  # side of the pictures that `noise` is told for


@dataclasses.dataclass(frozen=True)
class Lens:
    """What a camera does to the colours.

    Attributes:
      exposure: Factor of the light.
      brightening: Change of the exposure over 32 frames, as a share.
      balance: Factors of red, green and blue.
      contrast, saturation: Factors about the middle and about grey.
      vignette: Loss of light in the corners, as a share.
      softness: Standard deviation of the blur in widths of the picture.
      noise: Standard deviation of what the sensor adds, in [0, 1], at 64×64.
      quality: Of the JPEG; 0: there was none.
      bars: Height of the black bars at top and bottom, as a share of the picture's.
      key: Of the noise's random numbers.
    """

    exposure: float
    brightening: float
    balance: tuple[float, float, float]
    contrast: float
    saturation: float
    vignette: float
    softness: float
    noise: float
    quality: int
    bars: float
    key: tuple[int, ...]

    def barred(self, side: int) -> np.ndarray:
        """Share of each row that black bars hide, `[side, 1]`."""
        edge = np.abs(np.arange(side) + 0.5 - side / 2)
        return np.clip(edge - (0.5 - self.bars) * side + 0.5, 0, 1 if self.bars else 0)[:, None]

    def develop(self, light: np.ndarray, frame: int) -> np.ndarray:
        """The picture of a frame.

        Args:
          light: `[H, W, 3]` in [0, 1].
          frame: Its number.

        Returns:
          `[H, W, 3]` uint8.
        """
        side = len(light)
        picture = light * self.exposure * (1 + self.brightening * frame / 31)
        picture = picture * np.array(self.balance)
        grey = (picture @ _GREY)[..., None]
        picture = grey + self.saturation * (picture - grey)
        picture = 0.45 + self.contrast * (picture - 0.45)
        # Where light exceeds what a sensor holds, it bends.
        picture = np.where(picture > 0.8, 0.8 + 0.2 * np.tanh((picture - 0.8) / 0.2), picture)
        x, y = axes(side)
        corner = 2 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
        picture = picture * (1 - self.vignette * corner**1.5)[..., None]
        if self.softness * side > 0.15:
            picture = _blurred(picture, self.softness * side)
        if self.noise:
            noise = RandomStream(*self.key, frame).normal(
                0, self.noise * side / _NOISE_SIDE, light.shape
            )
            picture = picture + noise
        pixels = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
        return _stored(pixels, self.quality) if self.quality else pixels


def sample_lens(rng: RandomStream) -> Lens:
    """Some camera, phone or archive of pictures."""
    vivid = rng.chance(0.2)
    balance = 1 + rng.normal(0, 0.07 if rng.chance(0.3) else 0.025, 3)
    return Lens(
        exposure=float(np.clip(np.exp(rng.normal(0.10, 0.14)), 0.7, 1.5)),
        brightening=rng.uniform(-0.10, 0.10) if rng.chance(0.3) else 0.0,
        balance=tuple(float(np.clip(factor, 0.75, 1.25)) for factor in balance),
        contrast=rng.uniform(0.85, 1.4) if vivid else rng.uniform(0.8, 1.15),
        saturation=rng.uniform(1.2, 1.8) if vivid else rng.uniform(0.6, 1.2),
        vignette=rng.uniform(0.05, 0.5) if rng.chance(0.4) else 0.0,
        softness=rng.uniform(0.003, 0.012) if rng.chance(0.3) else 0.0,
        noise=rng.uniform(0.002, 0.010) if rng.chance(0.25) else 0.0,
        quality=int(rng.uniform(35, 90)) if rng.chance(0.3) else 0,
        bars=rng.uniform(0.04, 0.14) if rng.chance(0.04) else 0.0,
        key=(int(rng.uniform(0, 2**31)),),
    )


def _blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Convolved with a Gaussian; beyond its borders the picture is mirrored."""
    reach = int(np.ceil(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        padding = [(reach, reach) if each == axis else (0, 0) for each in range(3)]
        padded = np.pad(picture, padding, mode="reflect")
        size = picture.shape[axis]
        picture = sum(
            weight * np.take(padded, range(shift, shift + size), axis)
            for shift, weight in enumerate(weights)
        )
    return picture


def _stored(pixels: np.ndarray, quality: int) -> np.ndarray:
    """As it comes back from a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.array(image)
