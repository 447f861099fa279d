"""Photos decoded in a graph match those of `ssagan_tf.video`; bad files fail clearly."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

from export.decode_photos import decode_squares
from ssagan_tf import video
from tests.export.photo_files import BAD, GOOD, encoded, photo

SIDE = 32
MOST_PIXELS = 10**6


@functools.cache
def graph(how: str):
    files = tf.TensorSpec((None,), tf.string)
    return tf.function(
        lambda x: decode_squares(x, SIDE, how, MOST_PIXELS),
        autograph=False,
        input_signature=[files],
    )


def in_graph(files: list[bytes], how: str = "stretch") -> np.ndarray:
    return graph(how)(tf.constant(files)).numpy()


@pytest.mark.parametrize("how", video.FITS)
def test_within_one_level_of_generate(how: str) -> None:
    results = in_graph(list(GOOD.values()), how)
    for name, file, result in zip(GOOD, GOOD.values(), results, strict=True):
        expected = video.fit(video.decode_image(file), SIDE, how).astype(int)
        assert np.abs(result - expected).max() <= 1, name
        assert (result != expected).mean() < 0.05 or "16" in name, name


def test_photos_that_are_shrunk_a_lot_or_enlarged() -> None:
    for size in ((640, 427), (17, 23), (SIDE, SIDE)):
        file = encoded(photo(size), "PNG")
        expected = video.fit(video.decode_image(file), SIDE, "stretch").astype(int)
        assert np.abs(in_graph([file])[0] - expected).max() <= (1 if size != (SIDE, SIDE) else 0)


def test_cmyk_is_within_two_levels() -> None:
    file = encoded(photo().convert("CMYK"), "JPEG")
    expected = video.fit(video.decode_image(file), SIDE, "stretch").astype(int)
    assert np.abs(in_graph([file])[0] - expected).max() <= 2


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused(name: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_graph([GOOD["jpeg"], BAD[name]])


def test_messages_about_other_formats_and_sizes() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be a JPEG or a PNG"):
        in_graph([BAD["gif"]])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"a photo can have at most.*1000000"):
        in_graph([BAD["png bomb"]])


def test_unknown_fit() -> None:
    with pytest.raises(ValueError, match="must be one of stretch"):
        decode_squares(tf.constant([GOOD["jpeg"]]), SIDE, "auto", MOST_PIXELS)
