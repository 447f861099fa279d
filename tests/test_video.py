from __future__ import annotations

import io
import os
import subprocess
import sys
import wave

import av
import numpy as np
import pytest
from PIL import Image

from ssagan_tf import video
from ssagan_tf.errors import DataError
from ssagan_tf.skies.any_wind import synthetic_clip


def moving_gradient(frames=12, height=48, width=64):
    """A smooth coloured clip, not symmetric in any way."""
    t, y, x = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
    red = 220 * x / width
    green = 200 * y / height
    blue = 120 + 100 * np.sin(x / 9 + t / 3)
    return np.stack([red, green, blue], -1).round().astype(np.uint8)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def saved(path, image, **options):
    image.save(path, **options)
    return path


# Images.


def test_png_round_trip_is_exact(tmp_path):
    image = noise(5, 7, 3)
    video.write_image(tmp_path / "a.png", image)
    np.testing.assert_array_equal(video.read_image(tmp_path / "a.png"), image)


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, 1)),
        (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a, -1)),
    ],
)
def test_exif_orientation(tmp_path, orientation, stored):
    upright = noise(4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored(upright)))
    path = saved(tmp_path / "a.png", image, exif=exif)
    np.testing.assert_array_equal(video.read_image(path), upright)


def test_sixteen_bit_greyscale_is_scaled(tmp_path):
    values = np.array([[0, 128, 257, 32768, 65535]], np.uint16)
    path = saved(tmp_path / "a.png", Image.fromarray(values))
    expected = np.array([0, 0, 1, 128, 255])
    np.testing.assert_array_equal(video.read_image(path), np.stack([expected[None]] * 3, -1))


def test_transparency_is_over_black(tmp_path):
    pixels = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 128]]], np.uint8)
    path = saved(tmp_path / "a.png", Image.fromarray(pixels))
    result = video.read_image(path)[0]
    np.testing.assert_array_equal(result[:2], [[200, 100, 50], [0, 0, 0]])
    np.testing.assert_allclose(result[2], [100, 50, 25], atol=1)
    grey = Image.fromarray(np.array([[[200, 0], [90, 255]]], np.uint8), "LA")
    path = saved(tmp_path / "b.png", grey)
    np.testing.assert_array_equal(video.read_image(path)[0], [[0] * 3, [90] * 3])


@pytest.mark.parametrize(
    ("mode", "name"),
    [("L", "a.png"), ("P", "a.png"), ("1", "a.png"), ("CMYK", "a.tiff"), ("RGB", "a.webp")],
)
def test_other_modes_agree_with_pillow(tmp_path, mode, name):
    image = Image.fromarray(moving_gradient(1)[0]).convert(mode)
    options = {"lossless": True} if name.endswith("webp") else {}
    path = saved(tmp_path / name, image, **options)
    np.testing.assert_array_equal(video.read_image(path), np.array(image.convert("RGB")))


def test_bad_images_are_data_errors(tmp_path, monkeypatch):
    good = saved(tmp_path / "good.jpg", Image.fromarray(noise(64, 64, 3)))
    (tmp_path / "cut.jpg").write_bytes(good.read_bytes()[:1500])
    png = saved(tmp_path / "good.png", Image.fromarray(noise(64, 64, 3)))
    (tmp_path / "cut.png").write_bytes(png.read_bytes()[:5000])
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name in ("missing.jpg", ".", "cut.jpg", "cut.png", "text.jpg", "empty.jpg"):
        with pytest.raises(DataError, match="cannot read the image") as raised:
            video.read_image(tmp_path / name)
        assert str(tmp_path / name) in str(raised.value)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="decompression bomb"):
        video.read_image(good)


# Square and back.


def test_stretch_averages_when_shrinking():
    image = noise(64, 96, 3)
    result = video.fit(image, 32, "stretch")

    # Antialiased bilinear: a triangle of twice the step, computed here in floats.
    def weights(length):
        step = length / 32
        centres = (np.arange(32) + 0.5) * step
        w = np.maximum(0, 1 - np.abs(np.arange(length) + 0.5 - centres[:, None]) / step)
        return w / w.sum(1, keepdims=True)

    expected = np.einsum("ih,jw,hwc->ijc", weights(64), weights(96), image.astype(float))
    np.testing.assert_allclose(result, expected, atol=1.01)


