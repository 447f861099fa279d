"""Decodes photos and makes them square in a TensorFlow graph, as `ssagan_tf/video/` does in Python.

Pixels are within one grey level of Pillow's: like Pillow, this rounds between the two passes of the
bilinear filter. EXIF rotation is not applied, as TensorFlow has no operation that reads it.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ssagan_tf.video import FITS

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = 33  # bytes in the signature and the IHDR chunk, which has the size


def decode_squares(files: Any, side: int, how: str, most_pixels: int) -> Any:
    """Decodes photos and makes them square.

    Args:
      files: Contents of JPEG or PNG files, string `[B]`.
      side: Height and width of the result, S.
      how: `stretch`, `crop` or `letterbox`, as in `video.fit`.
      most_pixels: Larger photos are rejected before they are decoded.

    Returns:
      uint8 `[B, S, S, 3]`. Running it raises `InvalidArgumentError` if a file is not a complete
      JPEG or PNG.
    """
    if how not in FITS:
        raise ValueError(f"how={how}: must be one of {', '.join(FITS)}")
    return tf.map_fn(
        lambda file: _fit(decode(file, most_pixels), side, how),
        files,
        fn_output_signature=tf.TensorSpec([side, side, 3], tf.uint8),
    )


def decode(file: Any, most_pixels: int) -> Any:
    """Decodes a JPEG or PNG, string `[]`, to uint8 `[H, W, 3]`; transparency becomes black."""
    is_jpeg = tf.equal(tf.strings.substr(file, 0, len(_JPEG)), _JPEG)
    is_png = tf.equal(tf.strings.substr(file, 0, len(_PNG)), _PNG)
    is_png &= tf.strings.length(file) >= _PNG_HEADER
    known = tf.debugging.Assert(
        is_jpeg | is_png, ["image_bytes must be a JPEG or a PNG; its first bytes are", _head(file)]
    )
    with tf.control_dependencies([known]):
        height, width = tf.unstack(
            tf.cond(is_jpeg, lambda: _jpeg_size(file), lambda: _png_size(file)), num=2
        )
    small = tf.debugging.Assert(
        (height > 0) & (width > 0) & (height <= most_pixels // tf.maximum(width, 1)),
        [
            "image_bytes: a photo can have at most",
            most_pixels,
            "pixels; height and width are",
            height,
            width,
        ],
    )
    with tf.control_dependencies([small]):
        # The DCT that Pillow uses, not TensorFlow's faster default.
        image = tf.cond(
            is_jpeg,
            lambda: tf.io.decode_jpeg(file, channels=3, dct_method="INTEGER_ACCURATE"),
            lambda: _over_black(tf.io.decode_png(file, channels=4)),
        )
    return tf.ensure_shape(image, (None, None, 3))


def _head(file: Any) -> Any:
    return tf.io.encode_base64(tf.strings.substr(file, 0, len(_PNG)))


def _jpeg_size(file: Any) -> Any:
    return tf.cast(tf.image.extract_jpeg_shape(file)[:2], tf.int64)


def _png_size(file: Any) -> Any:
    sizes = tf.io.decode_raw(tf.strings.substr(file, 16, 8), tf.int32, little_endian=False)
    return tf.cast(tf.reverse(sizes[:2], [0]), tf.int64)


def _over_black(image: Any) -> Any:
    """Converts RGBA to RGB over black: colour · alpha / 255, rounded."""
    colour, alpha = image[..., :3], image[..., 3:]

    def blend():
        # In 16 bits to save memory: v / 255 = (v + 128 + (v + 128) / 256) / 256.
        product = tf.cast(colour, tf.uint16) * tf.cast(alpha, tf.uint16) + 128
        product += tf.bitwise.right_shift(product, tf.constant(8, tf.uint16))
        return tf.cast(tf.bitwise.right_shift(product, tf.constant(8, tf.uint16)), tf.uint8)

    return tf.cond(tf.reduce_all(tf.equal(alpha, 255)), lambda: colour, blend)


def _fit(image: Any, side: int, how: str) -> Any:
    size = tf.shape(image)[:2]
    if how == "crop":
        short = tf.reduce_min(size)
        top, left = tf.unstack((size - short) // 2)
        image = image[top : top + short, left : left + short]
    if how != "letterbox":
        return tf.ensure_shape(_resize(image, side, side), (side, side, 3))
    # As in `video.fitting`: even height and width, centred.
    halves = tf.round(
        side * tf.cast(size, tf.float64) / tf.cast(tf.reduce_max(size), tf.float64) / 2
    )
    extent = tf.minimum(side, tf.maximum(2, 2 * tf.cast(halves, tf.int32)))
    before = (side - extent) // 2
    image = _resize(image, extent[0], extent[1])
    after = side - extent - before
    padding = tf.concat([tf.stack([before, after], axis=1), [[0, 0]]], axis=0)
    return tf.ensure_shape(tf.pad(image, padding), (side, side, 3))


def _resize(image: Any, height: Any, width: Any) -> Any:
    image = _resize_one_way(image, (tf.shape(image)[0], width))
    return _resize_one_way(image, (height, tf.shape(image)[1]))


def _resize_one_way(image: Any, size: tuple[Any, Any]) -> Any:
    resized = tf.image.resize(image, size, "bilinear", antialias=True)
    return tf.saturate_cast(tf.floor(resized + 0.5), tf.uint8)
