"""Artificial archives of each layout, with all irregularities of real ones.

The tests name every clip that is kept, and count what is skipped by its reason.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from ssagan_tf import video
from ssagan_tf.data import writer
from ssagan_tf.data.evaluation_clips import open_footage
from ssagan_tf.data.verification import verify_set
from ssagan_tf.options import PrepareOptions
from ssagan_tf.skies.any_wind import synthetic_clip


@pytest.fixture(scope="module")
def sky() -> np.ndarray:
    return synthetic_clip(7, 0, 64, 100)


def outcome(source: Path, output: Path, **settings: object) -> tuple[list[str], dict[str, int]]:
    """Names of the clips in both splits, and how many items were skipped for each reason.

    The set made from the archive must be intact, and evaluation must read the same clips.
    """
    common = {"resolution": 64, "workers": 1, "near_duplicates": "ignore"}
    given = PrepareOptions(source=str(source), output=str(output), **{**common, **settings})
    info = writer.prepare(given)
    assert verify_set(output).problems == ()
    prepared = open_footage(PrepareOptions(source=str(output)), "all")
    names = sorted(clip.name for clip in prepared.clips)
    assert sorted(clip.name for clip in open_footage(given, "all").clips) == names
    return names, dict(collections.Counter(item.kind for item in info.skipped))


def write_frames(
    folder: Path, frames: Sequence[np.ndarray], numbers: Sequence[int], suffix: str = "jpg"
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for frame, number in zip(frames, numbers, strict=False):
        path = folder / f"{folder.name}_frames_{number:08d}.{suffix}"
        Image.fromarray(frame).save(path)


@pytest.mark.slow
def test_clouds(tmp_path: Path, sky: np.ndarray) -> None:
    """Folders of both depths, gaps, short runs, stray files, mixed sizes; both clip rules."""
    root = tmp_path / "in"
    write_frames(root / "sky_train" / "A" / "A_1", sky, range(86, 186))  # three clips
    write_frames(root / "sky_train" / "A" / "2", sky, [*range(1, 41), *range(50, 90)])  # a gap
    write_frames(root / "sky_train" / "B", sky, range(31))  # a frame too few
    wide = [np.repeat(frame, 2, 1) for frame in sky]
    mixed = [pair[number % 2] for number, pair in enumerate(zip(sky, wide, strict=True))]
    write_frames(root / "sky_train" / "C", mixed[:32], range(32), "png")
    write_frames(root / "sky_train" / "still" / "1", sky[:1].repeat(40, 0), range(40))
    (root / "sky_train" / "empty" / "1").mkdir(parents=True)
    write_frames(root / "sky_test" / "D" / "D_1", sky[40:], range(60))
    (root / "sky_test" / "D" / "D_1" / "Thumbs.db").touch()
    (root / "sky_test" / "D" / "D_1" / "._D_1_frames_00000001.jpg").touch()
    (root / "sky_test" / "D" / "D_1" / "cover.jpg").touch()
    write_frames(root / "sky_test" / "E" / "1", sky, range(40))
    broken = root / "sky_test" / "E" / "1" / "1_frames_00000035.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    (root / ".cache").mkdir()
    (root / "readme.txt").touch()

    names, skipped = outcome(root, tmp_path / "mixed")  # every picture has another size
    assert not [name for name in names if name.startswith("C")]
    assert skipped["frames of different sizes"] == 31
    for path in (root / "sky_train" / "C").iterdir():
        video.write_image(path, video.fit(video.read_image(path), 64, "stretch"))
    names, skipped = outcome(root, tmp_path / "all")
    assert names == [
        *("A/2/1", "A/2/50", "A/A_1/118", "A/A_1/150", "A/A_1/86"),
        *("C/0", "D/D_1/0", "E/1/0"),
    ]
    assert skipped == {
        "outside the *_train and *_test folders": 2,
        "empty folder": 1,
        "too short": 2,  # B, and the rest of E after the broken picture
        "static": 1,
        "not a picture": 2,
        "no number in its name": 1,
        "broken picture": 1,
    }
    names, _ = outcome(root, tmp_path / "first", clip_rule="first")
    assert names == ["A/2/1", "A/A_1/86", "C/0", "D/D_1/0", "E/1/0"]


def test_stacks(tmp_path: Path, sky: np.ndarray) -> None:
    """The beach layout: too long, too short, broken, not stacked; with a list."""
    root = tmp_path / "in"
    for name, frames in {"a/1": 34, "a/2": 16, "b/1": 32, "b/unlisted": 32, "b/bad": 32}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate(sky[:frames])).save(root / f"{name}.jpg")
    (root / "b" / "bad.jpg").write_bytes((root / "b" / "bad.jpg").read_bytes()[:999])
    Image.fromarray(sky[0]).save(root / "b" / "single.jpg")
    Image.new("RGB", (64, 300)).save(root / "b" / "uneven.jpg")
    (root / "notes.doc").touch()
    listed = ["a/1", "a/2", "b/1", "b/bad", "b/single", "b/uneven", "b/1", "c/gone"]
    (tmp_path / "list.txt").write_text("".join(f"./{name}.jpg\n" for name in listed))
    kinds = {"broken picture": 1, "not stacked square frames": 2}
    names, skipped = outcome(root, tmp_path / "by list", list=str(tmp_path / "list.txt"))
    assert names == ["a/1", "a/2", "b/1"]
    assert skipped == {**kinds, "duplicate in the list": 1, "not found": 1}
    names, skipped = outcome(root, tmp_path / "all", layout="stacked")
    assert names == ["a/1", "a/2", "b/1", "b/unlisted"]
    assert skipped == {**kinds, "not a picture": 1}


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    codec: str = "mpeg4",
    times: Sequence[int] | None = None,
) -> None:
    """Any container; `times` in 1/90 s for a variable frame rate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv444p" if codec == "ffv1" else "yuv420p"
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 90)
        for index, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), "rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[index], Fraction(1, 90)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def turned_copy(source: Path, target: Path) -> None:
    """The same stream with a display matrix for a quarter turn, as phones write it."""
    content = source.read_bytes()
    one, zero = (1 << 16).to_bytes(4, "big"), bytes(4)
    last = (1 << 30).to_bytes(4, "big")
    upright = one + zero + zero + zero + one + zero + zero + zero + last
    minus = (-(1 << 16) & 0xFFFFFFFF).to_bytes(4, "big")
    on_its_side = zero + one + zero + minus + zero + zero + zero + zero + last
    at = content.index(upright, content.index(b"tkhd"))  # the track's, not the movie's
    target.write_bytes(content[:at] + on_its_side + content[at + 36 :])


