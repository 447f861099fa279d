"""Photos of all kinds are read as their formats' standards say they should be displayed."""

from __future__ import annotations

import io
import struct
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from ssagan_tf import video
from ssagan_tf.video import pictures
from tests import colours

# Colours from grey to those that sRGB does not have.
PATCHES = np.array(
    [
        [[200, 100, 50], [20, 220, 40], [255, 0, 0], [128, 128, 128]],
        [[3, 2, 4], [255, 255, 255], [90, 60, 200], [10, 40, 20]],
    ],
    np.uint8,
)
GREYS = np.array([[0, 1, 5, 20, 64, 128, 200, 255]], np.uint8)


def saved(image: Image.Image | np.ndarray, kind: str = "PNG", **how: Any) -> bytes:
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def jpeg(image: Image.Image | np.ndarray, **how: Any) -> bytes:
    return saved(image, "JPEG", quality=100, subsampling=0, **how)


def with_chunks(png: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Adds chunks after the header of a PNG."""
    more = b""
    for kind, data in chunks:
        checksum = zlib.crc32(kind + data)
        more += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
    return png[:33] + more + png[33:]


def png16(values: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """A 16-bit PNG of `[H, W]` or `[H, W, 3]`, which Pillow cannot write."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png(width, height, 16, 2 if values.ndim == 3 else 0, rows, *chunks)


def png(width: int, height: int, bits: int, kind: int, rows: bytes, *chunks) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    parts = ((b"IHDR", head), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + with_chunks(bytes(33), *parts)[33:]


def tiff(values: np.ndarray, photometric: int, bits: int, width: int = 0) -> bytes:
    """Uncompressed, little-endian."""
    data = values.tobytes()
    height, width = len(values), width or values.shape[1]
    samples = values.shape[2] if values.ndim == 3 else 1
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 0}
    tags |= {277: samples, 278: height, 279: len(data)}
    where = 8 + 2 + 12 * len(tags) + 4
    tags[273] = where + (8 if samples > 1 else 0)
    directory = b""
    for tag, value in tags.items():
        if tag == 258 and samples > 1:
            directory += struct.pack("<HHII", tag, 3, samples, where)
        else:
            directory += struct.pack("<HHII", tag, 4, 1, value)
    lengths = struct.pack(f"<{samples}H", *samples * [bits]).ljust(8, b"\0") if samples > 1 else b""
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + directory + bytes(4) + lengths + data


def adobe_exif() -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 65535
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    return exif.tobytes()


def from_p3(values: np.ndarray = PATCHES) -> np.ndarray:
    return colours.shown(colours.light(values / 255) @ np.transpose(colours.FROM_P3))


def from_adobe(values: np.ndarray = PATCHES) -> np.ndarray:
    return colours.shown((values / 255) ** (563 / 256) @ np.transpose(colours.FROM_ADOBE))


def of_light(of: np.ndarray) -> np.ndarray:
    """sRGB levels of grey linear light in [0, 1]."""
    return np.repeat(colours.shown(of)[..., None], 3, -1)


def opaque(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.dstack([values, alpha])


P3 = {"icc_profile": colours.rgb_profile(colours.P3)}
ADOBE = {"icc_profile": colours.rgb_profile(colours.ADOBE, 563 / 256)}
SRGB_CHROMA = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
P3_CHROMA = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
ALPHA = np.array([[255, 128, 0, 255], [255, 255, 64, 255]], np.uint8)
BIG = np.kron(PATCHES, np.ones((8, 8, 1), np.uint8))  # for what JPEG blurs
CORNERS = np.array([[0, 0, 0]] * 16, np.float64).reshape(2, 2, 2, 2, 3)
CORNERS[0, 0, 0, 0], CORNERS[1, 0, 0, 0] = (100, 0, 0), (60, -30, -40)  # paper, cyan
CORNERS[0, 1, 0, 0], CORNERS[0, 0, 1, 0] = (48, 70, -3), (88, -5, 80)
CORNERS[1, 0, 1, 0] = (50, -60, 25)
INKS = np.zeros((1, 6, 4), np.uint8)
INKS[0, 1, 0] = INKS[0, 2, 1] = INKS[0, 3, 2] = INKS[0, 4, 0] = INKS[0, 4, 2] = INKS[0, 5, 3] = 255
PRINTED = np.array(
    [[[100, 0, 0], [60, -30, -40], [48, 70, -3], [88, -5, 80], [50, -60, 25], [0] * 3]]
)

RIGHT = {
    "Display P3, PNG": (lambda: saved(PATCHES, **P3), from_p3),
    "Display P3, TIFF": (lambda: saved(PATCHES, "TIFF", **P3), from_p3),
    "Display P3, WebP": (lambda: saved(PATCHES, "WEBP", lossless=True, **P3), from_p3),
    "Display P3, JPEG": (lambda: jpeg(BIG, **P3), lambda: from_p3(BIG)),
    "Adobe RGB": (lambda: saved(PATCHES, **ADOBE), from_adobe),
    "Adobe RGB by EXIF": (lambda: jpeg(BIG, exif=adobe_exif()), lambda: from_adobe(BIG)),
    "P3 in a palette": (
        lambda: saved(Image.fromarray(PATCHES).quantize(8), **P3),
        lambda: from_p3(np.asarray(Image.fromarray(PATCHES).quantize(8).convert("RGB"))),
    ),
    "P3 with alpha": (
        lambda: saved(opaque(PATCHES, ALPHA), **P3),
        lambda: from_p3() * ALPHA[..., None] / 255,
    ),
    "P3 of greys": (lambda: saved(GREYS, **ADOBE), lambda: of_light((GREYS / 255) ** (563 / 256))),
    "grey": (
        lambda: saved(GREYS, icc_profile=colours.grey_profile(1.8)),
        lambda: of_light((GREYS / 255) ** (461 / 256)),
    ),
    "grey with alpha": (
        lambda: saved(np.dstack([GREYS, 255 - GREYS]), icc_profile=colours.grey_profile(1.8)),
        lambda: of_light((GREYS / 255) ** (461 / 256)) * (255 - GREYS[..., None]) / 255,
    ),
    "grey of 16 bits": (
        lambda: saved(
            Image.fromarray(GREYS.astype(np.uint16) * 257), icc_profile=colours.grey_profile(1.8)
        ),
        lambda: of_light((GREYS / 255) ** (461 / 256)),
    ),
    "CMYK, TIFF": (
        lambda: saved(
            Image.fromarray(INKS, "CMYK"), "TIFF", icc_profile=colours.cmyk_profile(CORNERS)
        ),
        lambda: colours.from_lab(PRINTED),
    ),
    "CMYK, JPEG": (
        lambda: jpeg(
            Image.fromarray(np.kron(INKS, np.ones((8, 8, 1), np.uint8)), "CMYK"),
            icc_profile=colours.cmyk_profile(CORNERS),
        ),
        lambda: np.kron(colours.from_lab(PRINTED), np.ones((8, 8, 1))),
    ),
    "CMYK without a profile": (
        lambda: jpeg(Image.fromarray(np.full((8, 8, 4), (255, 51, 0, 102), np.uint8), "CMYK")),
        lambda: np.full((8, 8, 3), (0, 255 * 0.8 * 0.6, 255 * 0.6)),
    ),
    "CIELAB": (
        lambda: tiff(np.int8([[[127, 40, -30], [-128, 0, 0]]]).view(np.uint8), 8, 8),
        lambda: colours.from_lab([[[127 / 2.55, 40, -30], [128 / 2.55, 0, 0]]]),
    ),
    "a profile of other pixels": (
        lambda: saved(PATCHES, icc_profile=colours.grey_profile(1.0)),
        lambda: PATCHES,
    ),
    "a broken profile": (lambda: saved(PATCHES, icc_profile=b"no profile"), lambda: PATCHES),
    "half a profile": (
        lambda: saved(PATCHES, icc_profile=P3["icc_profile"][:300]),
        lambda: PATCHES,
    ),
    "gAMA of light": (
        lambda: with_chunks(saved(PATCHES), (b"gAMA", struct.pack(">I", 100_000))),
        lambda: colours.shown(PATCHES / 255),
    ),
    "gAMA of light, 16 bits": (
        lambda: png16(GREYS.astype(np.uint16) * 25, (b"gAMA", struct.pack(">I", 100_000))),
        lambda: of_light(GREYS * (25 / 65535)),
    ),
    "gAMA for sRGB": (
        lambda: with_chunks(saved(PATCHES), (b"gAMA", struct.pack(">I", 45_455))),
        lambda: PATCHES,
    ),
    "gAMA and cHRM for sRGB": (
        lambda: with_chunks(
            saved(PATCHES), (b"gAMA", struct.pack(">I", 45_455)), (b"cHRM", SRGB_CHROMA)
        ),
        lambda: PATCHES,
    ),
    "cHRM of P3": (lambda: with_chunks(saved(PATCHES), (b"cHRM", P3_CHROMA)), from_p3),
    "cHRM of nothing": (lambda: with_chunks(saved(PATCHES), (b"cHRM", bytes(32))), lambda: PATCHES),
    "sRGB before gAMA": (
        lambda: with_chunks(
            saved(PATCHES), (b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))
        ),
        lambda: PATCHES,
    ),
    "cICP of P3 before a profile": (
        lambda: with_chunks(saved(PATCHES, **ADOBE), (b"cICP", bytes([12, 13, 0, 1]))),
        from_p3,
    ),
    "cICP of sRGB before a profile": (
        lambda: with_chunks(saved(PATCHES, **ADOBE), (b"cICP", bytes([1, 13, 0, 1]))),
        lambda: PATCHES,
    ),
    "cICP of PQ": (
        lambda: with_chunks(saved(GREYS // 2), (b"cICP", bytes([9, 16, 0, 1]))),
        lambda: of_light(colours.pq(GREYS // 2 / 255) / 203),  # all below 3/4 of diffuse white
    ),
    "cICP of HLG": (
        lambda: with_chunks(saved(GREYS // 2), (b"cICP", bytes([9, 18, 0, 1]))),
        lambda: of_light(1000 / 203 * ((GREYS // 2 / 255) ** 2 / 3) ** 1.2),
    ),
    "cICP of light": (
        lambda: with_chunks(saved(PATCHES), (b"cICP", bytes([1, 8, 0, 1]))),
        lambda: colours.shown(PATCHES / 255),
    ),
    "RGB of 16 bits, PNG": (
        lambda: png16(PATCHES.astype(np.uint16) * 256 + 40),
        lambda: (PATCHES * 256.0 + 40) / 257,
    ),
    "RGB of 16 bits, TIFF": (
        lambda: tiff(PATCHES.astype("<u2") * 257, 2, 16),
        lambda: PATCHES,
    ),
    "grey of 16 bits, TIFF": (
        lambda: tiff(GREYS.astype("<u2") * 257, 1, 16),
        lambda: np.repeat(GREYS[..., None], 3, -1),
    ),
    "a negative of 16 bits": (
        lambda: tiff(65535 - GREYS.astype("<u2") * 257, 0, 16),
        lambda: np.repeat(GREYS[..., None], 3, -1),
    ),
    "a key of 16 bits": (
        lambda: png16(GREYS.astype(np.uint16) * 257, (b"tRNS", struct.pack(">H", 200 * 257))),
        lambda: np.repeat(np.where(GREYS == 200, 0, GREYS)[..., None], 3, -1),
    ),
    "a colour key of 16 bits": (
        lambda: png16(
            PATCHES.astype(np.uint16) * 257,
            (b"tRNS", struct.pack(">3H", 20 * 257, 220 * 257, 40 * 257)),
        ),
        lambda: PATCHES * (PATCHES != (20, 220, 40)).any(-1, keepdims=True),
    ),
    "a key of 2 bits": (
        lambda: png(4, 1, 2, 0, b"\0\x1b", (b"tRNS", b"\0\2")),
        lambda: np.repeat(np.array([[0, 85, 0, 255]])[..., None], 3, -1),
    ),
    "grey with alpha of 16 bits": (
        lambda: png(1, 1, 16, 4, b"\0" + struct.pack(">2H", 40_000, 32_768)),
        lambda: np.full((1, 1, 3), 40_000 / 257 / 2),
    ),
    "12 bits, TIFF": (
        lambda: tiff(np.uint8([[0, 0x03, 0xE8, 0x80, 0x0F, 0xFF]]), 1, 12, width=4),
        lambda: np.repeat(np.array([[0, 1000, 2048, 4095]])[..., None] * 255 / 4095, 3, -1),
    ),
    "16 bits, JPEG 2000": (
        lambda: saved(Image.fromarray(GREYS.astype(np.uint16) * 257), "JPEG2000"),
        lambda: np.repeat(GREYS[..., None], 3, -1),
    ),
    "a palette with transparency": (
        lambda: saved(Image.fromarray(GREYS).convert("P"), transparency=bytes([0, 255, 0, 255])),
        lambda: np.repeat(np.where(GREYS == 0, 0, GREYS)[..., None], 3, -1),
    ),
    "1 bit": (
        lambda: saved(Image.fromarray(GREYS > 100)),
        lambda: np.repeat(np.where(GREYS > 100, 255, 0)[..., None], 3, -1),
    ),
    "JPEG 2000": (lambda: saved(BIG, "JPEG2000"), lambda: BIG),
    "a GIF with transparency": (
        lambda: saved(Image.fromarray(GREYS), "GIF", transparency=128),
        lambda: np.repeat(np.where(GREYS == 128, 0, GREYS)[..., None], 3, -1),
    ),
}


@pytest.mark.parametrize(("make", "right"), RIGHT.values(), ids=RIGHT)
def test_colours_follow_the_profile_of_the_file(make, right) -> None:
    found = video.decode_image(make())
    assert found.flags.writeable
    np.testing.assert_allclose(found, right(), atol=2.0)


# Kinds of files.

NOISE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
OTHER = 255 - NOISE
QUARTER = {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"}
TURNED = np.ascontiguousarray(np.rot90(NOISE))  # as a camera held upright stores it


def frames(kind: str, **how: Any) -> bytes:
    return saved(NOISE, kind, save_all=True, append_images=[Image.fromarray(OTHER)], **how)


def mpo() -> bytes:
    buffer = io.BytesIO()
    second = Image.fromarray(255 - BIG)
    Image.fromarray(BIG).save(
        buffer, "MPO", save_all=True, append_images=[second], quality=100, subsampling=0
    )
    return buffer.getvalue()


def malformed_mpo() -> bytes:
    data = mpo()
    at = data.index(b"MPF\0")
    return data[: at + 12] + b"\xff" * 8 + data[at + 20 :]


def broken_exif() -> dict[str, bytes]:
    return {"exif": b"Exif\0\0" + b"no TIFF"}


KINDS = {
    "MPO": (mpo, BIG, 2),
    "MPO with a broken index": (malformed_mpo, BIG, 2),
    "animated PNG": (lambda: frames("PNG"), NOISE, 0),
    "animated PNG with another picture before": (
        lambda: frames("PNG", default_image=True),
        NOISE,
        0,
    ),
    "animated WebP": (lambda: frames("WEBP", lossless=True), NOISE, 0),
    "animated GIF": (
        lambda: saved(
            Image.fromarray(GREYS), "GIF", save_all=True, append_images=[Image.fromarray(GREYS.T)]
        ),
        np.repeat(GREYS[..., None], 3, -1),
        0,
    ),
    "TIFF of pages": (lambda: frames("TIFF"), NOISE, 0),
    "AVIF": (lambda: saved(BIG, "AVIF", quality=100, subsampling="4:4:4"), BIG, 3),
    "animated AVIF": (
        lambda: saved(
            BIG, "AVIF", save_all=True, append_images=[Image.fromarray(255 - BIG)], quality=100
        ),
        None,
        0,
    ),
    "AVIF of P3 by its numbers": (
        lambda: saved(BIG, "AVIF", quality=100, subsampling="4:4:4").replace(
            b"colrnclx\0\1", b"colrnclx\0\x0c"
        ),
        from_p3(BIG),
        6,
    ),
    "turned PNG": (lambda: saved(TURNED, **QUARTER), NOISE, 0),
    "turned WebP": (lambda: saved(TURNED, "WEBP", lossless=True, **QUARTER), NOISE, 0),
    "turned TIFF": (lambda: saved(TURNED, "TIFF", tiffinfo={274: 6}), NOISE, 0),
    "turned AVIF": (
        lambda: saved(np.rot90(BIG), "AVIF", quality=100, subsampling="4:4:4", **QUARTER),
        BIG,
        3,
    ),
    "turned JPEG": (lambda: jpeg(np.rot90(BIG), **QUARTER), BIG, 2),
    "broken EXIF": (lambda: jpeg(BIG, **broken_exif()), BIG, 2),
    "broken EXIF in a PNG": (lambda: saved(NOISE, **broken_exif()), NOISE, 0),
    "more behind the picture": (lambda: jpeg(BIG) + bytes(100), BIG, 2),
}


@pytest.mark.parametrize(("make", "right", "within"), KINDS.values(), ids=KINDS)
def test_formats(
    make, right, within: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever the suffix; the first of several pictures; and without a warning."""
    path = tmp_path / "photo.bmp"
    path.write_bytes(make())
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = video.read_image(path)
    assert not warned
    if right is not None:
        np.testing.assert_allclose(found.astype(int), right, atol=within)
    assert capfd.readouterr() == ("", "")


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


def raw_photo() -> bytes:
    return saved(NOISE, "TIFF", tiffinfo={254: 1})


UNREADABLE = {
    "empty": (lambda: b"", "it is empty"),
    "HEIC": (
        lambda: HEIC,
        r"it is a HEIC photo, but pillow_heif is not installed; pip install 'ssagan_tf\[heic\]'",
    ),
    "HEIC by its second brand": (
        lambda: HEIC.replace(b"heic\0", b"mif1\0"),
        "it is a HEIC photo, but ",
    ),
    "raw": (raw_photo, "it is a raw photo, or begins with a preview; convert it to JPEG or PNG"),
    "20 colours": (
        lambda: tiff(np.zeros((2, 2, 20), np.uint8), 2, 8),
        "unknown format; .* or TIFF",
    ),
    "text": (lambda: b"no picture", "in an unknown format; use a JPEG, PNG, WebP or TIFF"),
    "floats": (
        lambda: saved(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF"),
        "an unknown range; convert it to 8 or 16 bits",
    ),
    "32 bits": (
        lambda: saved(Image.fromarray(np.zeros((2, 2), np.int32)), "TIFF"),
        "an unknown range; convert it to 8 or 16 bits",
    ),
    "half a JPEG": (lambda: jpeg(BIG)[:-200], "[Tt]runcated"),
    "half a PNG": (lambda: saved(BIG)[:-60], "."),
    "half an AVIF": (lambda: saved(BIG, "AVIF")[:-30], "."),
    "half a WebP": (lambda: saved(BIG, "WEBP")[:-30], "."),
    "half a TIFF": (lambda: saved(BIG, "TIFF")[:600], "."),
    "half a GIF": (lambda: saved(BIG, "GIF")[:-100], "."),
}


@pytest.mark.parametrize(("make", "why"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_pictures_get_one_line(
    make, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "photo.jpg"
    path.write_bytes(make())
    with pytest.raises(video.UnreadableError, match=why) as error:
        video.read_image(path)
    line = str(error.value)
    assert line.startswith(f"cannot read the image {path}: ")
    assert "\n" not in line
    assert line.endswith("use a JPEG, PNG, WebP or TIFF") == (why.endswith("or TIFF"))
    assert not caplog.records


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_heic(turned: bool, numbers: bool) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener(thumbnails=False)
    image = np.rot90(BIG) if turned else BIG
    how = {} if numbers else P3
    data = saved(image, "HEIF", quality=100, chroma=444, **(QUARTER if turned else {}), **how)
    if numbers:
        data = data.replace(b"colrnclx\0\1", b"colrnclx\0\x0c")
    found = video.decode_image(data)
    # Lossy in YCbCr of 8 bits; that the profile counts shows: it is up to 40 levels.
    np.testing.assert_allclose(found, from_p3(BIG), atol=6)


# Large ones.


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("turned", [False, True])
def test_large_photos_are_reduced_while_they_are_read(
    tmp_path: Path, kind: str, turned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By averaging whole blocks, independently of the bands of conversion."""
    monkeypatch.setattr(pictures, "_BAND", 200)
    fine = np.kron(PATCHES, np.ones((15, 18, 1), np.uint8))
    path = tmp_path / "photo"
    exif = QUARTER if turned else {}
    how = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    path.write_bytes(saved(np.rot90(fine) if turned else fine, kind, **how, **exif))
    whole, size = video.read_reduced(path, 72 * 30 // 3)
    assert (whole.shape, size) == ((30, 72, 3), (30, 72))
    np.testing.assert_array_equal(whole, video.read_image(path))
    image, size = video.read_reduced(path, 72 * 30 // 4)
    assert (image.shape, size) == ((15, 36, 3), (30, 72))
    assert np.abs(image - fine.reshape(15, 2, 36, 2, 3).mean((1, 3))).mean() < 2
    image, size = video.read_reduced(path, 72 * 30 // 30)
    assert image.shape == ((8, 18, 3) if kind == "JPEG" else (6, 15, 3))
    few, _ = video.read_reduced(path, 1)
    assert few.size >= 3


PLAIN = {
    "JPEG": (lambda: jpeg(BIG), True),
    "sRGB by a profile": (
        lambda: jpeg(
            BIG, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        ),
        True,
    ),
    "grey": (lambda: saved(GREYS), True),
    "P3": (lambda: jpeg(BIG, **P3), False),
    "turned": (lambda: jpeg(BIG, **QUARTER), False),
    "turned PNG": (lambda: saved(NOISE, **QUARTER), False),
    "alpha": (lambda: saved(opaque(PATCHES, ALPHA)), False),
    "16 bits": (lambda: png16(GREYS.astype(np.uint16)), False),
    "CMYK": (lambda: jpeg(Image.fromarray(INKS, "CMYK")), False),
    "gamma": (lambda: with_chunks(saved(PATCHES), (b"gAMA", struct.pack(">I", 100_000))), False),
}


@pytest.mark.parametrize(("make", "plain"), PLAIN.values(), ids=PLAIN)
def test_is_plain(make, plain: bool) -> None:
    with video.open_image(io.BytesIO(make())) as image:
        assert video.is_plain(image) is plain


def test_warnings_are_restored_when_the_last_picture_is_closed() -> None:
    """Filters are process-wide, and threads end in another order than they started."""
    before = list(warnings.filters)
    first, second = video.open_image(io.BytesIO(saved(NOISE))), video.open_image(io.BytesIO(mpo()))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    with warnings.catch_warnings(record=True) as warned:
        warnings.warn_explicit("tags", UserWarning, "x.py", 1, "PIL.TiffImagePlugin")
    assert not warned
    second.__exit__(None, None, None)
    assert list(warnings.filters) == before
