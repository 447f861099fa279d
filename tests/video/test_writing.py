"""Written videos, as other programs read them: FFmpeg (PyAV), Pillow, and the bytes themselves."""

from __future__ import annotations

import dataclasses
import itertools
import os
import resource
import struct
import weakref
from collections.abc import Iterator
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from ssagan_tf import video
from ssagan_tf.errors import DataError
from ssagan_tf.video import encoding, palettes

FILES = (".mp4", ".gif", ".webp")
ALL = (*FILES, "")
RED_BT709, GREEN_BT709, BLUE_BT709 = 0.2126, 0.7152, 0.0722  # ITU-R BT.709, 3.2


def drifting(count: int, height: int = 36, width: int = 64) -> Iterator[np.ndarray]:
    """A smooth picture that drifts to the right, above static ground."""
    rng = np.random.default_rng(0)
    blurred = cv2.GaussianBlur(rng.normal(size=(height, width, 3)), (0, 0), 6)
    sky = 128 + 60 * blurred / np.abs(blurred).max()
    for number in range(count):
        frame = np.roll(sky, 2 * number, 1)
        frame[2 * height // 3 :] = sky[2 * height // 3 :]
        yield frame.round().astype(np.uint8)


def sky(height: int = 96, width: int = 160, ground: int = 24) -> np.ndarray:
    """A clear sky: a gradient from deep to pale blue, over ground of many colours."""
    down, across = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    top, bottom = np.array([60.0, 110, 185]), np.array([190.0, 205, 230])
    frame = top + (bottom - top) * down[..., None] ** 1.2 + 8 * across[..., None]
    colours = np.random.default_rng(0).integers(0, 256, (ground, width, 3))
    frame[height - ground :] = colours
    return frame.round().astype(np.uint8)


def by_ffmpeg(path: Path) -> tuple[list[np.ndarray], Fraction]:
    """Frames and seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return frames, stream.duration * stream.time_base


def by_pillow(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """Frames and milliseconds."""
    frames, times = [], []
    with Image.open(path) as image:
        assert image.info["loop"] == 0  # for ever
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.array(image.convert("RGB")))
            times.append(image.info["duration"])
    return frames, times


def chunks_of_webp(data: bytes, start: int = 12) -> Iterator[tuple[bytes, bytes]]:
    while start < len(data):
        name, length = struct.unpack_from("<4sI", data, start)
        yield name, data[start + 8 : start + 8 + length]
        start += 8 + length + length % 2


def planes(path: Path) -> Iterator[np.ndarray]:
    """Y', Cb and Cr as they are stored, `[3, H, W]`, colour at every second pixel repeated."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            stored = frame.to_ndarray(format="yuv420p")
            height, width = frame.height, frame.width
            colours = stored[height:].reshape(2, height // 2, width // 2)
            yield np.stack([stored[:height], *colours.repeat(2, 1).repeat(2, 2)]).astype(float)


def to_bt709(rgb: np.ndarray) -> np.ndarray:
    """R'G'B' `[..., 3]` -> Y'CbCr of 8 bits in limited range `[3, ...]` (BT.709, 3 and 4)."""
    red, green, blue = np.moveaxis(rgb / 255.0, -1, 0)
    light = RED_BT709 * red + GREEN_BT709 * green + BLUE_BT709 * blue
    blueness = (blue - light) / (2 - 2 * BLUE_BT709)
    redness = (red - light) / (2 - 2 * RED_BT709)
    return np.stack([16 + 219 * light, 128 + 224 * blueness, 128 + 224 * redness])


def test_mp4_has_the_colours_of_bt709(tmp_path) -> None:
    values = (0, 90, 255)
    flat = [np.full((16, 16, 3), rgb, np.uint8) for rgb in itertools.product(values, repeat=3)]
    path = tmp_path / "a.mp4"
    video.write_video(path, flat, 25, crf=1)
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        # In FFmpeg's numbers BT.709 is 1, limited range is 1.
        tags = codec.color_range, codec.colorspace, codec.color_primaries, codec.color_trc
        assert [int(tag) for tag in tags] == [1, 1, 1, 1]
        assert codec.name == "h264"
        assert codec.pix_fmt == "yuv420p"
    data = path.read_bytes()
    assert data[data.index(b"colr") :][4:14] == b"nclx\0\1\0\1\0\1"
    assert data.index(b"moov") < data.index(b"mdat")
    for frame, stored in zip(flat, planes(path), strict=True):
        assert np.abs(stored - to_bt709(frame)).max() < 0.6
    for frame, seen in zip(flat, by_ffmpeg(path)[0], strict=True):
        assert np.abs(seen.astype(int) - frame).max() <= 3
    sweep = np.linspace([20, 60, 200], [230, 220, 40], 128).round().astype(np.uint8)
    frame = np.broadcast_to(sweep[None], (32, 128, 3))
    video.write_video(path, [frame] * 3, 25, crf=1)
    assert np.abs(next(planes(path)) - to_bt709(frame)).mean((1, 2)).max() < 1
    assert np.abs(by_ffmpeg(path)[0][1].astype(int) - frame).mean() < 2


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (25, 25),
        (12.5, Fraction(25, 2)),
        (29.97, Fraction(30000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (Fraction(60000, 1001), Fraction(60000, 1001)),
        (7.3, Fraction(73, 10)),
        (0.1, Fraction(1, 10)),
        (1000, 1000),
    ],
)
@pytest.mark.parametrize("repeat", [1, 3])
def test_rate_and_duration_of_an_mp4(tmp_path, fps, rate, repeat) -> None:
    path = tmp_path / "a.mp4"
    video.write_video(path, drifting(7, 16, 16), fps, repeat)
    frames, seconds = by_ffmpeg(path)
    assert len(frames) == 7 * repeat
    assert seconds == Fraction(7 * repeat) / rate
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == rate
        assert abs(container.duration - 1_000_000 * seconds) < 1  # as players show it
        times = [frame.pts * stream.time_base for frame in container.decode(stream)]
    assert times == [number / Fraction(rate) for number in range(7 * repeat)]


def test_a_repeated_mp4_is_the_same_each_time(tmp_path) -> None:
    video.write_video(tmp_path / "once.mp4", drifting(40), 25)
    video.write_video(tmp_path / "often.mp4", drifting(40), 25, repeat=3)
    once, _ = by_ffmpeg(tmp_path / "once.mp4")
    often, _ = by_ffmpeg(tmp_path / "often.mp4")
    np.testing.assert_array_equal(often, often[:40] * 3)
    given = np.stack(list(drifting(40))).astype(int)
    for frames in (once, often[:40]):  # two encodings need not be the same
        assert np.abs(given - frames).mean() < 2
    data = (tmp_path / "often.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert len(list(video.read_video(tmp_path / "often.mp4"))) == 120
    assert sorted(os.listdir(tmp_path)) == ["often.mp4", "once.mp4"]


@pytest.mark.parametrize("fps", [25, 12, 29.97, 40, 50, 0.1])
@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("count", [1, 17])
def test_times_of_a_gif_and_a_webp(tmp_path, fps, same, count) -> None:
    frames = [next(drifting(1))] * count if same else list(drifting(count))
    seconds = count / float(video.timestamps.exact_rate(fps))
    for ending, unit in ((".gif", 10), (".webp", 1)):
        if (ending, count) == (".webp", 1):
            continue  # a still picture
        path = tmp_path / f"a{ending}"
        video.write_video(path, iter(frames), fps)
        shown, times = by_pillow(path)
        assert abs(sum(times) - 1000 * seconds) <= unit / 2
        if not same:
            assert len(shown) == count
            assert max(times) - min(times) <= unit
            assert np.abs(np.stack(shown).astype(int) - frames).mean() < 2.5
    read, seconds_read = by_ffmpeg(tmp_path / "a.gif")
    assert len(read) == count
    assert abs(seconds_read - seconds) < 0.0051


def test_webp_by_its_bytes(tmp_path) -> None:
    frames = list(drifting(5, 35, 63))
    video.write_video(tmp_path / "a.webp", frames, 24)
    chunks = list(chunks_of_webp((tmp_path / "a.webp").read_bytes()))
    assert [name for name, _ in chunks] == [b"VP8X", b"ANIM"] + [b"ANMF"] * 5
    assert chunks[1][1][4:] == b"\0\0"  # loops: for ever
    times = [int.from_bytes(data[12:15], "little") for _, data in chunks[2:]]
    assert times == [42, 41, 42, 42, 41]
    for (_, data), frame in zip(chunks[2:], frames, strict=True):
        payload = b"WEBP" + data[16:]
        (tmp_path / "still.webp").write_bytes(b"RIFF" + struct.pack("<I", len(payload)) + payload)
        with av.open(str(tmp_path / "still.webp")) as still:  # FFmpeg's own decoder
            seen = next(still.decode(video=0)).to_ndarray(format="rgb24")
        assert np.abs(seen.astype(int) - frame).mean() < 3


@pytest.mark.parametrize(("ending", "shortest"), [(".gif", 20), (".webp", 11)])
@pytest.mark.parametrize(("fps", "count"), [(60, 61), (60, 2), (120, 60), (1000, 500), (1000, 3)])
def test_frames_too_fast_for_players_are_dropped(tmp_path, ending, shortest, fps, count) -> None:
    path = tmp_path / f"a{ending}"
    levels = np.linspace(0, 255, count).round().astype(np.uint8)
    video.write_video(path, (np.full((8, 8, 3), level, np.uint8) for level in levels), fps)
    with Image.open(path) as image:
        if getattr(image, "n_frames", 1) == 1:  # shorter than any frame is shown
            assert 1000 * count / fps < 2 * shortest
            return
    shown, times = by_pillow(path)
    assert min(times) >= shortest
    assert abs(sum(times) - 1000 * count / fps) <= 5
    at = np.cumsum([0, *times[:-1]]) * fps / 1000  # each is the frame of its time
    expected = levels[np.minimum(at.round().astype(int), count - 1)].astype(int)
    slack = 255 / count * (1 + fps / 100) + 3
    assert np.abs(np.array([frame.mean() for frame in shown]) - expected).max() <= slack


def test_static_parts_of_a_gif_do_not_flicker(tmp_path) -> None:
    still = sky()
    frames = []
    for number in range(6):
        frames.append(still.copy())
        frames[-1][:24] = np.roll(still[:24], 5 * number, 1)  # above all the rest
    video.write_video(tmp_path / "a.gif", frames, 25)
    shown, _ = by_pillow(tmp_path / "a.gif")
    assert (np.stack(shown)[:, 24:] == shown[0][24:]).all()
    assert (shown[1][:24] != shown[0][:24]).any()


@pytest.mark.parametrize("ground", [0, 60])
def test_gif_has_no_bands(tmp_path, monkeypatch, ground) -> None:
    frame = sky(240, 320, ground)

    def bands() -> float:
        """Measures how visible bands are: the steps of the error, blurred as the eye does."""
        video.write_video(tmp_path / "a.gif", [frame], 25)
        error = by_pillow(tmp_path / "a.gif")[0][0].astype(float) - frame
        blurred = cv2.GaussianBlur(error[: 240 - ground], (0, 0), 4)
        assert np.abs(blurred).mean() < 1
        return float(np.abs(np.diff(blurred, axis=0)).mean())

    dithered = bands()
    monkeypatch.setattr(palettes, "_PATTERN", np.zeros((2, 2), np.int16))
    assert dithered < 0.9 * bands()


def test_gif_gets_a_new_palette_when_the_picture_changes(tmp_path) -> None:
    blue = sky()
    sunset = np.ascontiguousarray(blue[..., ::-1])
    path, frames = tmp_path / "a.gif", [blue, blue, sunset, sunset, blue]
    video.write_video(path, frames, 25)
    for shown, frame in zip(by_pillow(path)[0], frames, strict=True):
        # The palette of the other one would be off by tens of levels.
        assert np.abs(cv2.GaussianBlur(shown[:64].astype(float) - frame[:64], (0, 0), 4)).mean() < 4


@pytest.mark.parametrize("ending", ALL)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (35, 63), (2, 300)])
def test_any_size(tmp_path, ending, size) -> None:
    path = tmp_path / f"a{ending}"
    frame = np.full((*size, 3), (200, 120, 60), np.uint8)
    video.write_video(path, [frame] * 3, 25)
    if ending == ".mp4":
        shown = by_ffmpeg(path)[0]
        assert shown[0].shape == (*(length + length % 2 for length in size), 3)
    elif ending:
        shown = by_pillow(path)[0]
        assert shown[0].shape == frame.shape
    else:
        shown = [video.read_image(each) for each in sorted(path.iterdir())]
        assert len(shown) == 3
    assert np.abs(np.stack(shown).astype(int) - frame[0, 0]).max() <= 6


def test_a_folder_of_frames_several_times(tmp_path) -> None:
    frames = list(drifting(3))
    video.write_video(f"{tmp_path}/clip.v1/", iter(frames), 25, repeat=2)
    names = sorted(os.listdir(tmp_path / "clip.v1"))
    assert names == [f"frame_{number:05d}.png" for number in range(1, 7)]
    for name, frame in zip(names, frames * 2, strict=True):
        np.testing.assert_array_equal(video.read_image(tmp_path / "clip.v1" / name), frame)


@pytest.mark.parametrize("ending", ALL)
@pytest.mark.parametrize("repeat", [1, 2])
def test_frames_are_not_kept_in_memory(tmp_path, ending, repeat) -> None:
    alive: weakref.WeakSet = weakref.WeakSet()
    most = 0

    class Frame(np.ndarray):
        """A frame compared by identity, so that it can be in a set."""

        __hash__ = object.__hash__
        __eq__ = object.__eq__

    def frames() -> Iterator[np.ndarray]:
        nonlocal most
        for frame in drifting(60, 16, 16):
            alive.add(mine := frame.view(Frame))
            most = max(most, len(alive))
            yield mine
            del mine

    video.write_video(tmp_path / f"a{ending}", frames(), 25, repeat)
    assert 1 <= most <= 6


@pytest.mark.parametrize("ending", ALL)
@pytest.mark.parametrize("repeat", [1, 2])
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), DataError("no"), ValueError("no"), OSError()]
)
def test_an_error_leaves_nothing(tmp_path, ending, repeat, error) -> None:
    path = tmp_path / f"a{ending}"
    if ending:
        path.write_text("old")

    def frames() -> Iterator[np.ndarray]:
        yield from drifting(5)
        raise error

    with pytest.raises(DataError if isinstance(error, OSError) else type(error)):
        video.write_video(path, frames(), 25, repeat)
    assert os.listdir(tmp_path) == ([f"a{ending}"] if ending else [])
    assert not ending or path.read_text() == "old"


