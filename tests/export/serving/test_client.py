"""The client with fake TensorFlow Servers (`fake_servers.py`)."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.options import ClientOptions
from export.serving.client import client, encoded_photo
from export.serving.remote_generator import frames
from export.serving.servers import Grpc, Rest, is_local
from ssagan_tf import photo_jobs, video
from ssagan_tf.errors import DataError
from ssagan_tf.options import OptionError
from ssagan_tf.pixels import to_float, to_uint8
from tests import bombs, colours
from tests.export.photo_files import encoded
from tests.export.serving.fake_servers import grpc_server, rest_server
from tests.export.small_generators import Exports, has
from tests.surroundings import PROXIES

SENT = {"quality": 95, "subsampling": 0}
pytestmark = pytest.mark.skipif(
    not has("tensorflow_serving"), reason="the extra 'serving' is not installed"
)


@pytest.fixture
def server(served: dict[str, str]) -> ClientOptions:
    return ClientOptions(**served)


@pytest.fixture
def photos(exports: Exports, tmp_path: Path) -> list[Path]:
    """Square photos, which need no resizing."""
    paths = []
    for index, pixels in enumerate(exports.photos(3)):
        paths.append(tmp_path / f"photo{index}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def ask(server: ClientOptions, photos: list[Path], output: Path, **changes: object) -> None:
    names = tuple(map(str, photos))
    client(dataclasses.replace(server, image=names, output=str(output), **changes))


def frames_in(folder: Path) -> np.ndarray:
    return np.stack([video.read_image(path) for path in sorted(folder.iterdir())])


@pytest.mark.parametrize("signature", ["encoded", "serving_default"])
@pytest.mark.slow
def test_videos_are_those_of_keras(server, exports, photos, tmp_path, signature) -> None:
    if server.api == "rest":
        photos = photos[:2]  # pixels as JSON are slow
    expected = to_uint8(exports.generator(to_float(exports.photos(3)))).astype(int)
    ask(server, photos, tmp_path / "all", signature=signature, batch=2, format="frames")
    for index, path in enumerate(photos):
        frames = frames_in(tmp_path / "all" / path.stem)
        if signature == "serving_default":
            assert np.abs(frames - expected[index]).max() <= 1
        else:
            # JPEG is lossy: compare with the same frames encoded by Pillow.
            files = [
                encoded(Image.fromarray(x.astype("uint8")), "JPEG", **SENT) for x in expected[index]
            ]
            lossy = np.stack([video.decode_image(file) for file in files]).astype(int)
            assert np.abs(frames - lossy).mean() < 0.5


def test_aspect_ratio_and_mp4_without_a_proxy_for_this_machine(
    server, tmp_path: Path, monkeypatch
) -> None:
    for name, value in PROXIES.items():
        monkeypatch.setenv(name, value)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name)
    Image.new("RGB", (120, 60), (90, 120, 200)).save(tmp_path / "sky.jpg")
    ask(server, [tmp_path / "sky.jpg"], tmp_path / "sky.mp4")
    frames = list(video.read_video(tmp_path / "sky.mp4"))
    assert (len(frames), frames[0].shape) == (32, (64, 128, 3))


@pytest.mark.parametrize(
    ("server", "local"),
    [
        ("localhost:8500", True),
        ("LocalHost:8500", True),
        ("127.0.0.3:8501", True),
        ("0.0.0.0:8501", True),
        ("[::1]:8500", True),
        ("[::1:8500", False),
        ("192.168.1.2:8500", False),
        ("localhost.:8500", True),
        ("models.localhost:8500", True),
        ("localhost.example.org:8500", False),
        ("dns:///host:8500", False),
        ("", False),
    ],
)
def test_which_servers_are_local(server: str, local: bool) -> None:
    assert is_local(server) is local


@pytest.mark.parametrize(
    "proxy", ["http://us%er:secret@127.0.0.1:9/", "127.0.0.1:9", "socks5://127.0.0.1:9", "http://["]
)
def test_an_unreachable_proxy_is_named(monkeypatch, proxy: str) -> None:
    for name in ("no_proxy", "NO_PROXY", *PROXIES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    options = ClientOptions(server="models.invalid:8501", api="rest", deadline=5.0)
    shown = "[" if "[" in proxy else "127.0.0.1:9"
    named = f" through the proxy {shown} (from http_proxy; no_proxy=models.invalid bypasses it): "
    with pytest.raises(DataError) as caught:
        Rest(options).predict([b""])
    assert str(caught.value).startswith("cannot connect to models.invalid:8501 through the proxy ")
    assert named in str(caught.value)
    assert "secret" not in str(caught.value)
    grpc = object.__new__(Grpc)
    grpc._options = options
    assert named in grpc._message("UNAVAILABLE", "connection refused")
    for name, value in (("no_proxy", "models.invalid"), ("http_proxy", "")):
        monkeypatch.setenv(name, value)
        assert "proxy" not in grpc._message("UNAVAILABLE", "connection refused")
        monkeypatch.delenv(name)


def complaint(server: ClientOptions, photos: list[Path], **changes: object) -> str:
    output = photos[0].parent / "out"
    with pytest.raises(DataError) as caught:
        ask(server, photos, output, format="mp4", **changes)
    assert not output.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.slow
def test_responses_over_the_limit(server, photos) -> None:
    # Three clips as pixels: 1.2 MB. As JSON one is 1.5 MB.
    assert server.message_mib == 4  # gRPC's own default
    number, limit = (3, 1) if server.api == "grpc" else (1, 1)
    many = []
    for index in range(number):
        many.append(photos[0].with_name(f"{index}.png"))
        many[-1].write_bytes(photos[0].read_bytes())
    ask_all = {"signature": "serving_default", "batch": number}
    line = complaint(server, many, **ask_all, message_mib=limit)
    assert "too large" in line
    assert "--message_mib" in line
    output = photos[0].parent / "videos"
    ask(server, many, output, **ask_all, message_mib=4, format="mp4")
    assert len(list(output.iterdir())) == number


def test_deadline(server, model, photos, monkeypatch) -> None:
    monkeypatch.setattr(model, "delay", 1.0)
    assert "did not respond within --deadline=0.3" in complaint(server, photos, deadline=0.3)


def test_no_server(server, photos) -> None:
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    line = complaint(dataclasses.replace(server, server=address), photos)
    assert f"cannot connect to {address}: " in line


def test_no_such_model(server, photos) -> None:
    line = complaint(dataclasses.replace(server, name="other"), photos)
    assert "not found" in line


def test_a_photo_that_the_server_rejects(server, photos, monkeypatch) -> None:
    monkeypatch.setattr("export.serving.client.encoded_photo", lambda photo: b"GIF89a, say")
    assert "must be a JPEG or a PNG" in complaint(server, photos)


def test_an_invalid_photo(server, tmp_path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff nothing")
    assert "bad.jpg" in complaint(server, [bad])


def test_another_service_at_the_port(model, photos) -> None:
    with rest_server(model) as rest, grpc_server(model) as grpc:
        for protocol, address in (("grpc", rest), ("rest", grpc)):
            options = ClientOptions(server=address, api=protocol, deadline=5.0)
            assert address in complaint(options, photos)


def test_a_server_is_needed() -> None:
    with pytest.raises(OptionError, match="server=: is required"):
        client(ClientOptions(image=("a.jpg",), output="a.mp4"))


def test_photos_are_converted_for_the_server(tmp_path: Path, monkeypatch) -> None:
    """The server ignores EXIF orientation, colour profiles and transparency."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=turned)
    Image.fromarray(pixels).save(tmp_path / "as_it_is.jpg")
    Image.fromarray(pixels).save(tmp_path / "modern.webp")
    assert encoded_photo(str(tmp_path / "as_it_is.jpg")) == (tmp_path / "as_it_is.jpg").read_bytes()
    profile = colours.rgb_profile(colours.P3)
    Image.fromarray(pixels).save(tmp_path / "p3.jpg", icc_profile=profile)
    Image.fromarray(pixels).convert("RGBA").save(tmp_path / "alpha.png")
    for name in ("turned.jpg", "modern.webp", "p3.jpg", "alpha.png"):
        sent = video.decode_image(encoded_photo(str(tmp_path / name)))
        np.testing.assert_array_equal(sent, video.read_image(tmp_path / name))
    monkeypatch.setattr(photo_jobs, "PIXELS_4K", 600)
    assert video.decode_image(encoded_photo(str(tmp_path / "as_it_is.jpg"))).shape == (20, 30, 3)