def test_fit_leaves_the_right_size_alone():
    image = noise(32, 32, 3)
    for how in video.FITS:
        assert video.fit(image, 32, how) is image


def test_crop_takes_the_centre():
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, 10:30] = 200
    np.testing.assert_array_equal(video.fit(image, 10, "crop"), np.full((10, 10, 3), 200))
    np.testing.assert_array_equal(
        video.fit(image.transpose(1, 0, 2), 10, "crop"), np.full((10, 10, 3), 200)
    )


@pytest.mark.parametrize("size", [(90, 160), (160, 90), (33, 100), (100, 99), (1, 1000)])
def test_letterbox_and_back(size):
    image = np.full((*size, 3), 180, np.uint8)
    boxed = video.fit(image, 64, "letterbox")
    back = video.unfit(boxed[None], size, "letterbox")
    assert (back == 180).all()  # no bars are left
    assert (boxed == 180).sum() == back.size  # and nothing is lost
    height, width = back.shape[1:3]
    assert max(height, width) == 64
    assert height % 2 == width % 2 == 0
    assert abs(min(height, width) - 64 * min(size) / max(size)) <= 2


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((90, 160), (64, 114)),
        ((160, 90), (114, 64)),
        ((50, 50), (64, 64)),
        ((100, 101), (64, 64)),
        ((10, 1000), (64, 512)),
    ],
)
def test_unfit_stretch_gives_the_aspect_back(size, expected):
    frames = moving_gradient(2, 64, 64)
    result = video.unfit(frames, size, "stretch")
    assert result.shape == (2, *expected, 3)
    again = np.stack([video.fit(frame, 64, "stretch") for frame in result])
    assert np.abs(again.astype(int) - frames).mean() < 2
    assert video.unfit(frames, size, "crop") is frames


def test_unknown_fit():
    for call in (
        lambda: video.fit(noise(4, 4, 3), 8, "auto"),
        lambda: video.unfit(noise(1, 4, 4, 3), (4, 4), "auto"),
    ):
        with pytest.raises(ValueError, match="stretch"):
            call()


# Videos.


def test_mp4_round_trip(tmp_path):
    frames = synthetic_clip(0, 2, 64)
    path = tmp_path / "new" / "a.mp4"
    video.write_mp4(path, frames, 12)
    result = np.stack(list(video.read_video(path)))
    assert result.shape == frames.shape
    difference = result.astype(float) - frames
    assert np.abs(difference).mean() < 2.5
    assert np.abs(difference.mean((0, 1, 2))).max() < 0.8  # no shift of colours
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert float(stream.average_rate) == 12
        assert stream.codec_context.colorspace == 1
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert os.listdir(path.parent) == ["a.mp4"]


@pytest.mark.parametrize("shape", [(1, 5, 7), (2, 2, 2), (3, 33, 18)])
def test_mp4_of_odd_sizes_repeats_the_edge(tmp_path, shape):
    frames = np.full((*shape, 3), 150, np.uint8)
    video.write_mp4(tmp_path / "a.mp4", frames, 29.97)
    result = np.stack(list(video.read_video(tmp_path / "a.mp4")))
    assert result.shape == (shape[0], shape[1] + shape[1] % 2, shape[2] + shape[2] % 2, 3)
    np.testing.assert_allclose(result, 150, atol=4)


