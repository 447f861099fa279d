"""Small files that claim huge sizes are refused in one line, before memory is allocated."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from ssagan_tf import limits, video
from ssagan_tf.data.layouts.clip import Picture, as_pixels
from ssagan_tf.errors import DataError
from ssagan_tf.video import mp4_header
from tests import bombs

PICTURES = {
    "large.png": bombs.png(50_000, 50_000),
    "high.png": bombs.png(1, 2**31 - 1),
    "large.jpg": bombs.jpeg(60_000, 60_000),
    "large.webp": bombs.webp(16_384, 16_384),
    "tile.tif": bombs.tiff(1 << 15),
    "large.gif": bombs.gif(20_000, 20_000),
}
VIDEOS = {
    "tables.mp4": bombs.mp4(80_000_000),
    "fragments.mp4": bombs.mp4(80_000_000, fragments=True),
    "canvas.gif": bombs.gif(60_000, 60_000),
}


def test_decompression_bombs_take_no_memory(tmp_path: Path) -> None:
    """All in one new process, so that the peak memory is theirs alone."""
    for name, content in {**PICTURES, **VIDEOS}.items():
        assert len(content) < 4096
        (tmp_path / name).write_bytes(content)
    code = """
import resource, sys
from ssagan_tf import video
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
for name in sys.argv[1].split(","):
    try: video.read_image(name)
    except video.UnreadableError as error: print(error)
for name in sys.argv[2].split(","):
    try: list(video.read_video(name))
    except video.UnreadableError as error: print(error)
print(peak() - before)
image, size = video.read_reduced("phone.jpg", 3840 * 2160)
print(image.shape, size, image.min(), image.max())
print(peak() - before)
"""
    (tmp_path / "phone.jpg").write_bytes(bombs.grey_jpeg(16_320, 12_240))
    done = subprocess.run(
        [sys.executable, "-c", code, ",".join(PICTURES), ",".join(VIDEOS)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    *lines, megabytes, phone, reduced = done.stdout.splitlines()
    assert not done.stderr
    assert phone == "(3060, 4080, 3) (12240, 16320) 128 128"  # of 200 megapixels
    assert int(reduced) < 150
    assert [line.split(":")[0].split()[-1] for line in lines] == [*PICTURES, *VIDEOS]
    assert all("may be a decompression bomb" in line for line in lines[: len(PICTURES)])
    assert all("it claims more than 16,000,000 frames" in line for line in lines[6:8])
    assert int(megabytes) < 100


def test_large_pictures_are_opened() -> None:
    """200 megapixels, as from phones, without a warning."""
    assert video.image_size(bombs.png(16_384, 12_288)) == (12_288, 16_384)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_large_pictures_are_refused_whatever_the_warnings() -> None:
    """Between the sizes of Pillow's warning and error, after a program has reset warnings."""
    assert video.image_size(bombs.png(20_000, 12_500)) == (12_500, 20_000)
    for height in (12_501, 26_000):
        with pytest.raises(ValueError, match="more than the limit of 250,000,000 pixels"):
            video.image_size(bombs.png(20_000, height))


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n",
        b'/* XPM */\nstatic char * a[] = {"1 1 1 1", "a c #000000", "a"};\n',
    ],
)
def test_formats_that_run_programs_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError, match="it is not a picture, or in an unknown format"):
        video.read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    "text",
    ["ffconcat version 1.0\nfile good.mp4\n", "#EXTM3U\n#EXTINF:1\ngood.mp4\n#EXT-X-ENDLIST\n"],
)
def test_playlists_are_refused(tmp_path: Path, text: str, noise) -> None:
    """FFmpeg would read the files that they name."""
    video.write_mp4(tmp_path / "good.mp4", noise(3, 64, 64, 3), 12)
    (tmp_path / "list.mp4").write_text(text)
    with pytest.raises(DataError, match=r"it is not a video, or in an|Invalid data"):
        list(video.read_video(tmp_path / "list.mp4"))


def test_large_and_long_videos(tmp_path: Path, noise, monkeypatch: pytest.MonkeyPatch) -> None:
    video.write_mp4(tmp_path / "a.mp4", noise(9, 64, 48, 3), 12)
    monkeypatch.setattr(limits, "VIDEO_FRAMES", 8)
    with pytest.raises(DataError, match="damaged after 8 frames: it has more than 8 frames"):
        list(video.read_video(tmp_path / "a.mp4"))
    monkeypatch.setattr(limits, "VIDEO_PIXELS", 64 * 48 - 1)
    with pytest.raises(DataError, match="its frames of 48×64 pixels are too large"):
        list(video.read_video(tmp_path / "a.mp4"))


def test_claims_of_an_mp4(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bombs.mp4(16_000_000))
    mp4_header.check(path)  # a permitted claim, true or not
    for samples, fragments in ((16_000_001, False), (16_000_001, True), (2**32 - 1, True)):
        content = bombs.mp4(samples, fragments)
        at = content.index(b"moov") - 4
        long = content[:at] + struct.pack(">I4sQ", 1, b"moov", 2**62) + content[at + 8 :]
        nested = bombs.mp4(1).replace(b"mdat", b"udta")[:-1000] + content[at:]
        for each in (content, long, nested):
            path.write_bytes(each)
            with pytest.raises(ValueError, match="it claims more than 16,000,000 frames"):
                mp4_header.check(path)
    path.write_bytes(content.replace(b"stsd", b"cmov"))
    with pytest.raises(ValueError, match="tables are compressed"):
        mp4_header.check(path)
    with path.open("wb") as file:
        file.write(struct.pack(">I4s", 2**31, b"moov"))
        file.truncate(2**31)  # sparse
    with pytest.raises(ValueError, match="bytes of tables"):
        mp4_header.check(path)


