"""Photo files in many formats, valid and invalid."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from ssagan_tf.skies.any_wind import synthetic_clip


def photo(size: tuple[int, int] = (61, 47)) -> Image.Image:
    """Returns smooth clouds with some noise."""
    sky = Image.fromarray(synthetic_clip(0, 0, 64, frames=1)[0]).resize(size)
    grain = np.random.default_rng(0).integers(-20, 20, np.asarray(sky).shape)
    return Image.fromarray((np.asarray(sky) + grain).clip(0, 255).astype("uint8"))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def sixteen_bits() -> bytes:
    values = np.linspace(0, 65535, 61 * 47).reshape(47, 61).astype("uint16")
    return encoded(Image.fromarray(values), "PNG")


def transparent() -> Image.Image:
    image = photo().convert("RGBA")
    image.putalpha(Image.fromarray(np.linspace(0, 255, 61 * 47).reshape(47, 61).astype("uint8")))
    return image


GOOD = {
    "jpeg": encoded(photo(), "JPEG", quality=90),
    "jpeg, full chroma": encoded(photo(), "JPEG", subsampling=0),
    "jpeg, progressive": encoded(photo(), "JPEG", progressive=True),
    "jpeg, grey": encoded(photo().convert("L"), "JPEG"),
    "png": encoded(photo(), "PNG"),
    "png, grey": encoded(photo().convert("L"), "PNG"),
    "png, palette": encoded(photo().quantize(32), "PNG"),
    "png, transparent": encoded(transparent(), "PNG"),
    "png, 16 bits": sixteen_bits(),
    "one pixel": encoded(photo((1, 1)), "PNG"),
    "very long": encoded(photo((900, 3)), "PNG"),
}


def bomb(side: int) -> bytes:
    """Returns a small PNG file with an enormous image size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    packer = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


JPEG, PNG = GOOD["jpeg"], GOOD["png"]
BAD = {
    "nothing": b"",
    "no picture": b"a text, and not a short one at that, about a picture",
    "gif": encoded(photo(), "GIF"),
    "webp": encoded(photo(), "WEBP"),
    "truncated jpeg": JPEG[: len(JPEG) // 2],
    "head of a jpeg": JPEG[:20],
    "truncated png": PNG[: len(PNG) // 2],
    "head of a png": PNG[:20],
    "header of a png": PNG[:40],
    "png of zero width": PNG[:16] + bytes(4) + PNG[20:],
    "png of negative height": PNG[:20] + b"\xff" * 4 + PNG[24:],
    "png bomb": bomb(20_000),
    "jpeg larger than allowed": encoded(Image.new("RGB", (1100, 1000)), "JPEG"),
}
