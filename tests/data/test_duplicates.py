"""Near-duplicates are found whatever was done to them, and other clips are not."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssagan_tf import video
from ssagan_tf.data import duplicates, writer
from ssagan_tf.data.dataset_info import NearDuplicate, open_set
from ssagan_tf.data.layouts import perceptual_hash
from ssagan_tf.data.reading import ClipMetadata
from ssagan_tf.options import PrepareOptions
from ssagan_tf.prepare import summary
from ssagan_tf.skies.any_wind import synthetic_clip


def again(picture: np.ndarray) -> np.ndarray:
    """Compresses a picture again, with low quality."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=30)
    return np.array(Image.open(io.BytesIO(buffer.getvalue())))


def smaller(picture: np.ndarray) -> np.ndarray:
    return video.fit(video.fit(picture, 48, "stretch"), 128, "stretch")


def cropped(picture: np.ndarray) -> np.ndarray:
    return video.fit(np.ascontiguousarray(picture[3:-3, 3:-3]), 128, "stretch")


def brighter(picture: np.ndarray) -> np.ndarray:
    return np.clip(picture * 1.15 + 8, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def skies() -> list[np.ndarray]:
    return [synthetic_clip(5, number, 128, 1)[0] for number in range(24)]


@pytest.mark.parametrize("change", [again, smaller, cropped, brighter])
def test_hashes_survive(skies: list[np.ndarray], change: Callable) -> None:
    of = [perceptual_hash.picture_bits(sky) for sky in skies]
    changed = [perceptual_hash.picture_bits(change(sky)) for sky in skies]
    distances = np.array([[np.sum(a != b) for b in changed] for a in of])
    assert np.diag(distances).max() <= duplicates.MAX_BITS
    others = distances[~np.eye(len(skies), dtype=bool)]
    assert (others > duplicates.MAX_BITS).mean() > 0.98  # synthetic skies have much in common


def metadata(name: str, bits: np.ndarray) -> ClipMetadata:
    return ClipMetadata(name, name, None, 0, 0, 0.0, np.packbits(bits, axis=1).tobytes(), None)


def test_finds_the_nearest_duplicate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared with counting bits one by one, with several blocks."""
    monkeypatch.setattr(duplicates, "_BLOCK", 3)
    generator = np.random.default_rng(0)
    shape = (len(perceptual_hash.HASHED), perceptual_hash.BITS)
    test = [generator.integers(0, 2, shape) for _ in range(8)]
    train = []
    for number in range(10):
        near = test[number % 8].copy()
        flips = generator.permutation(perceptual_hash.BITS)[: 5 * number]
        near[number % 2, flips] ^= 1
        near[1 - number % 2] = generator.integers(0, 2, perceptual_hash.BITS)
        train.append(near if number % 4 else generator.integers(0, 2, shape))
    train[7][:] = 0  # a featureless picture has no bits, and matches nothing
    found = duplicates.find(
        [metadata(f"train{i}", bits) for i, bits in enumerate(train)],
        [metadata(f"test{i}", bits) for i, bits in enumerate(test)],
    )
    expected = []
    for i, ours in enumerate(train):
        pairs = [
            (int(np.sum(a != b)), k) for k, theirs in enumerate(test) for a in ours for b in theirs
        ]
        bits, which = min(pairs)
        if bits <= duplicates.MAX_BITS and i != 7:
            expected.append(NearDuplicate(f"train{i}", f"test{which}", bits))
    assert list(found) == expected
    assert len(expected) >= 4
    assert duplicates.find([], [metadata("a", test[0])]) == ()


@pytest.mark.parametrize("what", ["report", "drop", "ignore"])
def test_reported_or_dropped(tmp_path: Path, what: str) -> None:
    """The same sky is in both splits, compressed again and two frames later."""
    sky = synthetic_clip(5, 1, 128, 34)
    clips = {
        "sky_train/a": sky[:32],
        "sky_train/b": synthetic_clip(5, 3, 128),
        "sky_test/c": [again(frame) for frame in sky[2:]],
    }
    for name, frames in clips.items():
        (tmp_path / "in" / name).mkdir(parents=True)
        for number, frame in enumerate(frames):
            Image.fromarray(frame).save(tmp_path / "in" / name / f"{number}.png")
    given = PrepareOptions(
        source=str(tmp_path / "in"),
        output=str(tmp_path / "set"),
        resolution=64,
        workers=1,
        near_duplicates=what,
    )
    info = writer.prepare(given)
    assert open_set(tmp_path / "set").info == info
    assert info.splits["train"].clips == (1 if what == "drop" else 2)
    assert [(pair.train, pair.test) for pair in info.near_duplicates] == (
        [("a/0", "c/0")] if what == "report" else []
    )
    assert [(item.item, item.reason) for item in info.skipped] == (
        [("a/0", "near-duplicate: looks like the test clip c/0")] if what == "drop" else []
    )
    line = "training clips that look like a test clip: 1 (--near_duplicates=drop leaves them out)"
    assert (line in summary(info)) == (what == "report")


def test_real_scenes_are_no_duplicates(footage: Path) -> None:
    """36 clips of 34 videos; but each matches itself four frames later."""
    bits, videos = [], []
    for clip in sorted((footage / "sky48").glob("*/*/*")):
        frames = [video.read_image(path) for path in sorted(clip.iterdir())]
        bits.append([perceptual_hash.picture_bits(frames[number]) for number in (0, 4)])
        videos.append(clip.parent.name)
    firsts = np.array([pair[0] for pair in bits])
    distances = (firsts[:, None] != firsts[None]).sum(-1)
    other = np.array([[a != b for b in videos] for a in videos])
    assert distances[other].min() > duplicates.MAX_BITS + 15
    later = [np.sum(first != fourth) for first, fourth in bits]
    assert np.mean(np.array(later) <= duplicates.MAX_BITS) > 0.9