SOUND = b"soun"
DISGUISE = bombs.box(
    b"free",
    bombs.box(b"trak", bombs.full(b"hdlr", bytes(4), SOUND), bombs.full(b"stts", 1, 1, 1)),
)
SYNC = bombs.full(b"sbgp", b"sync", 1, 1, 1)
MANY = struct.pack(">I", 20_000_000)


@pytest.mark.parametrize(
    "content",
    [
        bombs.mp4(2**31 - 1, kind=SOUND, chunks=80),
        bombs.mp4(20_000_000, kind=SOUND, more=bombs.full(b"ctts", 1, 1, 1)),
        bombs.mp4(20_000_000, kind=SOUND).replace(b"stts", b"free"),
        bombs.mp4(20_000_000, more=DISGUISE),
        bombs.mp4(20_000_000).replace(b"moov", b"hoov"),
        bombs.mp4(20_000_000).replace(b"moov", b"free"),
        bombs.mp4(20_000_000).replace(b"moov", b"dinf"),
        bombs.mp4(1_000_000, edits=20),
        bombs.mp4(1) + bombs.box(b"iloc", b"\2\0\0\0\x44\0" + MANY),
        bombs.mp4(1) + bombs.box(b"iinf", b"\1\0\0\0" + MANY),
        bombs.mp4(1, more=bombs.full(b"ctts", 1, MANY, 1) + SYNC).replace(b"jpeg", b"hvc1"),
        bombs.box(b"moov", bombs.box(b"stsz")) + bombs.box(b"mdat", MANY),
    ],
    ids=[
        *("chunks", "offsets", "no_times", "disguise", "hoov", "free", "dinf", "edits"),
        *("iloc", "iinf", "runs", "short"),
    ],
)
def test_ways_to_claim_too_much(tmp_path: Path, content: bytes) -> None:
    """Small files with tables that FFmpeg expands, everywhere it looks for boxes."""
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(ValueError, match="it claims more than 16,000,000 frames"):
        mp4_header.check(tmp_path / "a.mp4")


def test_runs_beyond_their_box(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bombs.mp4(1, more=bombs.full(b"ctts", 100, 1, 1) + SYNC))
    with pytest.raises(ValueError, match="tables are longer than their boxes"):
        mp4_header.check(path)
    path.write_bytes(bombs.mp4(3, more=bombs.full(b"ctts", 2, 1, 1, 2, 0) + SYNC))
    mp4_header.check(path)


@pytest.mark.parametrize("chunks", [1, 40])
def test_uncompressed_audio_is_not_counted(tmp_path: Path, chunks: int) -> None:
    """Each tick is a sample there: 400 seconds have 19.2 million."""
    path = tmp_path / "a.mp4"
    path.write_bytes(bombs.mp4(19_200_000, kind=SOUND, chunks=chunks))
    mp4_header.check(path)
    with av.open(path) as container:
        assert len(container.streams[0].index_entries) <= chunks * 19_200_000 / 1024


@pytest.mark.parametrize(
    "head",
    [
        b"\x1aE\xdf\xa3\xa3B\x86\x81",
        b"RIFFabcdAVI ",
        b"nut/multimedia container\0",
        bombs.box(b"ftyp", b"isom") + struct.pack(">I4s", 2**31, b"free"),
    ],
    ids=["matroska", "avi", "nut", "free"],
)
def test_limit_is_for_mp4_only(tmp_path: Path, head: bytes) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.write(head)
        file.truncate(2**31)  # sparse
    mp4_header.check(tmp_path / "a")


def test_clips_as_pixels() -> None:
    legal = np.broadcast_to(np.uint8(0), (4320, 7680, 3))
    assert as_pixels(Picture(legal)) is legal
    large = np.broadcast_to(np.uint8(0), (13_000, 13_000, 3))
    with pytest.raises(DataError, match="32 frames of 13000×13000 are too large"):
        as_pixels(Picture(large))


def test_files_that_are_too_large_or_never_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.truncate(limits.PICTURE_BYTES + 1)
    with pytest.raises(ValueError, match="more than 1,000 bytes"):
        limits.read_bytes(path, 1000)
    path.unlink()
    os.mkfifo(path)
    for read in (video.read_image, lambda path: list(video.read_video(path))):
        with pytest.raises(DataError, match="is not a regular file"):
            read(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(DataError, match="is not a regular file"):
        video.read_image(path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 5000 + "]" * 5000, "nested too deeply"),
        ('{"a":' * 100_000, "more than|nested too deeply"),
        ("[" + "0," * 20_000 + "0]", "more than 10,000 values"),
        ('"\\ud800"', "surrogates"),
        ("1" * 5000, "."),
    ],
)
def test_json(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        limits.parse_json(text)
    assert limits.parse_json(json.dumps(["😀", {"a": 1.5}])) == ["😀", {"a": 1.5}]
