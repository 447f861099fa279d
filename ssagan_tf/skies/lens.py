"""From light to pixels: exposure, colours, lens, sensor and file."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
from PIL import Image

from ssagan_tf.skies.camera import axes
from ssagan_tf.skies.randomness import RandomStream

_GREY = np.array([0.299, 0.587, 0.114])
_NOISE_SIDE = 64  # resolution that `Lens.noise` refers to


@dataclasses.dataclass(frozen=True)
class Lens:
    """Parameters of a camera.

    Attributes:
      exposure: Factor of the light.
      brightening: Relative change of the exposure over 32 frames.
      balance: Factors of red, green and blue.
      contrast, saturation: Factors about mid-grey, and about the grey of the same brightness.
      vignette: Relative loss of light in the corners.
      softness: Standard deviation of the blur in widths of the picture.
      noise: Standard deviation of the sensor noise, in [0, 1], at 64×64.
      quality: Quality of the JPEG compression; 0: none.
      bars: Height of the black bars at top and bottom, in heights of the picture.
      key: Key of the random stream for the noise.
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
        """Returns the fraction of each row that black bars hide, `[side, 1]`."""
        edge = np.abs(np.arange(side) + 0.5 - side / 2)
        return np.clip(edge - (0.5 - self.bars) * side + 0.5, 0, 1 if self.bars else 0)[:, None]

    def develop(self, light: np.ndarray, frame: int) -> np.ndarray:
        """Returns the pixels of a frame.

        Args:
          light: `[H, W, 3]` in [0, 1].
          frame: Index of the frame.

        Returns:
          `[H, W, 3]` uint8.
        """
        side = len(light)
        picture = light * self.exposure * (1 + self.brightening * frame / 31)
        picture = picture * np.array(self.balance)
        grey = (picture @ _GREY)[..., None]
        picture = grey + self.saturation * (picture - grey)
        picture = 0.45 + self.contrast * (picture - 0.45)
        # Highlights are compressed, not clipped.
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
        return _jpeg_compressed(pixels, self.quality) if self.quality else pixels


def sample_lens(rng: RandomStream) -> Lens:
    """Samples a camera, phone or image archive."""
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
    """Gaussian blur, with mirrored borders."""
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


def _jpeg_compressed(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Compresses to JPEG and decodes again."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.array(image)
