"""Videos as cameras and programs write them are read as they are meant to be displayed."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from ssagan_tf import video
from ssagan_tf.errors import DataError
from tests.sample_videos import filtered, planes, record


def read(path: Path) -> np.ndarray:
    return np.stack(list(video.read_video(path)))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


# Turned and mirrored.

UPRIGHT = {
    (1, 0, 0, 1): (),
    (-1, 0, 0, 1): ("hflip",),
    (1, 0, 0, -1): ("vflip",),
    (-1, 0, 0, -1): ("hflip", "vflip"),
    (0, 1, -1, 0): ("transpose=clock",),
    (0, -1, 1, 0): ("transpose=cclock",),
    (0, 1, 1, 0): ("transpose=cclock_flip",),
    (0, -1, -1, 0): ("transpose=clock_flip",),
}
"""Filters that FFmpeg's own program applies for a display matrix."""


@pytest.mark.parametrize("matrix", UPRIGHT)
def test_all_display_matrices_of_mp4(tmp_path, matrix) -> None:
    frames = noise(2, 10, 14, 3)
    path = record(tmp_path / "a.mov", frames, "png", "rgb24")
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    assert data[at : at + 4] == struct.pack(">i", 1 << 16)
    a, b, c, d = (each << 16 for each in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    np.testing.assert_array_equal(read(path), filtered(frames, *UPRIGHT[matrix]))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 88, -2])
@pytest.mark.parametrize("mirror", [(), ("hflip",), ("vflip",)])
@pytest.mark.parametrize(("name", "how"), [("a.mov", ("png", "rgb24")), ("a.mkv", ())])
def test_turned_and_mirrored_as_pyav_writes_it(tmp_path, degrees, mirror, name, how) -> None:
    frames = noise(1, 10, 14, 3)
    flips = dict.fromkeys(mirror, True)
    path = record(
        tmp_path / name,
        frames,
        *how,
        of_stream=lambda stream: stream.set_display_rotation(degrees, **flips),
    )
    turns = ["transpose=cclock"] * (round(degrees / 90) % 4)
    np.testing.assert_array_equal(read(path), filtered(frames, *turns, *mirror))


# Which stream.

COVER, MAIN = Disposition.attached_pic, Disposition.default


def several(path: Path, *streams: tuple) -> Path:
    """Videos 16 pixels high: of each codec, pixels, width, disposition, and how many frames."""
    with av.open(str(path), "w") as container:
        made = []
        for codec, pixels, width, disposition, *_ in streams:
            stream = container.add_stream(codec, 25)
            stream.width, stream.height, stream.pix_fmt = width, 16, pixels
            if disposition is not None:
                stream.disposition = disposition
            made.append(stream)
        for stream, (_, pixels, width, disposition, *count) in zip(made, streams, strict=True):
            for number in range(1 if disposition == COVER else sum(count) or 3):
                image = np.full((16, width, 3), 90, np.uint8)
                frame = av.VideoFrame.from_ndarray(image).reformat(format=pixels)
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


JPEG, LOSSLESS = ("mjpeg", "yuvj420p"), ("ffv1", "yuv420p")


@pytest.mark.parametrize(
    ("name", "streams", "width"),
    [
        ("thumbnails.mp4", [(*JPEG, 16, MAIN), ("mpeg4", "yuv420p", 48, MAIN)], 48),
        ("not shown.mp4", [(*JPEG, 64, Disposition(0)), ("mpeg4", "yuv420p", 48, MAIN)], 48),
        ("poster.mp4", [(*JPEG, 64, None, 1), ("mpeg4", "yuv420p", 48, None)], 48),
        ("cover.mp4", [(*JPEG, 64, COVER), ("mpeg4", "yuv420p", 48, None)], 48),
        ("cover.mov", [("mpeg4", "yuv420p", 48, None), ("png", "rgb24", 64, COVER)], 48),
        ("a.mkv", [(*LOSSLESS, 64, Disposition(0)), (*LOSSLESS, 48, MAIN)], 48),
        ("a.avi", [("mpeg4", "yuv420p", 48, None), ("mpeg4", "yuv420p", 64, None)], 64),
        ("a.ts", [("mpeg2video", "yuv420p", 48, None), ("mpeg2video", "yuv420p", 64, None)], 64),
    ],
)
def test_the_main_stream_is_read(tmp_path, name, streams, width) -> None:
    frames = read(several(tmp_path / name, *streams))
    assert frames.shape == (3, 16, width, 3)


