"""What the page makes of photos, within bounds; a stand-in for the generator drifts the photo."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ssagan_tf import video
from ssagan_tf.demo_page import maker as making
from ssagan_tf.demo_page.maker import Maker, VisitorError
from ssagan_tf.errors import DataError
from ssagan_tf.options import ComputeOptions, MotionOptions
from ssagan_tf.web.temporary_files import TemporaryFiles
from tests.sample_photos import Drift, landscape, plain

SHORT = MotionOptions(seconds=2, fps=5)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; files may be written only in its folder `room`."""
    (tmp_path / "room").mkdir()
    monkeypatch.chdir(tmp_path)
    video.write_image("photo.png", landscape())
    return tmp_path


@pytest.fixture
def animate(place: Path) -> Callable[..., tuple[Path, Path]]:
    room = TemporaryFiles(place / "room", 3600.0, 2**30)
    models: Any = {"drift": SimpleNamespace(load=lambda compute: Drift())}
    maker = Maker(models, ComputeOptions(), room, 12.0)

    def make(photo="photo.png", mask="", options=SHORT, report=lambda done: None):
        mp4, picture = maker.animate(photo, mask, "drift", options, report)
        return Path(mp4), Path(picture)

    return make


def test_a_photo_moves_at_its_own_size(animate, place: Path) -> None:
    told: list[float] = []
    mp4, picture = animate(report=told.append)
    frames = np.stack(list(video.read_video(mp4)))
    assert frames.shape == (10, 60, 98, 3)
    assert (mp4.name, mp4.parent.parent) == ("photo.mp4", place / "room")
    assert told == sorted(told)
    assert told[-1] == 1.0
    found = video.read_image(picture)
    assert found.shape == (60, 97, 3)
    assert found[:30].mean() > 200
    assert found[-10:].max() == 0
    assert {path.name for path in place.iterdir()} == {"photo.png", "room"}


def test_a_mask_says_what_moves(animate) -> None:
    """At another size than the photo, as painted masks are."""
    painted = np.zeros((120, 194, 3), np.uint8)
    painted[:60, :80] = 255
    video.write_image("mask.png", painted)
    mp4, picture = animate(mask="mask.png")
    used = video.read_image(picture)[..., 0] > 0
    assert 0.15 < used.mean() < 0.25
    change = np.ptp(np.stack(list(video.read_video(mp4))).astype(int), axis=0).max(axis=2)
    assert change[:30, :40].mean() > 10 * change[:30, 50:].mean()


def test_a_heic_photo_if_the_extra_is_installed(animate, place: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra 'heic' is not installed")
    heif.from_pillow(Image.fromarray(landscape())).save(place / "photo.heic")
    assert video.read_image(animate(photo="photo.heic")[1]).shape == (60, 97, 3)


def test_the_preview_of_the_mask_is_small(animate, monkeypatch) -> None:
    monkeypatch.setattr(making, "MASK_SIDE", 20)
    assert video.read_image(animate()[1]).shape == (12, 20, 3)


def _large() -> None:
    Image.new("L", (9000, 8000)).save("bad.png")


def _claiming(width: int, height: int) -> bytes:
    """An empty PNG that claims a size."""
    parts = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT", b"IEND")
    chunks = (
        struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part))
        for part in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


UNUSABLE = {
    "no photo": (
        lambda: Path("bad.png").write_bytes(b"no"),
        {"photo": "bad.png"},
        "please use a JPEG",
    ),
    "empty": (
        lambda: Path("bad.png").touch(),
        {"photo": "bad.png"},
        "^the file is empty; please use a",
    ),
    "an iPhone's": (
        lambda: Path("bad.png").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        {"photo": "bad.png"},
        "^this HEIC photo cannot be read on this server; please use a JPEG",
    ),
    "AVIF": (
        lambda: Path("bad.png").write_bytes(b"\0\0\0\x1cftypavif\0\0\0\0mif1"),
        {"photo": "bad.png"},
        "^this AVIF photo cannot be read",
    ),
    "a video": (
        lambda: Path("bad.png").write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0mp42"),
        {"photo": "bad.png"},
        "^this is a video; please use a JPEG",
    ),
    "far too large": (
        lambda: Path("bad.png").write_bytes(_claiming(20_000, 10_000)),
        {"photo": "bad.png"},
        "the limit is 64 megapixels",
    ),
    "a bomb": (
        lambda: Path("bad.png").write_bytes(_claiming(100_000, 100_000)),
        {"photo": "bad.png"},
        "the limit is 64 megapixels",
    ),
    "too large": (_large, {"photo": "bad.png"}, "the limit is 64 megapixels"),
    "cut": (
        lambda: Path("bad.png").write_bytes(Path("photo.png").read_bytes()[:2000]),
        {"photo": "bad.png"},
        "^the photo cannot be read: ",
    ),
    "fog": (
        lambda: video.write_image("bad.png", plain(180, 185, 190)),
        {"photo": "bad.png"},
        "^nothing would move: .*smooth as fog",
    ),
    "a black mask": (
        lambda: video.write_image("bad.png", plain(0, 0, 0)),
        {"mask": "bad.png"},
        "^nothing would move: the mask is black, but white",
    ),
    "a mask of another photo": (
        lambda: video.write_image("bad.png", np.full((60, 60, 3), 255, np.uint8)),
        {"mask": "bad.png"},
        "^the mask does not fit the photo: its size 60×60",
    ),
    "no mask": (
        lambda: Path("bad.png").write_bytes(b"no"),
        {"mask": "bad.png"},
        "please use a JPEG",
    ),
    "long": (
        lambda: None,
        {"options": MotionOptions(seconds=16)},
        "^the limit is 15 seconds, not 16",
    ),
}


@pytest.mark.parametrize(("prepare", "given", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_input_gets_a_reason(animate, place: Path, prepare, given, why: str) -> None:
    prepare()
    with pytest.raises(VisitorError, match=why) as error:
        animate(**given)
    assert "bad.png" not in str(error.value)
    assert "\n" not in str(error.value)
    assert not list((place / "room").iterdir())


@pytest.mark.parametrize("error", [VisitorError("too long"), DataError("full"), KeyError("a bug")])
def test_a_failure_leaves_no_files(animate, place: Path, error: Exception) -> None:
    def report(done: float) -> None:
        raise error

    with pytest.raises(type(error)):
        animate(report=report)
    assert not list((place / "room").iterdir())


def test_timeout(animate, place: Path, monkeypatch) -> None:
    monkeypatch.setattr(making, "TIMEOUT", 0.0)
    with pytest.raises(VisitorError, match="this takes too long"):
        animate()
    assert not list((place / "room").iterdir())
