"""animate as a user runs it, and as a function; a stand-in for the generator drifts the photo."""

from __future__ import annotations

import importlib
import inspect
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace

import av
import cv2
import numpy as np
import pytest
from PIL import Image

import ssagan_tf
from ssagan_tf import animation, animation_jobs, video
from ssagan_tf.motion.transfer import NothingMovesError
from ssagan_tf.options import AnimateOptions, ModelOptions, MotionOptions
from ssagan_tf.pixels import on_pixels
from ssagan_tf.training import generator_source
from tests.programs import Result, complaint, run, run_apart
from tests.sample_photos import HEIGHT, HORIZON, WIDTH, Drift, clouds, landscape, plain


@pytest.fixture
def animate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs the program in a folder that holds photo.png, as one of two arguments."""
    program = importlib.import_module("ssagan_tf.animate")
    found = SimpleNamespace(load=lambda compute: Drift(), name="drift")
    monkeypatch.setattr(generator_source, "find", lambda options, otherwise: found)
    monkeypatch.setattr(program, "load_tensorflow", lambda: None)
    video.write_image(tmp_path / "photo.png", landscape())

    def run_it(*arguments: object) -> Result:
        given = [*arguments]
        for default in ("--image=photo.png", "--output=o.mp4"):
            name = default.partition("=")[0]
            if not any(str(argument).startswith(name) for argument in arguments):
                given.append(default)
        return run("animate", *given, cwd=tmp_path)

    return run_it


def test_the_function_has_the_name_of_the_program(monkeypatch) -> None:
    def load(name: str) -> ModuleType:
        return importlib.import_module(f"ssagan_tf.{name}")

    assert inspect.getsourcefile(load("animate").main).endswith("animate.py")
    assert ssagan_tf.animate is animation.animate
    monkeypatch.delitem(sys.modules, "ssagan_tf.animate")
    assert load("animate").main
    assert ssagan_tf.animate is animation.animate
    generate = load("generate")
    assert ssagan_tf.generate is generate  # others are unchanged


def test_the_function_has_the_settings_of_the_program() -> None:
    parameters = inspect.signature(ssagan_tf.animate).parameters
    defaults = {name: p.default for name, p in parameters.items()}
    settings = vars(MotionOptions())
    assert {name: defaults[name] for name in settings} == settings
    assert set(defaults) - set(settings) == {"photo", "mask", "generator"}


@pytest.mark.parametrize("loop", [True, False])
def test_the_sky_moves_and_the_land_does_not(loop: bool) -> None:
    photo = landscape()
    frames = list(ssagan_tf.animate(photo, 2, fps=10, loop=loop, generator=Drift()))
    assert [frame.shape for frame in frames] == 20 * [photo.shape]
    assert {frame.dtype for frame in frames} == {np.dtype(np.uint8)}
    sky = photo[: HORIZON - 8].astype(float)
    assert np.abs(frames[10][: HORIZON - 8] - sky).mean() > 2
    for frame in frames:
        np.testing.assert_array_equal(frame[HORIZON + 2 :], photo[HORIZON + 2 :])
    if not loop:
        np.testing.assert_array_equal(frames[0], photo)
    steps = [np.abs(np.subtract(a, b, dtype=float)).mean() for a, b in pairwise(frames)]
    assert min(steps) > 0  # none doubles another one
    seam = np.abs(np.subtract(frames[-1], frames[0], dtype=float)).mean()
    assert (0 < seam < 2 * np.mean(steps)) == loop


def test_left_is_right_of_the_mirrored_photo() -> None:
    photo, mirrored = landscape(), np.ascontiguousarray(landscape()[:, ::-1])
    how = {"seconds": 1, "fps": 5, "loop": False, "speed": 4, "generator": Drift()}
    left = list(ssagan_tf.animate(mirrored, direction="left", **how))
    right = list(ssagan_tf.animate(photo, direction="right", **how))
    for one, other in zip(left, right, strict=True):
        np.testing.assert_allclose(one[:, ::-1].astype(int), other, atol=2)
    assert np.abs(np.subtract(right[-1], right[0], dtype=float)).max() > 20


def test_the_default_generator_is_the_bundled_one(monkeypatch) -> None:
    monkeypatch.setattr(generator_source, "load_generator", Drift)
    assert len(list(ssagan_tf.animate(landscape(), 0.2))) == 5


def test_speed_is_relative_to_the_width() -> None:
    for photo in (landscape(), landscape(3 * HEIGHT, 3 * WIDTH)):
        moving = animation.make_animation(photo, on_pixels(Drift()), 64, MotionOptions())
        speed = np.median(moving.velocities[: photo.shape[0] // 2, :, 0]) / photo.shape[1]
        assert speed * MotionOptions().fps == pytest.approx(0.015, rel=0.4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": 0.0}, "seconds=0.0: must be between"),
        ({"seconds": 0.1, "fps": 5.0}, "seconds=0.1: is less than 2 frames at 5.0 fps"),
        ({"direction": "up"}, "direction=up: must be one of right, left"),
        ({"photo": landscape()[..., :1]}, "expected uint8"),
        ({"photo": landscape() / 255}, "expected uint8"),
        ({"mask": np.ones((60, 97))}, "expected a uint8 mask, got float64"),
        (
            {"mask": np.ones((50, 50), np.uint8)},
            "its size 50×50 does not match the photo's aspect ratio",
        ),
        ({"mask": landscape()}, "expected a mask of shape"),
        ({"photo": plain(90, 140, 220)}, "as smooth as fog"),
        ({"photo": plain(0, 0, 0)}, "no sky was found"),
        ({"photo": plain(0, 0, 0)[:1, :1]}, "no sky"),
        ({"photo": clouds(1, 1)}, "too small"),
    ],
)
def test_invalid_arguments_are_refused_before_the_first_frame(change: dict, message: str) -> None:
    arguments = {"photo": landscape(), "generator": Drift()} | change
    with pytest.raises(ValueError, match=message):
        ssagan_tf.animate(**arguments)


@pytest.mark.parametrize("shape", [(1, 60), (2, 2), (9, 7), (20, 200), (200, 20), (64, 64)])
@pytest.mark.parametrize("loop", [True, False])
def test_pictures_of_any_shape(shape: tuple[int, int], loop: bool) -> None:
    """They move, or NothingMovesError is raised."""
    try:
        frames = ssagan_tf.animate(
            clouds(*shape), 0.5, fps=8, loop=loop, light=1, generator=Drift()
        )
    except NothingMovesError:
        assert max(shape) < 20
    else:
        assert [frame.shape for frame in frames] == 4 * [(*shape, 3)]


@pytest.mark.parametrize(
    "shape", [(3000, 4000), (2160, 3840), (2161, 3840), (410, 4096), (900, 9000), (6000, 40)]
)
def test_photos_of_more_than_4k_are_reduced(shape: tuple[int, int]) -> None:
    height, width = animation_jobs.limit_size(np.zeros((*shape, 3), np.uint8)).shape[:2]
    assert height * width <= 3840 * 2160
    assert max(height, width) <= 4096
    assert width / height == pytest.approx(shape[1] / shape[0], rel=0.05)
    fits = shape[0] * shape[1] <= 3840 * 2160 and max(shape) <= 4096
    assert ((height, width) == shape) == fits


@pytest.mark.parametrize(
    ("output", "extra", "frames"),
    [
        ("o.mp4", (), 24),
        ("o.mp4", ("--repeat=3",), 72),
        ("o.mp4", ("--noloop", "--light=1"), 24),
        ("o.gif", (), 24),
        ("o.webp", (), 24),
        ("o", ("--no-loop",), 24),
        ("o", ("--repeat=2",), 48),
    ],
)
def test_the_suffix_decides_the_format(animate, tmp_path, output, extra, frames) -> None:
    result = animate(f"--output={output}", "--seconds=3", "--fps=8", *extra)
    assert (result.returncode, result.stderr) == (0, "")
    size, seconds = (97, 60), frames / 8
    assert result.stdout.splitlines()[-1] == f"{output}: 97×60, {seconds:g} s"
    path = tmp_path / output
    if output.endswith(".mp4"):
        with av.open(path) as file:
            track = file.streams.video[0]
            assert (track.frames, track.duration * track.time_base) == (frames, seconds)
            assert (track.width, track.height, track.pix_fmt) == (98, 60, "yuv420p")
    elif output == "o":
        names = sorted(path.iterdir())
        assert len(names) == frames
        assert video.read_image(names[-1]).shape == (60, 97, 3)
    else:
        with Image.open(path) as picture:
            assert (picture.n_frames, picture.size, picture.info["loop"]) == (frames, size, 0)
            times = []
            for number in range(frames):
                picture.seek(number)
                picture.load()
                times.append(picture.info["duration"])
        assert sum(times) == 1000 * seconds


def test_recurring_frames_are_computed_once(animate, monkeypatch) -> None:
    """Memory and time depend on the motion, not on --seconds."""
    calls = []

    def count(job, frames, fps, repeat=1) -> None:
        calls.append((len(list(frames)), repeat))

    monkeypatch.setattr(animation_jobs.Job, "write", count)
    assert animate("--seconds=24", "--fps=10", "--repeat=2").returncode == 0
    assert animate("--seconds=24", "--fps=10", "--output=o.gif").returncode == 0
    assert animate("--seconds=24", "--fps=10", "--light=1").returncode == 0
    (different, times), *others = calls
    assert times > 2
    assert different * times == 2 * 240
    assert others == 2 * [(240, 1)]  # a GIF is as long as asked for; light comes and goes once


@pytest.mark.parametrize("ending", ["png", "npz", "flo"])
@pytest.mark.parametrize("direction", ["right", "left"])
def test_the_motion_is_saved(animate, tmp_path, ending, direction) -> None:
    file = tmp_path / f"motion.{ending}"
    arguments = [f"--save_motion={file}", f"--direction={direction}", "--seconds=0.2"]
    assert animate(*arguments).returncode == 0
    if ending == "png":
        picture = video.read_image(file)
        assert (picture[HORIZON + 2 :] == 255).all()
        red, _, blue = picture[:20].reshape(-1, 3).astype(float).mean(axis=0)
        assert (red > blue) == (direction == "right")
        return
    saved = cv2.readOpticalFlow(str(file)) if ending == "flo" else np.load(file)["velocities"]
    assert saved.shape == (HEIGHT, WIDTH, 2)
    assert not saved[HORIZON + 2 :].any()
    speed = np.median(saved[:20, :, 0])  # in pixels a frame
    assert 0.02 < (speed if direction == "right" else -speed) < 0.3


def test_mask(animate, tmp_path) -> None:
    mask = np.zeros((30, 49, 3), np.uint8)  # another size, the same aspect up to rounding
    mask[20:] = 255
    video.write_image(tmp_path / "mask.png", mask)
    result = animate("--mask=mask.png", "--output=o", "--seconds=2", "--fps=4")
    assert result.returncode == 0, result.stderr
    frames = [video.read_image(path) for path in sorted((tmp_path / "o").iterdir())]
    photo = landscape()
    np.testing.assert_array_equal(frames[4][:36], photo[:36])
    assert np.abs(frames[4][45:].astype(float) - photo[45:]).mean() > 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--image=no.png"], 1, "cannot read the image no.png: No such file"),
        (["--image=no.png,nothing.png", "--output=o"], 1, "2 of 2 photos failed: cannot read"),
        (["--output=o.avi"], 2, "--output=o.avi: must end in .mp4"),
        (["--output=photo.png/o.mp4", "--seconds=0.2"], 1, "cannot write photo.png/o.mp4"),
        (["--mask=no.png"], 1, "cannot read the image no.png"),
        (["--mask=square.png"], 1, "mask square.png does not fit photo.png: its size 9×9"),
        (["--mask=black.png"], 1, "photo.png: nothing would move: the mask is black"),
        (
            ["--image=black.png"],
            1,
            "black.png: nothing would move: no sky was found; mark what moves with --mask",
        ),
        (["--image=blue.png"], 1, "blue.png: nothing would move: the sky is as smooth"),
        (["--save_motion=o.txt"], 2, "--save_motion=o.txt: must end in .png, .npz, .flo"),
        (["--save_motion=o.png", "--image=photo.png,blue.png", "--output=o"], 2, "one file, but"),
        (["--save_motion=photo.png"], 2, "--save_motion=photo.png: is also an input"),
        (["--save_motion=o.png", "--mask=o.png"], 2, "--mask=o.png: is also an input"),
        (["--save_motion=folder.png"], 2, "--save_motion=folder.png: is a directory"),
        (["--repeat=2", "--output=o.gif"], 2, "--repeat=2: a gif file repeats forever"),
        (["--secnds=3"], 2, "Did you mean: seconds"),
        (["--fit=crop"], 2, "--fit is not a setting of animate"),
        (["--seconds=1", "--fps=0.5"], 2, "--seconds=1.0: is less than 2 frames"),
    ],
)
def test_bad_input_gets_one_line(animate, tmp_path, arguments, code, message) -> None:
    video.write_image(tmp_path / "square.png", np.full((9, 9, 3), 255, np.uint8))
    video.write_image(tmp_path / "black.png", plain(0, 0, 0))
    video.write_image(tmp_path / "blue.png", plain(90, 140, 220))
    (tmp_path / "folder.png").mkdir()
    before = sorted(tmp_path.iterdir())
    line = complaint(animate(*arguments), code)
    assert line.startswith("animate: ")
    assert message in line
    assert sorted(tmp_path.iterdir()) == before


def test_a_failing_photo_does_not_stop_the_others(animate, tmp_path) -> None:
    video.write_image(tmp_path / "black.png", plain(0, 0, 0))
    (tmp_path / "text.png").write_text("no picture")
    arguments = ["--image=black.png,photo.png,text.png", "--output=o", "--format=webp"]
    line = complaint(animate(*arguments, "--seconds=0.2"), 1)
    assert "animate: 2 of 3 photos failed: black.png: nothing would move: no sky" in line
    assert "; cannot read the image text.png" in line
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["photo.webp"]


def test_reducing_a_photo_is_reported(animate, monkeypatch) -> None:
    monkeypatch.setattr(animation_jobs, "MAX_PIXELS", 60 * 97 // 2)
    result = animate("--seconds=0.2")
    assert "photo.png: reduced from 97×60 to 68×42 (the limit is 4K)\n" in result.stdout
    assert "o.mp4: 68×42, 0.2 s\n" in result.stdout


@pytest.mark.parametrize("output", ["o.mp4", "o.gif", "o"])
def test_ctrl_c_leaves_nothing(animate, tmp_path, monkeypatch, output) -> None:
    def interrupted(animation: animation.Animation):
        yield animation.photo
        raise KeyboardInterrupt

    monkeypatch.setattr(animation.Animation, "frames", interrupted)
    before = sorted(tmp_path.iterdir())
    result = animate(f"--output={output}", "--repeat=1")
    assert complaint(result, 130) == "animate: interrupted"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
@pytest.mark.long
def test_a_network_from_a_file_as_a_command(tmp_path) -> None:
    options = ModelOptions(resolution=64, base_filters=2, ssa_layers="none")
    ssagan_tf.build_generator(options).save(tmp_path / "model.keras")
    video.write_image(tmp_path / "photo.png", landscape())
    result = run_apart(
        "animate",
        "--image=photo.png",
        "--output=o.mp4",
        "--model=model.keras",
        "--seconds=1",
        cwd=tmp_path,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "o.mp4: 97×60, 1 s\n" in result.stdout
    assert sum(1 for _ in video.read_video(tmp_path / "o.mp4")) == 25


def test_the_settings() -> None:
    names = {"image", "output", "format", "run_dir", "model", "checkpoint", "mask", "save_motion"}
    assert names | set(vars(MotionOptions())) | {"repeat"} == set(vars(AnimateOptions()))