def test_a_cover_alone_is_not_a_video(tmp_path) -> None:
    path = several(tmp_path / "a.mp4", (*JPEG, 64, COVER))
    with pytest.raises(DataError, match="it contains no video, only a picture"):
        read(path)


# High dynamic range and wide gamuts.

HLG, PQ = 18, 16


def srgb(light: float) -> float:
    """IEC 61966-2-1, in [0, 255]."""
    return 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


def in_bt2020(path: Path, signal: float, transfer: int, full: bool, codec: str) -> np.ndarray:
    """Reads a grey of a signal in [0, 1], as 10 bits of BT.2020's Y'CbCr."""
    level = signal * 1023 if full else 64 + signal * 876
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer}
    frame = planes((round(level), 512, 512), (16, 16), "yuv420p10le", **tags, color_range=1 + full)
    options = {"qp": "0"} if codec == "libx264" else {}
    record(path, [frame, frame], codec, "yuv420p10le", options=options)
    return read(path)


@pytest.mark.parametrize(
    ("signal", "transfer", "light"),
    [
        # ITU-R BT.2408, table 1: levels of reflectance cards, of which 203 cd/m² is white.
        (0.38, HLG, 26 / 203),
        (0.38, PQ, 26 / 203),
        (0.75, HLG, 1.0),
        (0.58, PQ, 1.0),
        # ITU-R BT.2100: black, and peaks of 1000 and 10,000 cd/m².
        (0.0, HLG, 0.0),
        (0.0, PQ, 0.0),
        (1.0, HLG, 1000 / 203),
        (1.0, PQ, 10000 / 203),
    ],
)
@pytest.mark.parametrize("full", [False, True])
def test_hlg_and_pq_become_srgb(tmp_path, signal, transfer, light, full) -> None:
    shown = in_bt2020(tmp_path / "a.mkv", signal, transfer, full, "ffv1")
    assert shown.dtype == np.uint8
    assert np.ptp(shown) == 0  # grey stays grey
    if light <= 0.75:
        assert shown[0, 0, 0, 0] == pytest.approx(srgb(light), abs=1.5)
    elif light == 1:
        assert shown[0, 0, 0, 0] == pytest.approx(240, abs=1)
    else:
        assert 252 <= shown[0, 0, 0, 0] <= 255


def test_hdr_of_a_phone(tmp_path) -> None:
    shown = in_bt2020(tmp_path / "a.mp4", 0.75, HLG, False, "libx264")
    assert shown[0, 0, 0, 0] == pytest.approx(240, abs=1)


def test_hdr_highlights_keep_their_order(tmp_path) -> None:
    size = (4, 220)
    ramp = 64 + np.arange(0, 880, 4)
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": HLG, "color_range": 1}
    frame = planes((ramp, 512, 512), size, "yuv444p10le", **tags)
    row = read(record(tmp_path / "a.mkv", [frame], pixels="yuv444p10le"))[0, 0, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert len(set(row[row > 240])) >= 10  # clouds above white are not one patch


@pytest.mark.parametrize("transfer", [HLG, PQ, 14])
@pytest.mark.parametrize("colour", [(0.3, 0.3, 0.5), (0.45, 0.4, 0.3), (0.25, 0.35, 0.3)])
def test_colours_of_bt2020_become_those_of_bt709(tmp_path, transfer, colour) -> None:
    """ITU-R BT.2087 has the matrix, BT.2100 the curves; FFmpeg converts Y'CbCr only."""
    red, green, blue = colour
    luma = 0.2627 * red + 0.678 * green + 0.0593 * blue
    chroma = ((blue - luma) / 1.8814, (red - luma) / 1.4746)
    codes = (64 + 876 * luma, *(512 + 896 * each for each in chroma))
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer, "color_range": 1}
    frame = planes([round(code) for code in codes], (4, 4), "yuv444p10le", **tags)
    shown = read(record(tmp_path / "a.mkv", [frame], pixels="yuv444p10le"))[0, 0, 0]
    signal = np.array(colour)
    if transfer == HLG:
        light = signal**2 / 3  # all are below 1/2
        light *= 1000 / 203 * (0.2627 * light[0] + 0.678 * light[1] + 0.0593 * light[2]) ** 0.2
    elif transfer == PQ:
        root = signal ** (1 / 78.84375)
        ratio = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
        light = 10000 / 203 * ratio ** (1 / 0.1593017578125)
    else:
        light = ((signal + 0.055) / 1.055) ** 2.4
    matrix = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    expected = [srgb(max(each, 0.0)) for each in np.array(matrix) @ light]
    np.testing.assert_allclose(shown, expected, atol=2.5)


