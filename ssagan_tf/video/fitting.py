"""Makes pictures square, and gives frames the aspect of the original."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ssagan_tf.video.frames import check

FITS = ("stretch", "crop", "letterbox")
_MAX_ASPECT = 8  # longer over shorter side of what `unfit` makes


def fit(image: np.ndarray, side: int, how: str) -> np.ndarray:
    """Makes a picture square.

    Args:
      image: `[H, W, 3]` uint8.
      side: Height and width of the result.
      how: `stretch` ignores the aspect, `crop` takes the central square, `letterbox` adds black
        bars.

    Returns:
      `[side, side, 3]` uint8; the image itself if it already has that size.
    """
    _check_how(how)
    check(image, 3)
    height, width = image.shape[:2]
    if (height, width) == (side, side):
        return image
    if how == "stretch":
        return _resize(image, (side, side))
    if how == "crop":
        short = min(height, width)
        top, left = (height - short) // 2, (width - short) // 2
        return _resize(image[top : top + short, left : left + short], (side, side))
    rows, columns = _inside_bars((height, width), side)
    result = np.zeros((side, side, 3), np.uint8)
    result[rows, columns] = _resize(image, (rows.stop - rows.start, columns.stop - columns.start))
    return result


def unfit(frames: np.ndarray, size: tuple[int, int], how: str) -> np.ndarray:
    """Gives square frames the aspect of the picture that `fit` made square.

    Args:
      frames: `[T, S, S, 3]` uint8.
      size: Height and width of that picture.
      how: As in `fit`. `stretch`: the shorter side stays S, the longer one follows from the
        aspect, up to 8·S. `letterbox`: the bars are cut off. `crop`: frames stay square.

    Returns:
      `[T, H, W, 3]` uint8 with even H and W if S is even.
    """
    _check_how(how)
    check(frames, 4)
    side = frames.shape[1]
    if how == "letterbox":
        rows, columns = _inside_bars(size, side)
        return frames[:, rows, columns]
    if how == "crop":
        return frames
    height, width = size
    longer = min(_even(side * max(size) / min(size)), _MAX_ASPECT * side)
    shape = (longer, side) if height > width else (side, longer)
    if longer <= side:
        return frames
    return np.stack([_resize(frame, shape, Image.Resampling.BICUBIC) for frame in frames])


def _resize(
    image: np.ndarray,
    size: tuple[int, int],
    filter: Image.Resampling = Image.Resampling.BILINEAR,
) -> np.ndarray:
    """`size` is (height, width). Pillow's filters antialias when shrinking."""
    return np.array(_image(image).resize(size[::-1], filter))


def _image(array: np.ndarray) -> Image.Image:
    if array.strides[2] == 1:
        return Image.fromarray(array)
    # Planar memory: Pillow interleaves faster than NumPy.
    return Image.merge("RGB", [Image.fromarray(colour) for colour in array.transpose(2, 0, 1)])


def _inside_bars(size: tuple[int, int], side: int) -> tuple[slice, slice]:
    """Returns the rows and columns of a square that a picture of `size` fills; even, for H.264."""

    def centred(length: int) -> slice:
        extent = min(side, _even(side * length / max(size)))
        start = (side - extent) // 2
        return slice(start, start + extent)

    return centred(size[0]), centred(size[1])


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))


def _check_how(how: str) -> None:
    if how not in FITS:
        raise ValueError(f"how={how}: must be one of {', '.join(FITS)}")