@pytest.mark.slow
def test_videos(tmp_path: Path, sky: np.ndarray) -> None:
    """Containers, sizes, rates, rotation, scene cuts, broken videos, and other files."""
    root = tmp_path / "in"
    for name, codec in {
        "a/plain.mp4": "mpeg4",
        "a/plain.mkv": "mpeg4",
        "web.webm": "libvpx",
        "old.avi": "mjpeg",
        "apple.mov": "mpeg4",
        "stream.ts": "mpeg2video",
    }.items():
        write_video(root / name, sky[:40], "mpeg4" if codec == "mjpeg" else codec)
    times = np.cumsum(np.tile([3, 5, 4], 14))[:40]
    write_video(root / "variable.mkv", sky[:40], times=list(times))
    odd = sky[:40, :61, :47]
    write_video(root / "odd.mkv", odd, "ffv1")
    tall = np.concatenate([sky[:40, :48], np.zeros((40, 16, 64, 3), np.uint8)], 1)[:, :48]
    video.write_mp4(root / "wide.mp4", tall, 25)
    turned_copy(root / "wide.mp4", root / "turned.mp4")
    write_video(root / "cut.mp4", [*sky[:50], *(255 - sky[:40])])
    write_video(root / "short.mp4", sky[:20])
    write_video(root / "still.mp4", sky[:1].repeat(40, 0))
    content = (root / "cut.mp4").read_bytes()
    (root / "truncated.mp4").write_bytes(content[: len(content) // 2])
    (root / "text.mp4").write_text("no video")
    (root / "empty.mp4").touch()
    (root / "poster.jpg.txt").touch()
    names, skipped = outcome(root, tmp_path / "set")
    assert names == sorted(
        [
            *("a/plain.mp4/0", "a/plain.mkv/0", "web.webm/0", "old.avi/0", "apple.mov/0"),
            *("stream.ts/0", "variable.mkv/0", "odd.mkv/0", "wide.mp4/0", "turned.mp4/0"),
            *("cut.mp4/0", "cut.mp4/50"),
        ]
    )
    assert skipped == {"too short": 1, "static": 1, "broken video": 3, "not a video": 1}
    footage = open_footage(PrepareOptions(source=str(root)), "all")
    sizes = {clip.name: clip.size for clip in footage.clips}
    assert (sizes["odd.mkv/0"], sizes["wide.mp4/0"], sizes["turned.mp4/0"]) == (
        (61, 47),
        (48, 64),
        (64, 48),
    )
    # Frames are read in stored order, whatever their times.
    index = [clip.name for clip in footage.clips].index("variable.mkv/0")
    [clip] = footage.stream([index])
    assert np.abs(clip.astype(int) - sky[:32]).mean() < 6