def test_display_p3_becomes_srgb(tmp_path) -> None:
    tags = {"colorspace": 1, "color_primaries": 12, "color_trc": 1, "color_range": 1}
    # R'G'B' of 0.2, 0.5, 0.8 in Y'CbCr of BT.709; the inverse of CSS Color 4's matrices.
    luma = 0.2126 * 0.2 + 0.7152 * 0.5 + 0.0722 * 0.8
    chroma = ((0.8 - luma) / 1.8556, (0.2 - luma) / 1.5748)
    codes = (64 + 876 * luma, *(512 + 896 * each for each in chroma))
    frame = planes([round(code) for code in codes], (4, 4), "yuv444p10le", **tags)
    shown = read(record(tmp_path / "a.mkv", [frame], pixels="yuv444p10le"))[0, 0, 0]
    light = ((np.array([0.2, 0.5, 0.8]) + 0.055) / 1.055) ** 2.4
    matrix = [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]
    expected = [srgb(max(each, 0.0)) for each in np.array(matrix) @ light]
    np.testing.assert_allclose(shown, expected, atol=2.5)


# Colour tags.


def from_ycbcr(codes: tuple[int, int, int], red: float, blue: float, full: bool) -> np.ndarray:
    """R'G'B' of 8 bits by the weights of red and blue in luma (BT.601, BT.709, BT.2020)."""
    luma, cb, cr = codes
    y = luma / 255 if full else (luma - 16) / 219
    cb, cr = (each / (255 if full else 224) for each in (cb - 128, cr - 128))
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    return 255 * np.array([r, (y - red * r - blue * b) / (1 - red - blue), b])


BT601, BT709 = (0.299, 0.114), (0.2126, 0.0722)
CODES = (150, 100, 170)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("size", "tag", "weights"),
    [
        ((48, 64), 2, BT601),
        ((480, 640), 2, BT601),
        ((576, 1024), 2, BT601),
        ((640, 360), 2, BT601),
        ((720, 1280), 2, BT709),
        ((1280, 720), 2, BT709),
        ((1080, 1920), 2, BT709),
        ((48, 64), 1, BT709),
        ((48, 64), 5, BT601),
        ((720, 1280), 6, BT601),
        ((720, 1280), 5, BT601),
        ((48, 64), 3, BT601),  # "reserved"
        ((48, 64), 0, BT601),  # RGB, which it is not
        ((48, 64), 7, (0.212, 0.087)),
    ],
)
def test_matrices_and_ranges(tmp_path, size, tag, weights, full) -> None:
    frame = planes(CODES, size, "yuv420p", colorspace=tag, color_range=2 if full else 1)
    shown = read(record(tmp_path / "a.mkv", [frame], pixels="yuv420p"))[0]
    assert shown.shape == (*size, 3)
    np.testing.assert_allclose(shown[0, 0], from_ycbcr(CODES, *weights, full), atol=1.1)
    assert np.ptp(shown, axis=(0, 1)).max() == 0


@pytest.mark.parametrize(("size", "weights"), [((48, 64), BT601), ((720, 1280), BT709)])
def test_h264_without_tags_is_limited(tmp_path, size, weights) -> None:
    frame = planes(CODES, size, "yuv420p")
    record(tmp_path / "a.mp4", [frame], "libx264", "yuv420p", options={"qp": "0"})
    shown = read(tmp_path / "a.mp4")[0, 0, 0]
    np.testing.assert_allclose(shown, from_ycbcr(CODES, *weights, False), atol=1.1)


@pytest.mark.parametrize(("tag", "low", "high"), [(1, 16, 235), (2, 0, 255), (0, 0, 255)])
def test_ranges_of_grey(tmp_path, tag, low, high) -> None:
    ramp = np.arange(low, high + 1)
    frame = planes([ramp], (4, len(ramp)), "gray", color_range=tag)
    row = read(record(tmp_path / "a.mkv", [frame], pixels="gray"))[0, 0]
    expected = (ramp - low) * 255 / (high - low)
    np.testing.assert_allclose(row, np.stack([expected] * 3, -1), atol=0.51)


