"""Moving photos from the clips of a server."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from export.options import ServingAnimateOptions
from export.serving import animate as program
from ssagan_tf import animation, video
from ssagan_tf.errors import DataError
from ssagan_tf.options import OptionError
from ssagan_tf.pixels import on_pixels
from tests.export.small_generators import Exports, has
from tests.sample_photos import HEIGHT, HORIZON, WIDTH, Drift, landscape, plain

HOW = ServingAnimateOptions(
    server="here:1", image=("photo.png",), output="o", seconds=2.0, fps=4.0, loop=False, light=1.0
)


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    video.write_image("photo.png", landscape())


@pytest.fixture
def sent(monkeypatch) -> list[bytes]:
    """Records the photos sent to a fake server, which makes 64×64 clips that drift."""
    files = []

    class RemoteGenerator:
        def __init__(self, options: ServingAnimateOptions):
            assert options.server == "here:1"

        def clips(self, some: list[bytes]) -> list[np.ndarray]:
            files.extend(some)
            photos = [video.fit(video.decode_image(file), 64, "crop") for file in some]
            return list(Drift()(np.stack(photos), training=False))

    monkeypatch.setattr(program, "RemoteGenerator", RemoteGenerator)
    return files


def frames_in(folder: str) -> np.ndarray:
    return np.stack([video.read_image(path) for path in sorted(Path(folder).iterdir())])


@pytest.mark.parametrize("direction", ["right", "left"])
def test_the_whole_photo_is_sent_as_a_square(sent, direction: str) -> None:
    program.animate(dataclasses.replace(HOW, direction=direction))
    [square] = map(video.decode_image, sent)
    photo = landscape()
    expected = photo if direction == "right" else np.ascontiguousarray(photo[:, ::-1])
    np.testing.assert_array_equal(square, video.fit(expected, program.SIDE, "stretch"))
    frames = frames_in("o")
    assert frames.shape == (8, HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(frames[0], photo)
    np.testing.assert_array_equal(frames[-1][HORIZON + 2 :], photo[HORIZON + 2 :])
    assert np.abs(frames[-1].astype(float) - frames[0]).mean() > 2
    # Scaling and encoding the photo changes little.
    options = dataclasses.replace(HOW, direction=direction)
    here = np.stack(list(animation.make_animation(photo, on_pixels(Drift()), 64, options).frames()))
    assert np.abs(frames.astype(float) - here).mean() < 0.5


def test_photos_that_cannot_be_used(sent) -> None:
    video.write_image("black.png", plain(0, 0, 0))
    Path("text.png").write_text("no picture")
    photos = ("text.png", "black.png", "photo.png")
    options = dataclasses.replace(HOW, image=photos, format="webp")
    with pytest.raises(DataError, match=r"^2 of 3 photos failed: cannot .*; black\.png: nothing"):
        program.animate(options)
    assert len(sent) == 2
    assert [path.name for path in Path("o").iterdir()] == ["photo.webp"]


def test_a_failing_server_gets_one_request(monkeypatch) -> None:
    asked = []

    class Server:
        def __init__(self, options: ServingAnimateOptions):
            pass

        def predict(self, files: list[bytes]) -> list[list[bytes]]:
            asked.append(files)
            return [[video.encode_png(landscape())] * 32]

    monkeypatch.setattr("export.serving.remote_generator.Rest", Server)
    photos = ("photo.png", "again.png")
    video.write_image("again.png", landscape())
    options = dataclasses.replace(HOW, image=photos, api="rest")
    with pytest.raises(DataError, match=r"^here:1 did not return a clip: its shape is \(32, "):
        program.animate(options)
    assert len(asked) == 1
    assert not Path("o").exists()


def test_a_server_is_needed() -> None:
    with pytest.raises(OptionError, match="server=: is required"):
        program.animate(dataclasses.replace(HOW, server=""))


@pytest.mark.skipif(not has("tensorflow_serving"), reason="the extra 'serving' is not installed")
def test_by_a_server(served: dict[str, str], exports: Exports) -> None:
    signature = {"grpc": "serving_default", "rest": "encoded"}[served["api"]]
    program.animate(dataclasses.replace(HOW, **served, signature=signature))

    def by_keras(squares: np.ndarray) -> np.ndarray:
        small = [video.fit(square, 64, "stretch") for square in squares]
        return on_pixels(exports.generator)(np.stack(small))

    moved = animation.make_animation(landscape(), by_keras, program.SIDE, HOW)
    here = np.stack(list(moved.frames())).astype(float)
    away = np.abs(frames_in("o") - here)
    assert away.mean() < 0.02 * np.abs(here[-1] - here[0]).mean()
