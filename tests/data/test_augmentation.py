from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import video
from ssagan_tf.data.augmentation import (
    NO_AUGMENTATION,
    Augmentation,
    jitter_colours,
    slow_down,
    zoom_in,
)
from ssagan_tf.options import TrainOptions
from ssagan_tf.skies.any_wind import synthetic_clip


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return synthetic_clip(0, 0, 64)


def test_default_is_no_augmentation(clip: np.ndarray) -> None:
    assert Augmentation.from_options(TrainOptions()) == NO_AUGMENTATION
    np.testing.assert_array_equal(NO_AUGMENTATION.apply(tf.constant(clip), 0, tf.constant(0)), clip)
    for change in (slow_down, zoom_in, jitter_colours):
        values = tf.cast(clip, tf.float32)
        np.testing.assert_array_equal(change(values, 0.0, tf.fill([5], 0.7)), values)


def test_slow_motion_blends_frames() -> None:
    """The pixels of each frame are its number, so values are times."""
    times = tf.tile(tf.range(32.0)[:, None, None, None], [1, 4, 4, 3])
    for share, begin, expected in (
        (1.0, 0.0, 0.5 * np.arange(32)),
        (1.0, 0.999, 15 + 0.5 * np.arange(32)),
        (0.5, 0.0, 0.75 * np.arange(32)),
    ):
        played = slow_down(times, 0.5, tf.constant([share, begin])).numpy()
        np.testing.assert_allclose(played, np.broadcast_to(played[:, :1, :1, :1], played.shape))
        np.testing.assert_allclose(played[:, 0, 0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("most", [0.2, 0.3, 0.5, 0.75])
def test_slow_motion_reaches_the_end(most: float) -> None:
    times = tf.range(32.0)[:, None, None, None]
    play = tf.function(lambda drawn: slow_down(times, most, drawn)[:, 0, 0, 0], autograph=False)
    last = np.nextafter(np.float32(1), np.float32(0))
    for share in np.linspace(0, last, 50, dtype=np.float32):
        for begin in (0.0, 0.5, 0.97, last):
            played = play(tf.constant([share, begin], tf.float32)).numpy()
            np.testing.assert_allclose(np.diff(played), 1 - most * share, atol=1e-4)


def test_zoom_is_an_enlarged_crop(clip: np.ndarray) -> None:
    """Compared with Pillow's bilinear enlargement of the same square."""
    values = tf.cast(clip, tf.float32)
    big = zoom_in(values, 1.0, tf.constant([1.0, 0.5, 0.25])).numpy()  # half the side
    ours = np.stack([video.fit(frame[16:48, 8:40], 64, "stretch") for frame in clip[::8]])
    assert np.abs(big[::8] - ours).mean() < 1.0
    assert np.abs(big[::8] - clip[::8]).mean() > 5.0
    corners = zoom_in(values, 1.0, tf.constant([1.0, 1.0, 1.0])).numpy()
    np.testing.assert_allclose(corners[:, -1, -1], clip[:, -1, -1])  # up to the edge


def test_colours_change_equally_in_all_frames(clip: np.ndarray) -> None:
    drawn = tf.constant([1.0, 0.5, 0.5, 0.5, 0.5])
    more = jitter_colours(tf.cast(clip, tf.float32), 0.2, drawn).numpy()
    np.testing.assert_allclose(more, 127.5 + 1.2 * (clip - 127.5), atol=1e-3)  # contrast only
    drawn = tf.constant([0.5, 0.0, 1.0, 0.5, 0.0])
    tinted = jitter_colours(tf.cast(clip, tf.float32), 0.2, drawn).numpy()
    np.testing.assert_allclose(tinted, clip * [0.8 * 1.1, 0.8, 0.8 * 0.9], rtol=1e-5)


def test_depends_on_seed_and_position_only(clip: np.ndarray) -> None:
    every = Augmentation(flip=True, zoom=0.3, slow_motion=0.3, colour=0.1)

    def of(seed: int, index: int) -> bytes:
        changed = every.apply(tf.constant(clip), seed, tf.constant(index, tf.int64))
        assert (changed.dtype, changed.shape) == (tf.uint8, clip.shape)
        return changed.numpy().tobytes()

    assert of(3, 7) == of(3, 7)
    assert len({of(3, 7), of(3, 8), of(4, 7)}) == 3


def test_bright_pixels_do_not_overflow() -> None:
    white = tf.fill([32, 64, 64, 3], tf.constant(250, tf.uint8))
    for index in range(8):
        changed = Augmentation(colour=0.5).apply(white, 0, tf.constant(index)).numpy()
        assert changed.min() > 60