@pytest.mark.parametrize("ending", ALL)
@pytest.mark.parametrize("repeat", [1, 2])
@pytest.mark.parametrize("left", [0, 0.5, -1])
def test_a_full_disk_leaves_nothing(tmp_path, ending, repeat, left) -> None:
    frames = list(np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3), dtype=np.uint8))
    video.write_video(tmp_path / f"whole{ending}", frames, 25, repeat)
    whole = tmp_path / f"whole{ending}" / ("" if ending else "frame_00003.png")
    size = whole.stat().st_size
    room = {0.5: size // 2, -1: size - 1}.get(left, left)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))  # as good as a full disk
    try:
        with pytest.raises(DataError, match=rf"cannot write .*a{ending}: ") as raised:
            video.write_video(tmp_path / f"a{ending}", frames, 25, repeat)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(raised.value)
    assert os.listdir(tmp_path) == [f"whole{ending}"]


def test_wrong_frames(tmp_path) -> None:
    good = np.zeros((4, 6, 3), np.uint8)
    for ending in ALL:
        path = tmp_path / f"a{ending}"
        with pytest.raises(ValueError, match="got none"):
            video.write_video(path, iter([]), 25)
        with pytest.raises(ValueError, match=r"frame 3 is \(6, 6\), those before it are \(4, 6\)"):
            video.write_video(path, [good, good, np.zeros((6, 6, 3), np.uint8)], 25)
        for bad in (good[0], good[..., :2], good.astype(np.float32), np.zeros((0, 4, 3), "u1")):
            with pytest.raises(ValueError, match="expected uint8"):
                video.write_video(path, [good, bad], 25)
        for repeat in (0, -1):
            if ending in (".mp4", ""):
                with pytest.raises(ValueError, match="repeat"):
                    video.write_video(path, [good], 25, repeat)
    for crf in (0, 52):
        with pytest.raises(ValueError, match="between 1 and 51"):
            video.write_video(tmp_path / "a.mp4", [good], 25, crf=crf)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.avi", "a.mov", "a.webm", "a.png", "a.mp4.part", "a.v1"])
def test_unknown_suffixes(tmp_path, name) -> None:
    for call in (
        lambda: video.check_encoder(tmp_path / name),
        lambda: video.write_video(tmp_path / name, drifting(2), 25),
    ):
        with pytest.raises(DataError, match=r"must end in \.mp4, \.gif, \.webp, or be a directory"):
            call()
    assert os.listdir(tmp_path) == []


def test_unwritable_paths(tmp_path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.png").touch()
    (tmp_path / "taken.mp4").mkdir()
    for name, why in (
        ("full", "is not empty"),
        ("file", "it is not a directory"),
        ("taken.mp4", "it is a directory"),
    ):
        for call in (video.check_encoder, lambda path: video.write_video(path, drifting(2), 25)):
            with pytest.raises(DataError, match=why):
                call(tmp_path / name)
    for ending in ALL:
        drawn = drifting(2)
        with pytest.raises(DataError, match="cannot write"):
            video.write_video(tmp_path / "file" / f"a{ending}", drawn, 25)
        assert len(list(drawn)) == 2  # before the work
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("ending", "largest"), [(".mp4", 16384), (".gif", 65535), (".webp", 16383)]
)
def test_frames_too_large_for_the_encoder(tmp_path, ending, largest) -> None:
    path = tmp_path / f"a{ending}"
    for size in ((1, largest + 1), (largest + 1, 1)):
        with pytest.raises(DataError, match=f"too large for {ending[1:]}: the limit is {largest}"):
            video.check_encoder(path, size)
        with pytest.raises(DataError, match="the limit is"):
            video.write_video(path, [np.zeros((*size, 3), np.uint8)] * 2, 25)
    assert os.listdir(tmp_path) == []
    video.check_encoder(path, (1, largest))
    video.write_video(path, [np.zeros((1, largest, 3), np.uint8)] * 2, 25)
    assert path.stat().st_size


@pytest.mark.parametrize("ending", FILES)
def test_a_missing_encoder_is_reported_before_the_work(tmp_path, monkeypatch, ending) -> None:
    lacking = dataclasses.replace(encoding.FORMATS[ending], encoder="none")
    monkeypatch.setitem(encoding.FORMATS, ending, lacking)
    others = " or ".join([*sorted({*FILES} - {ending}), "a directory"][1:])
    drawn = drifting(2)
    for call in (video.check_encoder, lambda path: video.write_video(path, drawn, 25)):
        with pytest.raises(DataError, match="lacks the encoder none") as raised:
            call(tmp_path / f"a{ending}")
        assert others in str(raised.value)
    with pytest.raises(DataError, match="lacks the encoder") if ending == ".gif" else nullcontext():
        video.encode_gif(list(drawn), 25)
    assert os.listdir(tmp_path) == []


def test_a_failing_encoder_gets_one_line(tmp_path, monkeypatch) -> None:
    larger = dataclasses.replace(encoding.FORMATS[".mp4"], max_side=20000)
    monkeypatch.setitem(encoding.FORMATS, ".mp4", larger)
    with pytest.raises(DataError, match=r"cannot write .*a\.mp4: FFmpeg's encoder libx264 failed"):
        video.write_video(tmp_path / "a.mp4", [np.zeros((2, 17000, 3), np.uint8)], 25)
    assert os.listdir(tmp_path) == []