def serving(*lines: bytes, pause: float = 0.0) -> Iterator[str]:
    """Starts a server that sends these bytes to any request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            with contextlib.suppress(OSError):
                for line in lines:
                    self.wfile.write(line)
                    time.sleep(pause)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


OK = b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([OK, b"[" * 100_000], "did not return predictions"),
        ([OK, b"[]"], "did not return predictions"),
        ([OK, b'{"predictions": {"a": 5}}'], "did not return predictions"),
        ([OK, b'{"predictions": [[{"b64": "x"}]]}'], "did not return predictions"),
        ([OK, b'{"predictions": [[{"b64": "AAAA"}]]}'], "did not return a clip"),
        ([OK, *[b" " * 2**20] * 3], "is too large"),
        ([OK, *[b" "] * 100], "did not respond within --deadline=0.5 seconds"),
        (
            [b"HTTP/1.0 400 No\r\n\r\n", b"\x1b[2Jhello\x07"],
            "an error: 400:  \\[2Jhello $",
        ),
        ([b"HTTP/1.0 302 Go\r\nLocation: http://127.0.0.1:1/\r\n\r\n"], "returned an error: 302"),
    ],
)
def test_malicious_responses(lines, complaint, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    pause = 0.02 if len(lines) > 50 else 0.0
    with contextlib.contextmanager(serving)(*lines, pause=pause) as address:
        options = ClientOptions(server=address, api="rest", deadline=0.5, message_mib=2)
        with pytest.raises(DataError, match=complaint):
            ask(options, [tmp_path / "photo.png"], tmp_path / "out.mp4")


def test_pixels_out_of_range(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    answer = b'{"predictions": [[[[[300, 0, 0]]]]]}'
    with contextlib.contextmanager(serving)(OK, answer) as address:
        options = ClientOptions(server=address, api="rest", signature="serving_default")
        with pytest.raises(DataError, match="did not return predictions"):
            ask(options, [tmp_path / "photo.png"], tmp_path / "out.mp4")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([bombs.png(8, 8)] * 33, "expected 32 frames, got 33"),
        ([bombs.png(13_000, 13_000)], "the frames are too large"),
        ([bombs.png(8, 8), bombs.png(8, 9)], "frames of different sizes"),
        ([], "no frames, or frames of different sizes"),
        ([bombs.webp(8, 8)], "it is not a JPEG or PNG"),
        (np.zeros((33, 8, 8, 3), np.uint8), "got 33"),
        (5, "did not return a clip"),
        (np.zeros((31, 64, 64, 3), np.uint8), r"a clip: its shape is \(31, 64, 64, 3\)"),
        (np.zeros((32, 64, 128, 3), np.uint8), "its shape is"),
        (np.zeros((32, 63, 63, 3), np.uint8), "its shape is"),
        (np.zeros((32, 64, 64, 1), np.uint8), "its shape is"),
        (np.zeros((32, 64, 64), np.uint8), "its shape is"),
    ],
)
def test_frames_of_a_server_are_bounded(answer, why, monkeypatch) -> None:
    """Sizes are checked before a frame is decoded."""
    monkeypatch.setattr(video, "decode_image", lambda _: pytest.fail("it is decoded"))
    with pytest.raises(DataError, match=why):
        frames(answer, "server:1")


def test_a_small_message_with_a_large_array() -> None:
    import tensorflow as tf

    from export.serving.servers import Grpc

    grpc = Grpc(ClientOptions(server="127.0.0.1:1"))
    large = tf.make_tensor_proto(1, tf.uint8, [1])
    del large.tensor_shape.dim[:]
    for size in (2**16, 2**16, 2**16):
        large.tensor_shape.dim.add().size = size
    with pytest.raises(DataError, match="is too large"):
        grpc._clips(large)
    with pytest.raises(DataError, match="did not return clips"):
        grpc._clips(tf.make_tensor_proto(1).__class__())