@pytest.mark.parametrize("tag", [8, 10, 14])
def test_unsupported_matrices_are_refused(tmp_path, tag) -> None:
    frame = planes(CODES, (48, 64), "yuv420p", colorspace=tag)
    record(tmp_path / "a.mkv", [frame], pixels="yuv420p")
    with pytest.raises(DataError, match=f"matrix .code {tag} of .* is not supported"):
        read(tmp_path / "a.mkv")


# Pixels that are not square.


def disc(width: int, height: int) -> np.ndarray:
    """A disc of radius 24 in 96×72 square pixels, stored at any width and height."""
    y, x = (np.arange(height)[:, None] + 0.5) / height, (np.arange(width) + 0.5) / width
    inside = (96 * (x - 0.5)) ** 2 + (72 * (y - 0.5)) ** 2 < 24**2
    return np.where(inside[..., None], 230, 20).astype(np.uint8).repeat(3, 2)


def extent(image: np.ndarray) -> tuple[int, int]:
    """Height and width of what is bright."""
    bright = image[..., 1] > 128
    return int(bright.any(1).sum()), int(bright.any(0).sum())


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mov", "png", "rgb24"),
        ("a.mkv", "libx264", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.mpg", "mpeg2video", "yuv420p"),
    ],
)
@pytest.mark.parametrize("wide", [True, False])
def test_pixels_become_square(tmp_path, name, codec, pixels, wide) -> None:
    width, height, aspect = (48, 72, Fraction(2)) if wide else (96, 48, Fraction(2, 3))

    def set_aspect(stream: av.VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    path = record(tmp_path / name, [disc(width, height)] * 2, codec, pixels, of_stream=set_aspect)
    frame = read(path)[0]
    assert frame.shape == (72, 96, 3)
    assert extent(frame) == pytest.approx((48, 48), abs=2)
    assert extent(video.fit(frame, 48, "letterbox")) == pytest.approx((24, 24), abs=1)
    assert extent(video.fit(frame, 48, "crop")) == pytest.approx((32, 32), abs=1)
    assert extent(video.fit(frame, 48, "stretch")) == pytest.approx((32, 24), abs=1)


@pytest.mark.parametrize(("degrees", "shape"), [(90, (96, 48)), (180, (48, 96))])
def test_pixels_are_made_square_before_rotation(tmp_path, degrees, shape) -> None:
    def turned(stream: av.VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(degrees)

    path = record(tmp_path / "a.mov", noise(1, 48, 72, 3), "png", "rgb24", of_stream=turned)
    assert read(path).shape == (1, *shape, 3)


def test_scaled_as_ffmpeg_scales(tmp_path) -> None:
    frames = [disc(48, 72)]

    def wide(stream: av.VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(2)

    path = record(tmp_path / "a.mov", frames, "png", "rgb24", of_stream=wide)
    expected = filtered(frames, "scale=96:72:flags=bicubic+accurate_rnd+full_chroma_int")
    np.testing.assert_allclose(read(path)[0].astype(int), expected[0], atol=3)


@pytest.mark.parametrize("aspect", [Fraction(1000, 1001), Fraction(1), Fraction(4096, 4095)])
def test_nearly_square_pixels_are_left_alone(tmp_path, aspect) -> None:
    def nearly(stream: av.VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    frames = noise(1, 48, 64, 3)
    path = record(tmp_path / "a.mov", frames, "png", "rgb24", of_stream=nearly)
    np.testing.assert_array_equal(read(path), frames)


def test_frames_too_large_once_their_pixels_are_square(tmp_path) -> None:
    def wide(stream: av.VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(250)

    frames = np.zeros((1, 512, 1024, 3), np.uint8)
    record(tmp_path / "a.mov", frames, "png", "rgb24", of_stream=wide)
    with pytest.raises(DataError, match="its frames of 256000×512 pixels are too large"):
        read(tmp_path / "a.mov")


# Times, edits, beginnings.


def numbered(count: int, height: int = 16, width: int = 16) -> list[np.ndarray]:
    """Frames of a single grey each, which identifies them."""
    return [np.full((height, width, 3), 20 + 5 * number, np.uint8) for number in range(count)]


def numbers(path: Path) -> list[int]:
    return [round((frame.mean() - 20) / 5) for frame in video.read_video(path)]


GROUPS = {"g": "10", "bf": "2", "x264-params": "scenecut=0"}
FINE = {"g": "10", "sc_threshold": "1000000000", "qmin": "1", "qmax": "2"}


def with_edits(data: bytes, edits: list[tuple[int, int]]) -> bytes:
    """An mp4 whose `moov` is last with another edit list (ISO/IEC 14496-12, 8.6.6).

    Args:
      data: The file.
      edits: For each, its duration in milliseconds and its start in the track's units.
    """
    entries = b"".join(struct.pack(">IiI", length, at, 1 << 16) for length, at in edits)
    box = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, len(edits)) + entries
    box = struct.pack(">I4s", 8 + len(box), b"edts") + box
    start = data.index(b"edts") - 4
    end = start + int.from_bytes(data[start : start + 4], "big")
    result = bytearray(data[:start] + box + data[end:])
    for name in (b"moov", b"trak"):
        at = data.index(name) - 4
        length = int.from_bytes(data[at : at + 4], "big") + len(box) - (end - start)
        result[at : at + 4] = length.to_bytes(4, "big")
    return bytes(result)


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([(800, 13)], range(13, 33)),  # from between two key frames
        ([(400, 0), (400, 25)], [*range(10), *range(25, 35)]),
        ([(400, 20), (400, 5)], [*range(20, 30), *range(5, 15)]),
        ([(500, None), (400, 5)], range(5, 15)),  # nothing is shown at first
        ([(200, 0), (200, 0)], [*range(5)] * 2),
    ],
)
@pytest.mark.parametrize("reordered", [False, True])
def test_edit_lists(tmp_path, edits, expected, reordered) -> None:
    options = GROUPS if reordered else {**GROUPS, "bf": "0"}
    path = record(tmp_path / "a.mp4", numbered(40), "libx264", "yuv420p", options=options)
    data = path.read_bytes()
    at = data.index(b"mdhd") + 16
    unit = int.from_bytes(data[at : at + 4], "big") // 25
    first = 2 * unit * reordered  # where FFmpeg lets the first frame begin
    edits = [(length, -1 if at is None else first + at * unit) for length, at in edits]
    path.write_bytes(with_edits(data, edits))
    assert numbers(path) == list(expected)


def test_an_edit_list_that_hides_everything(tmp_path) -> None:
    path = record(tmp_path / "a.mp4", numbered(4), "libx264", "yuv420p")
    path.write_bytes(with_edits(path.read_bytes(), [(400, 10**6)]))
    with pytest.raises(DataError, match="it contains no frames"):
        read(path)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.ts", "libx264"),
        ("a.mkv", "libx264"),
        ("a.mp4", "libx264"),
        ("a.h264", "libx264"),
        ("a.avi", "mpeg4"),
    ],
)
def test_frames_before_the_first_key_frame_are_skipped(tmp_path, name, codec) -> None:
    options = GROUPS if codec == "libx264" else FINE
    path = record(tmp_path / name, numbered(40), codec, "yuv420p", start=3, options=options)
    assert numbers(path) == list(range(10, 40))


