from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ssagan_tf.data import schema
from ssagan_tf.options import FRAMES


def jpegs(resolution: int, **how: object) -> list[bytes]:
    random = np.random.default_rng(0)
    frames = []
    for _ in range(FRAMES):
        coarse = random.integers(0, 256, (9, 9, 3), np.uint8)
        buffer = io.BytesIO()
        image = Image.fromarray(coarse).resize((resolution, resolution), Image.Resampling.BICUBIC)
        image.save(buffer, "JPEG", **how)
        frames.append(buffer.getvalue())
    return frames


def encode(frames: list[bytes], resolution: int = 64) -> bytes:
    return schema.encode_clip(frames, name="v/1", video="v", start=1, resolution=resolution)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("quality", [30, 80])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_decodes_to_the_pixels_of_pillow(subsampling: str, quality: int, progressive: bool) -> None:
    frames = jpegs(64, quality=quality, subsampling=subsampling, progressive=progressive)
    clip, name = schema.decode_named_clip(encode(frames), 64)
    expected = np.stack([np.array(Image.open(io.BytesIO(frame))) for frame in frames])
    np.testing.assert_array_equal(clip.numpy(), expected)
    assert name.numpy() == b"v/1"


def test_record_has_unchanged_jpegs_and_their_origin() -> None:
    frames = jpegs(64)
    record = tf.train.SequenceExample.FromString(encode(frames))
    stored = record.feature_lists.feature_list[schema.ENCODED].feature
    assert [frame.bytes_list.value[0] for frame in stored] == frames
    context = record.context.feature
    assert context[schema.VIDEO].bytes_list.value == [b"v"]
    assert context[schema.NAME].bytes_list.value == [b"v/1"]
    assert context[schema.START].int64_list.value == [1]
    assert context[schema.HEIGHT].int64_list.value == [64]
    assert context[schema.WIDTH].int64_list.value == [64]


def test_refuses_wrong_number_of_frames() -> None:
    with pytest.raises(ValueError, match="31 frames, expected 32"):
        encode(jpegs(64)[:-1])


def test_refuses_wrong_size_of_frames() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        schema.decode_clip(tf.constant(encode(jpegs(32))), 64)
