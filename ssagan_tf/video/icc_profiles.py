"""The colour space of a picture as an ICC profile, and the conversion to sRGB.

Colours described in other ways (chunks of a PNG, EXIF, code points of ITU-T H.273) are turned into
a profile as well, so that one library, LittleCMS, converts them all.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
import struct

import numpy as np
from PIL import ExifTags, Image, ImageCms

from ssagan_tf.video import tone_mapping
from ssagan_tf.video.primaries import BT709, D65, PRIMARIES, Chromaticities, srgb_to_linear, to_xyz

_ADOBE = (*D65, 0.640, 0.330, 0.210, 0.710, 0.150, 0.060)
_SRGB_GAMMA, _NEARLY = 1 / 2.2, 0.05  # gAMA of sRGB, and tolerance
_NCLX = re.compile(rb"colrnclx(.{4})", re.DOTALL)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.9642, 1.0, 0.8249])
_MODES = {
    "RGB ": "RGB",
    "GRAY": "L",
    "CMYK": "CMYK",
    "Lab ": "LAB",
}  # by the colour space of a profile
_PROBE = np.stack(np.meshgrid(*3 * [np.linspace(0, 255, 9)]), -1).round().astype(np.uint8)


class SrgbConverter:
    """Converts a picture to sRGB.

    Args:
      picture: An opened picture, not decoded yet: the file of a PNG or AVIF is inspected.
    """

    def __init__(self, picture: Image.Image):
        self._mode, self._transform, self._tone_map = "RGB", None, None
        code_points = _code_points(picture)
        if code_points and code_points[1] in (tone_mapping.PQ, tone_mapping.HLG):
            self._tone_map = tone_mapping.conversion(code_points[1], code_points[0])
        elif profile := _profile_of(picture, code_points):
            self._mode, self._transform = _conversion(profile, _family(picture.mode))

    @property
    def are_srgb(self) -> bool:
        """Whether the picture is in sRGB already, to within one level."""
        return self._transform is None and self._tone_map is None

    def to_srgb(self, part: Image.Image) -> Image.Image:
        """Returns a part of the picture in mode RGB, without transparency."""
        if self._tone_map is not None:  # high dynamic range, as in videos
            planes = np.asarray(part.convert("RGB")).transpose(2, 0, 1).astype(np.uint16)
            return Image.fromarray(
                np.ascontiguousarray(self._tone_map(planes, 255).transpose(1, 2, 0))
            )
        if self._transform is None:
            return part if part.mode == "RGB" else part.convert("RGB")
        return ImageCms.applyTransform(part.convert(self._mode), self._transform)


def _family(mode: str) -> str:
    """Returns the 8-bit mode without transparency that a mode is converted from."""
    if mode in ("CMYK", "LAB"):
        return mode
    return "L" if mode in ("1", "L", "LA", "La") or mode.startswith("I") else "RGB"


@functools.lru_cache(maxsize=8)
def _conversion(profile: bytes, family: str) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """Returns the mode that a profile applies to, and its conversion to sRGB unless trivial.

    As in browsers, a profile that is damaged or for another mode is ignored.
    """
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES.get(opened.profile.xcolor_space, "")
        if mode != family and (mode, family) != (
            "RGB",
            "L",
        ):  # an RGB profile applies to grey as well
            return "RGB", None
        transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
        if mode == "RGB":
            probe = Image.fromarray(_PROBE.reshape(1, -1, 3))
            found = np.asarray(ImageCms.applyTransform(probe, transform)).astype(int)
            if np.abs(found - np.asarray(probe)).max() <= 1:
                transform = None
        return mode, transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return "RGB", None


def _code_points(picture: Image.Image) -> tuple[int, int] | None:
    """Returns primaries and transfer as codes of ITU-T H.273, unless a profile takes precedence."""
    if picture.format == "PNG":  # in which it takes precedence over a profile
        return _cicp(picture)
    if picture.info.get("icc_profile"):
        return None
    if picture.format == "HEIF" and (nclx := picture.info.get("nclx_profile")):
        return int(nclx["color_primaries"]), int(nclx["transfer_characteristics"])
    return _nclx(picture) if picture.format == "AVIF" else None


def _profile_of(picture: Image.Image, code_points: tuple[int, int] | None) -> bytes | None:
    """Returns an ICC profile; None for sRGB, and if nothing is known."""
    if code_points:
        return _profile_of_code_points(*code_points)
    if found := picture.info.get("icc_profile"):
        return found
    if picture.format == "PNG" and "srgb" not in picture.info:
        return _profile_of_png_chunks(picture.info.get("gamma"), picture.info.get("chromaticity"))
    if picture.format in ("JPEG", "MPO") and _is_adobe_rgb(picture):
        return _matrix_profile(_ADOBE, 563 / 256)
    return None


def _cicp(picture: Image.Image) -> tuple[int, int] | None:
    """Returns primaries and transfer from the cICP chunk of a PNG."""
    file, at = picture.fp, picture.fp.tell()
    file.seek(8)
    try:
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"cICP" and length == 4:
                return tuple(file.read(2))
            if kind == b"IDAT":
                break
            file.seek(length + 4, io.SEEK_CUR)
    finally:
        file.seek(at)
    return None


def _nclx(picture: Image.Image) -> tuple[int, int] | None:
    """Returns primaries and transfer of an AVIF; the first ones are those of the main picture."""
    file, at = picture.fp, picture.fp.tell()
    file.seek(0)
    found = _NCLX.search(file.read(1 << 16))  # metadata comes first
    file.seek(at)
    return struct.unpack(">HH", found[1]) if found else None


def _is_adobe_rgb(picture: Image.Image) -> bool:
    """Returns whether EXIF says Adobe RGB, as cameras do without a profile (DCF 2.0)."""
    with contextlib.suppress(Exception):  # Pillow's reader of EXIF raises many types
        return picture.getexif().get_ifd(ExifTags.IFD.Interop).get(1) == "R03"
    return False


def _profile_of_code_points(primaries: int, transfer: int) -> bytes | None:
    """Returns a profile; the transfer of BT.709 is displayed like that of sRGB."""
    chromaticities = PRIMARIES.get(primaries, PRIMARIES[BT709])
    return _matrix_profile(chromaticities, {4: 2.2, 5: 2.8, 8: 1.0}.get(transfer, 0.0))


def _profile_of_png_chunks(
    gamma: float | None, chromaticities: Chromaticities | None
) -> bytes | None:
    if not gamma and not chromaticities:
        return None
    if not gamma or abs(gamma / _SRGB_GAMMA - 1) < _NEARLY:
        gamma = 0.0
    return _matrix_profile(chromaticities or PRIMARIES[BT709], 1 / gamma if gamma else 0.0)


@functools.lru_cache(maxsize=8)
def _matrix_profile(chromaticities: Chromaticities, gamma: float) -> bytes | None:
    """Builds an ICC profile (ICC.1, version 2) from three primaries.

    Args:
      chromaticities: Chromaticities of white and the primaries.
      gamma: Exponent from values to light; 0: the curve of sRGB.

    Returns:
      The profile; None for sRGB itself, and for invalid primaries.
    """
    if chromaticities == PRIMARIES[BT709] and not gamma:
        return None
    try:
        primaries, white = to_xyz(chromaticities)
    except ValueError:
        return None
    cones = _BRADFORD @ np.stack([white, _D50], 1)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(cones[:, 1] / cones[:, 0]) @ _BRADFORD @ primaries
    values = np.linspace(0, 1, 4096)
    shown = values**gamma if gamma else srgb_to_linear(values)
    curve = struct.pack(">4sII", b"curv", 0, len(shown))
    curve += np.rint(shown * 65535).astype(">u2").tobytes()
    tags = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, adapted.T), strict=True))
    tags |= {b"wtpt": _xyz(_D50)}
    at, directory, content = 128 + 4 + 12 * (len(tags) + 3), b"", b""
    for name, data in [*tags.items(), (b"rTRC", curve)]:
        directory += struct.pack(">4sII", name, at + len(content), len(data))
        content += data
    where = directory[-8:]  # shared by all channels
    directory += b"gTRC" + where + b"bTRC" + where
    size = at + len(content)
    head = struct.pack(">I4sI4s4s4s", size, b"", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + _xyz(_D50)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags) + 3) + directory + content


def _xyz(colour: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + np.rint(colour * 65536).astype(">i4").tobytes()
