"""Colour conversion from the YUV, grey and RGB formats of videos to sRGB."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ssagan_tf.video import tone_mapping

BT709 = 1  # FFmpeg's code of the colour space of HD video and browsers
# Bicubic, full chroma, accurate rounding: FFmpeg's fast default darkens by 1 to 2 levels.
ACCURATE_SCALING = 0x4 | 0x2000 | 0x40000

# FFmpeg's other codes, those of ISO/IEC 23091-2.
_RGB, _UNTAGGED, _RESERVED, _BT601, _BT2020 = 0, 2, 3, 5, 9
_SUPPORTED = {BT709, 4, _BT601, 6, 7, _BT2020}
_LIMITED, _FULL = 1, 2
_HD = (1280, 576)  # SD is narrower than the first, with a shorter side up to the second


class RgbConverter:
    """Converts the frames of one video to sRGB."""

    def __init__(self) -> None:
        # Reused for all frames. Planar output gives the same pixels in a third of the time.
        self._reformatter = VideoReformatter()

    def rgb(self, frame: av.VideoFrame, width: int, height: int) -> np.ndarray:
        """Scales a frame and converts its colours by its tags, or by defaults where there are none.

        Returns:
          `[height, width, 3]` uint8, a view of planar memory, which is faster to resize.

        Raises:
          ValueError: Its colour matrix is not supported.
        """
        tone_map = tone_mapping.conversion(frame.color_trc, frame.color_primaries)
        planes = self._reformatter.reformat(
            frame,
            width,
            height,
            "gbrp16le" if tone_map else "gbrp",
            src_colorspace=_matrix(frame),
            interpolation=ACCURATE_SCALING,
        )
        if tone_map:
            return tone_map(_plane_arrays(planes, np.dtype("<u2")), _white(frame)).transpose(
                1, 2, 0
            )
        colours = _plane_arrays(planes, np.dtype("u1"))
        if _is_limited_grey(frame):  # FFmpeg takes it for full range
            colours = _LIMITED_TO_FULL[colours]
        return colours.transpose(1, 2, 0)


_LIMITED_TO_FULL = ((np.arange(256.0) - 16) * 255 / 219).round().clip(0, 255).astype(np.uint8)


def _matrix(frame: av.VideoFrame) -> int | None:
    """Returns FFmpeg's code of the Y'CbCr matrix; None if the frame has none."""
    if frame.format.is_rgb or len(frame.format.components) < 3:  # a palette or grey
        return None
    tagged = frame.colorspace
    if tagged in _SUPPORTED:
        return _BT601 if tagged == 6 else tagged
    if tagged not in (_RGB, _UNTAGGED, _RESERVED):
        raise ValueError(
            f"its colour matrix (code {tagged} of ISO/IEC 23091-2) is not supported; convert it to "
            "BT.709"
        )
    if tone_mapping.is_wide(frame.color_trc, frame.color_primaries):
        return _BT2020
    longer, shorter = max(frame.width, frame.height), min(frame.width, frame.height)
    return BT709 if longer >= _HD[0] or shorter > _HD[1] else _BT601


def _is_limited_grey(frame: av.VideoFrame) -> bool:
    one = frame.format
    is_grey = not (one.is_rgb or one.has_palette) and len(one.components) < 3
    return is_grey and frame.color_range == _LIMITED


def _white(frame: av.VideoFrame) -> int:
    """Returns white in FFmpeg's 16-bit RGB: it shifts, which leaves the last bits 0."""
    has_all_values = frame.format.is_rgb or frame.color_range == _FULL
    bits = frame.format.components[0].bits if has_all_values else 8
    return (1 << bits) - 1 << 16 - bits


def _plane_arrays(frame: av.VideoFrame, kind: np.dtype) -> np.ndarray:
    """Returns red, green and blue of a planar frame, `[3, H, W]`."""
    height, width = frame.height, frame.width
    colours = np.empty((3, height, width), kind)
    for plane, colour in zip(frame.planes, (1, 2, 0), strict=True):
        length = plane.line_size // kind.itemsize
        lines = np.frombuffer(plane, kind)[: height * length]
        colours[colour] = lines.reshape(height, length)[:, :width]
    return colours
