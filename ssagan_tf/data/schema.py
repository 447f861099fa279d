"""The schema of a clip in a TFRecord, for writing and reading.

A clip is a `tf.train.SequenceExample`: its frames are JPEGs in the feature list `image/encoded`,
and its context has its name, video, start and size.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from ssagan_tf import safe_names
from ssagan_tf.options import FRAMES

ENCODED = "image/encoded"  # FRAMES JPEGs
HEIGHT, WIDTH = "image/height", "image/width"
VIDEO = "video/filename"  # the same for all clips of a video
NAME = "clip/name"  # unique in the set
START = "clip/start/index"  # number of the first frame in its folder or video


def encode_clip(
    frames: Sequence[bytes], *, name: str, video: str, start: int, resolution: int
) -> bytes:
    """Serializes a clip; the same clip gives the same bytes.

    Args:
      frames: 32 RGB JPEGs of `resolution`×`resolution` pixels.
      name: Unique name of the clip.
      video: Name of the video it was cut from.
      start: Number of its first frame there.
      resolution: Height and width of the frames in pixels.

    Returns:
      A serialized `tf.train.SequenceExample`.

    Raises:
      ValueError: There are not 32 frames.
    """
    if len(frames) != FRAMES:
        raise ValueError(f"the clip has {len(frames)} frames, expected {FRAMES}")
    context = {
        NAME: _bytes(name.encode()),
        VIDEO: _bytes(video.encode()),
        START: _int(start),
        HEIGHT: _int(resolution),
        WIDTH: _int(resolution),
    }
    images = tf.train.FeatureList(feature=[_bytes(frame) for frame in frames])
    record = tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(feature_list={ENCODED: images}),
    )
    return record.SerializeToString(deterministic=True)  # protobuf maps are unordered


def decode_clip(record: tf.Tensor, resolution: int) -> tf.Tensor:
    """Decodes the frames of a record, to the same pixels as Pillow.

    Args:
      record: Scalar string.
      resolution: Height and width of the frames in pixels.

    Returns:
      `[32, resolution, resolution, 3]` uint8.

    Raises:
      tf.errors.InvalidArgumentError: The record is not such a clip.
    """
    return decode_named_clip(record, resolution)[0]


def decode_named_clip(record: tf.Tensor, resolution: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Like `decode_clip`, but also returns the clip's name, a scalar string."""
    context, lists = tf.io.parse_single_sequence_example(
        record,
        context_features={NAME: tf.io.FixedLenFeature([], tf.string)},
        sequence_features={ENCODED: tf.io.FixedLenSequenceFeature([], tf.string)},
    )
    encoded = tf.unstack(tf.ensure_shape(lists[ENCODED], [FRAMES]))
    # Checked before decoding: a few bytes may claim to be gigabytes of pixels.
    sizes = tf.stack([tf.io.extract_jpeg_shape(frame)[:2] for frame in encoded])
    same_size = tf.debugging.assert_equal(sizes, resolution, "frames of another size")
    # The default transform is faster but up to 15 levels off.
    with tf.control_dependencies([] if same_size is None else [same_size]):  # None when eager
        frames = [
            tf.io.decode_jpeg(frame, channels=3, dct_method="INTEGER_ACCURATE") for frame in encoded
        ]
    frames = [tf.ensure_shape(frame, [resolution, resolution, 3]) for frame in frames]
    return tf.stack(frames), context[NAME]


def parse_clip(record: bytes) -> tuple[str, str, list[bytes]]:
    """Parses a record, and returns the clip's name, its video, and its frames as JPEGs.

    Raises:
      ValueError: The record is not such a clip.
    """
    try:
        example = tf.train.SequenceExample.FromString(record)
        context = example.context.feature
        name, video = (context[key].bytes_list.value[0].decode() for key in (NAME, VIDEO))
        safe_names.checked(name, "clip name")
        safe_names.checked_video(video)
        frames = [
            x.bytes_list.value[0] for x in example.feature_lists.feature_list[ENCODED].feature
        ]
    except Exception as error:  # protobuf raises its own types
        raise ValueError(f"not a clip: {error}") from error
    return name, video, frames


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