def test_gradual_refresh_has_key_frames_of_its_own(tmp_path) -> None:
    options = {"g": "10", "bf": "0", "x264-params": "scenecut=0:intra-refresh=1"}
    frames = numbered(40, 48, 64)
    path = record(tmp_path / "a.ts", frames, "libx264", "yuv420p", start=3, options=options)
    found = numbers(path)
    assert found == list(range(found[0], 40))
    assert 3 < found[0] < 24


def test_a_video_without_key_frames_is_refused(tmp_path) -> None:
    options = {"g": "400", "bf": "0", "x264-params": "scenecut=0"}
    record(tmp_path / "a.ts", numbered(40), "libx264", "yuv420p", start=3, options=options)
    with pytest.raises(DataError, match="it contains no key frame"):
        read(tmp_path / "a.ts")


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.mp4", "libx264", "yuv420p"), ("a.mkv", "ffv1", "bgr0"), ("a.mov", "png", "rgb24")],
)
def test_one_frame(tmp_path, name, codec, pixels) -> None:
    assert numbers(record(tmp_path / name, numbered(1), codec, pixels)) == [0]


def test_no_frames(tmp_path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", 25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr0"
        container.start_encoding()
    with pytest.raises(DataError, match="it ends before its first frame"):
        read(tmp_path / "a.mkv")


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p", "bgr0"])
def test_odd_sizes(tmp_path, pixels) -> None:
    y, x = np.mgrid[:33, :47]
    smooth = np.stack([5 * x, 7 * y, 128 + 2 * (x - y)], -1).clip(0, 255).astype(np.uint8)
    path = record(tmp_path / "a.mkv", [smooth], pixels=pixels)
    np.testing.assert_allclose(read(path)[0].astype(int), smooth, atol=8)


def test_times(tmp_path) -> None:
    times = [0, 1, 2, 5, 9, 10]
    path = record(tmp_path / "a.mkv", numbered(6), times=times)
    frames = list(video.read_video_with_times(path))
    assert [frame.time for frame in frames] == pytest.approx([each / 25 for each in times])
    frames = video.read_video_with_times(path, 2)
    assert [frame.time for frame in frames] == pytest.approx([0, 0.08, 0.36])


def test_all_frames_get_the_size_of_the_first(tmp_path) -> None:
    parts = []
    for height in (48, 96):
        path = tmp_path / f"{height}.ts"
        record(path, numbered(20, height, 64), "mpeg2video", "yuv420p", options={"g": "1"})
        parts.append(path.read_bytes())
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    frames = read(tmp_path / "a.ts")
    assert len(frames) >= 38
    assert frames.shape[1:] == (48, 64, 3)


def interlaced(count: int, height: int = 48) -> list[np.ndarray]:
    """A bar that moves by two pixels from field to field, the upper field first."""
    frames = []
    for number in range(count):
        image = np.full((height, 96, 3), 16, np.uint8)
        for field in (0, 1):
            left = 4 + 2 * (2 * number + field)
            image[field::2, left : left + 16] = 230
        frames.append(image)
    return frames


def combs(image: np.ndarray) -> float:
    """How much every other row differs from its neighbours."""
    rows = image[4:-4, :, 1].astype(int)
    return float(np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean())


def in_fields(path: Path, frames: list[np.ndarray], codec: str) -> Path:
    def flagged(stream: av.VideoStream) -> None:
        stream.codec_context.flags |= 0x20000000 | 0x00040000  # interlaced motion and transform

    options = {"x264-params": "tff=1"} if codec == "libx264" else {"g": "1", "qmax": "4"}
    return record(path, frames, codec, "yuv420p", of_stream=flagged, options=options)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.h264", "libx264"), ("a.ts", "mpeg2video")],
)
def test_interlaced_frames_are_deinterlaced(tmp_path, name, codec) -> None:
    frames = interlaced(12)
    assert combs(frames[0]) > 10
    shown = list(video.read_video_with_times(in_fields(tmp_path / name, frames, codec)))
    assert len(shown) == len(frames)
    assert max(combs(frame.image) for frame in shown) < 2
    if name != "a.h264":  # which has no times
        assert np.diff([frame.time for frame in shown]) == pytest.approx(0.04)
    for number, frame in enumerate(shown):  # the upper field stays where it is
        bright = np.flatnonzero(frame.image[24, :, 1] > 128)
        assert bright[[0, -1]] == pytest.approx([4 + 4 * number, 19 + 4 * number], abs=2)


def test_one_interlaced_frame(tmp_path) -> None:
    assert len(read(in_fields(tmp_path / "a.mp4", interlaced(1), "libx264"))) == 1


def test_interlaced_frames_that_change_size(tmp_path) -> None:
    parts = []
    for height in (48, 96):
        path = in_fields(tmp_path / f"{height}.ts", interlaced(16, height), "mpeg2video")
        parts.append(path.read_bytes())
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    frames = read(tmp_path / "a.ts")
    assert len(frames) >= 30
    assert frames.shape[1:] == (48, 96, 3)
    assert max(map(combs, frames)) < 2


def test_progressive_frames_are_unchanged(tmp_path) -> None:
    frames = noise(3, 16, 32, 3)
    np.testing.assert_array_equal(read(record(tmp_path / "a.mkv", frames)), frames)
