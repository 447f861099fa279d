"""A generator as a TensorFlow module with the signatures of a server."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ssagan_tf.models import Network
from ssagan_tf.options import FRAMES
from ssagan_tf.pixels import to_float

from .decode_photos import decode_squares

JPEG_QUALITY = 95


class ServedGenerator(tf.Module):
    """The weights of a generator, and three functions for batches of photos of any size.

    `serving_default`: `image_bytes` (JPEG or PNG, string `[N]`) → `video` (uint8 `[N,32,S,S,3]`).
    `encoded`: `image_bytes` → `frames_bytes` (JPEGs, string `[N,32]`).
    `tensor`: `image` (float32 `[N,S,S,3]` in [-1, 1]) → `clip` (float32 `[N,32,S,S,3]`).

    It contains only variables and graphs, nothing of Keras.

    Args:
      generator: The network.
      how: How photos are made square: `stretch`, `crop` or `letterbox`.
      weights: Data type of the stored kernels, which are cast back to their own when used.
      most_pixels: Photos with more pixels are rejected.
    """

    def __init__(self, generator: Network, how: str, weights: str, most_pixels: int):
        super().__init__(name="ssagan")
        side = generator.options.resolution
        groups = generator.trainable_variables, generator.non_trainable_variables
        self.stored = [[_stored(variable, weights) for variable in group] for group in groups]

        @tf.function(
            autograph=False,
            input_signature=[tf.TensorSpec((None, side, side, 3), tf.float32, "image")],
        )
        def tensor(image):
            values = [
                [tf.cast(stored, variable.dtype) for stored, variable in zip(*pair, strict=True)]
                for pair in zip(self.stored, groups, strict=True)
            ]
            clip, _ = generator.stateless_call(*values, image, training=False)
            return {"clip": tf.ensure_shape(clip, (None, FRAMES, side, side, 3), name="clip")}

        files = [tf.TensorSpec((None,), tf.string, "image_bytes")]

        def video(image_bytes):
            clip = tensor(to_float(decode_squares(image_bytes, side, how, most_pixels)))["clip"]
            return tf.cast(tf.round(tf.clip_by_value((clip + 1.0) * 127.5, 0.0, 255.0)), tf.uint8)

        @tf.function(autograph=False, input_signature=files)
        def serving_default(image_bytes):
            return {"video": video(image_bytes)}

        @tf.function(autograph=False, input_signature=files)
        def encoded(image_bytes):
            frames = tf.reshape(video(image_bytes), (-1, side, side, 3))
            return {
                "frames_bytes": tf.reshape(
                    tf.map_fn(_jpeg, frames, fn_output_signature=_STRING), (-1, FRAMES)
                )
            }

        self.functions = {
            "serving_default": serving_default,
            "encoded": encoded,
            "tensor": tensor,
        }


_STRING = tf.TensorSpec((), tf.string)


def _jpeg(frame: Any) -> Any:
    return tf.io.encode_jpeg(frame, "rgb", JPEG_QUALITY, chroma_downsampling=False)


def _stored(variable: Any, weights: str) -> tf.Variable:
    value = tf.convert_to_tensor(variable.value)
    if value.dtype == tf.float32 and value.shape.rank > 1:  # vectors are small and need precision
        value = tf.cast(value, weights)
    return tf.Variable(value, trainable=False, name=variable.path.replace("/", "_"))