@pytest.mark.parametrize(("angle", "turns"), [(90, 1), (-90, -1), (180, 2)])
def test_rotated_video_is_turned_upright(tmp_path, angle, turns):
    frames = moving_gradient(4)
    path = tmp_path / "a.mp4"
    video.write_mp4(path, frames, 12)
    plain = np.stack(list(video.read_video(path)))
    turned = tmp_path / "turned.mp4"
    with av.open(str(path)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(angle)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    result = np.stack(list(video.read_video(turned)))
    np.testing.assert_array_equal(result, np.rot90(plain, turns, axes=(1, 2)))


def read_until_error(path):
    frames = []
    with pytest.raises(DataError) as raised:
        frames.extend(video.read_video(path))  # keeps what came before the error
    return len(frames), str(raised.value)


def long_video(path, options=None, codec="libx264"):
    frames = np.stack([np.roll(noise(48, 64, 3), 3 * t, axis=1) for t in range(60)])
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, 10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_truncated_video(tmp_path, name):
    path = tmp_path / name
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    long_video(path, {"movflags": "+faststart"} if name.endswith("mp4") else {}, codec)
    assert len(list(video.read_video(path))) == 60
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    count, message = read_until_error(path)
    assert 5 < count < 55
    assert str(path) in message
    assert f"after {count} frames" in message


def test_truncated_mp4_without_index(tmp_path):
    path = tmp_path / "a.mp4"
    long_video(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    count, message = read_until_error(path)
    assert count == 0
    assert message.startswith(f"cannot read the video {path}: Invalid data")


def test_damaged_video(tmp_path):
    path = tmp_path / "a.mp4"
    long_video(path, {"movflags": "+faststart"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = noise(4000).tobytes()
    path.write_bytes(data)
    count, message = read_until_error(path)
    assert 0 < count < 60
    assert "damaged" in message


@pytest.mark.parametrize("name", ["12:30.mp4", "http:x.mp4", "-a 50%d #1.mp4", "räu'me [b]?.mp4"])
def test_names_that_are_no_addresses(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    video.write_mp4(name, noise(2, 16, 16, 3), 12)
    assert len(list(video.read_video(name))) == 2


def test_no_videos(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "text.txt").write_text("no video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    saved(tmp_path / "photo.jpg", Image.fromarray(noise(8, 8, 3)))
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    names = ("text.mp4", "text.txt", "empty.mp4", "photo.jpg", "sound.wav", "missing.mp4", ".")
    for name in names:
        count, message = read_until_error(tmp_path / name)
        assert count == 0
        assert message.startswith(f"cannot read the video {tmp_path / name}")


def test_titles_need_not_be_utf8(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Ciel d'hiver"
        stream = container.add_stream("libx264", 12)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for frame in moving_gradient(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())
    data = path.read_bytes()
    assert b"d'hiver" in data
    path.write_bytes(data.replace(b"d'hiver", b"d'\xe9t\xe9  "))
    assert len(list(video.read_video(path))) == 4


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize("error", [UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "no"), KeyError()])
def test_whatever_the_decoder_raises_is_a_data_error(tmp_path, monkeypatch, count, error):
    path = tmp_path / "a.mp4"
    video.write_mp4(path, moving_gradient(), 12)
    shown = iter(range(count))
    upright = video.reading.upright

    def raising(image: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
        for _ in shown:
            return upright(image, frame)
        raise error

    monkeypatch.setattr(video.reading, "upright", raising)
    found, message = read_until_error(path)
    assert found == count
    assert message.startswith(f"cannot read the video {path}: ")
    assert ("damaged after 3 frames" in message) is (count > 0)


def test_errors_of_the_reader_of_a_video_stay_what_they_are(tmp_path):
    path = tmp_path / "a.mp4"
    video.write_mp4(path, moving_gradient(), 12)
    frames = video.read_video(path)
    next(frames)
    with pytest.raises(RuntimeError, match="mine"):
        frames.throw(RuntimeError("mine"))


@pytest.mark.parametrize(("promised", "whole"), [("00:01:00.00", False), ("soon", True)])
def test_the_promised_duration_of_matroska(tmp_path, promised, whole):
    path = tmp_path / "a.mkv"
    long_video(path)
    data = path.read_bytes()
    start = data.index(b"00:00:06.")
    path.write_bytes(data[:start] + promised.encode().ljust(18, b"0") + data[start + 18 :])
    if whole:
        assert len(list(video.read_video(path))) == 60
    else:
        assert read_until_error(path)[0] == 60


@pytest.mark.parametrize("fps", [0.1, 1000])
def test_slowest_and_fastest(tmp_path, fps):
    frames = moving_gradient(4)
    video.write_mp4(tmp_path / "a.mp4", frames, fps)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(fps)
    assert len(list(video.read_video(tmp_path / "a.mp4"))) == 4
    for clip in (frames, frames[:1].repeat(32, 0)):
        with Image.open(io.BytesIO(video.encode_gif(clip, fps))) as gif:
            total = 0
            for index in range(gif.n_frames):
                gif.seek(index)
                total += gif.info["duration"]
        assert total == max(20, 10 * round(100 * len(clip) / fps))


def test_gif(tmp_path):
    frames = synthetic_clip(0, 4, 64)
    video.write_gif(tmp_path / "a.gif", frames, 12)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 32
        assert gif.info["loop"] == 0
        total, result = 0, []
        for index in range(32):
            gif.seek(index)
            total += gif.info["duration"]
            result.append(np.array(gif.convert("RGB")))
    assert abs(total - 32 / 12 * 1000) < 10
    difference = np.stack(result).astype(float) - frames
    assert np.abs(difference).mean() < 3
    assert np.abs(difference.mean((0, 1, 2))).max() < 0.5
    assert np.stack(list(video.read_video(tmp_path / "a.gif"))).shape == frames.shape


def test_frames(tmp_path):
    frames = noise(3, 4, 6, 3)
    video.write_frames(tmp_path / "clip", frames)
    names = sorted(os.listdir(tmp_path / "clip"))
    assert names == ["frame_00001.png", "frame_00002.png", "frame_00003.png"]
    for name, frame in zip(names, frames, strict=True):
        np.testing.assert_array_equal(video.read_image(tmp_path / "clip" / name), frame)
    with pytest.raises(DataError, match="is not empty"):
        video.write_frames(tmp_path / "clip", frames)


def test_interrupted_mp4_keeps_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    path.write_text("old")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(av.VideoFrame, "from_ndarray", interrupt)
    with pytest.raises(KeyboardInterrupt):
        video.write_mp4(path, moving_gradient(), 12)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_wrong_arguments_are_value_errors(tmp_path):
    good = noise(2, 4, 4, 3)
    for bad in (good[0], good.astype(np.float32), good[..., :1], good[:0]):
        for write in (video.write_mp4, video.write_gif):
            path = tmp_path / f"a.{write.__name__[-3:]}"
            with pytest.raises(ValueError, match="must be uint8"):
                write(path, bad, 12)
        with pytest.raises(ValueError, match="must be uint8"):
            video.write_frames(tmp_path / "a", bad)
    with pytest.raises(ValueError, match=r"must end in \.mp4"):
        video.write_mp4(tmp_path / "a.avi", good, 12)
    with pytest.raises(ValueError, match=r"must end in \.gif"):
        video.write_gif(tmp_path / "a.mp4", good, 12)
    for fps in (0, 0.05, 1001, float("nan")):
        with pytest.raises(ValueError, match=r"between 0\.1 and 1000"):
            video.encode_gif(good, fps)
        with pytest.raises(ValueError, match=r"between 0\.1 and 1000"):
            video.write_mp4(tmp_path / "a.mp4", good, fps)
    assert os.listdir(tmp_path) == []


# Strips.


def test_strip_shows_the_frames_asked_for():
    clip = np.stack([np.full((16, 16, 3), 8 * t, np.uint8) for t in range(32)])
    result = video.contact_strip([("input", clip[:1]), ("real", clip), ("real", clip)], times=4)
    assert result.dtype == np.uint8
    top, left = result.shape[0] - 3 * 18, result.shape[1] - 4 * 18
    cells = result[top:, left:].reshape(3, 18, 4, 18, 3)[:, :16, :, :16]
    for row in (1, 2):
        for column, time in enumerate([0, 10, 21, 31]):
            assert (cells[row, :, column] == 8 * time).all()
    assert (cells[0, :, 0] == 0).all()
    assert (cells[0, :, 1:] == 255).all()
    assert (result[top:, :left] < 100).any()  # labels
    assert (result[:top, left:] < 100).any()  # numbers


def test_strip_refuses_mixed_sizes():
    for clips in ([], [("a", noise(3, 8, 8, 3)), ("b", noise(3, 9, 8, 3))]):
        with pytest.raises(ValueError, match="clips of one size"):
            video.contact_strip(clips)


def test_no_framework_is_imported():
    program = (
        "import sys, ssagan_tf.video, ssagan_tf.skies.any_wind\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_decode_image_is_read_image(tmp_path):
    image = noise(6, 5, 3)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    np.testing.assert_array_equal(video.decode_image(buffer.getvalue()), image)
    with pytest.raises(ValueError, match="no picture"):
        video.decode_image(b"text")
