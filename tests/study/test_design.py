from __future__ import annotations

import collections
import io

import av
import numpy as np
import pytest

from ssagan_tf.options import OptionError
from ssagan_tf.study.design import BROKEN, Pair, draw_pairs, order_for, read_cases
from ssagan_tf.study.media import break_clip, encode, pad_to_same_length

SYSTEMS = ["A", "B", "real"]
CLIPS = [f"clip{i}" for i in range(30)]


def test_cases() -> None:
    assert read_cases((), SYSTEMS) == [("A", "B"), ("A", "real"), ("B", "real")]
    assert read_cases(("B:A", "A:real"), SYSTEMS) == [("B", "A"), ("A", "real")]
    for wrong in ("A", "A:C", "A:A"):
        with pytest.raises(OptionError, match="must be A:B"):
            read_cases((wrong,), SYSTEMS)
    with pytest.raises(OptionError, match="duplicate"):
        read_cases(("A:B", "B:A"), SYSTEMS)


def test_pairs() -> None:
    cases = read_cases((), SYSTEMS)
    pairs = draw_pairs(cases, CLIPS, 20, 5, seed=1)
    by_case = collections.Counter((pair.first, pair.second) for pair in pairs)
    assert by_case == {**dict.fromkeys(cases, 20), ("real", BROKEN): 5}
    assert len(set(pairs)) == len(pairs)
    assert pairs == draw_pairs(cases, CLIPS, 20, 5, seed=1) != draw_pairs(cases, CLIPS, 20, 5, 2)
    assert [pair.is_catch for pair in pairs[-6:]] == [False] + [True] * 5
    with pytest.raises(OptionError, match=r"pairs=31: the folders have only 30"):
        draw_pairs(cases, CLIPS, 31, 0, 1)


@pytest.mark.parametrize("pairs", [20, 7])
def test_sides_are_balanced(pairs: int) -> None:
    every = draw_pairs(read_cases((), SYSTEMS), CLIPS, pairs, 0, seed=1)
    seen = [order_for(subject, every, seed=1) for subject in range(1, 21)]
    lefts: collections.Counter[int] = collections.Counter()
    for order in seen:
        assert sorted(index for index, _ in order) == list(range(len(every)))
        for first in range(0, len(every), pairs):  # of each subject, in each case
            of_case = [left for index, left in order if first <= index < first + pairs]
            assert abs(2 * sum(of_case) - pairs) <= 1
        lefts.update(index for index, left in order if left)
    assert set(lefts.values()) == {10}  # of each pair
    assert len({tuple(index for index, _ in order) for order in seen}) == 20


def test_videos_differ_only_in_their_pixels(noise) -> None:
    sharp, flat = noise(32, 32, 32, 3), np.full((32, 32, 32, 3), 100, np.uint8)
    plain = [encode(clip, 12) for clip in (sharp, flat)]
    assert len(plain[0]) > 1.5 * len(plain[1])
    padded = pad_to_same_length(plain)
    assert len(padded[0]) == len(padded[1])
    for data, clip in zip(padded, (sharp, flat), strict=True):
        with av.open(io.BytesIO(data)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            tags = dict(container.metadata)
        assert len(frames) == 32
        assert abs(np.stack(frames).astype(float) - clip).mean() < 20  # chroma is subsampled
        assert set(tags) <= {"major_brand", "minor_version", "compatible_brands", "encoder"}


def test_a_broken_clip_is_broken(noise) -> None:
    clip = np.linspace(0, 255, 32).astype(np.uint8)[:, None, None, None] * np.ones(
        (1, 16, 16, 3), np.uint8
    )
    broken = break_clip(clip, 1)
    assert broken.dtype == np.uint8
    steps = np.abs(np.diff(broken.astype(float).mean(axis=(1, 2, 3))))
    assert steps.mean() > 5 * 255 / 31


def test_is_catch() -> None:
    assert not Pair("A", "B", "c").is_catch
