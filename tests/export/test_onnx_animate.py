"""onnx_animate gives the same videos as animate, without TensorFlow."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ssagan_tf import video
from ssagan_tf.training import generator_source
from tests.export.onnx_files import COLUMNS, drifting, onnx
from tests.export.small_generators import Exports
from tests.programs import ROOT, Result, complaint, run
from tests.sample_photos import HORIZON, landscape, plain

pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with photo.png, mask.png and a model, m.onnx."""
    video.write_image(tmp_path / "photo.png", landscape())
    mask = np.zeros((30, 49, 3), np.uint8)
    mask[:15] = 255
    video.write_image(tmp_path / "mask.png", mask)
    onnx.save(drifting(), tmp_path / "m.onnx")
    return tmp_path


def onnx_animate(place: Path, *arguments: str) -> Result:
    given = [*arguments]
    for default in ("--model=m.onnx", "--image=photo.png", "--output=o"):
        name = default.partition("=")[0]
        if not any(argument.startswith(name) for argument in arguments):
            given.append(default)
    return run("onnx_animate", *given, cwd=place, package="export")


def frames_in(folder: Path) -> np.ndarray:
    return np.stack([video.read_image(path) for path in sorted(folder.iterdir())])


class Drifting:
    """A replacement for the Keras generator that does the same as `drifting`."""

    options = SimpleNamespace(resolution=64)

    def __call__(self, photos: np.ndarray, training: bool) -> np.ndarray:
        return np.stack([photo[:, COLUMNS].swapaxes(0, 1) for photo in photos])


@pytest.mark.parametrize(
    "how",
    [
        ("--fps=5",),
        ("--direction=left", "--seconds=1.6", "--strength=0.5", "--save_motion=by.npz"),
        ("--noloop", "--light=1", "--speed=3", "--fps=4"),
        ("--mask=mask.png", "--repeat=2", "--fps=3"),
    ],
)
def test_same_frames_as_animate(how: tuple[str, ...], place: Path, monkeypatch) -> None:
    program = importlib.import_module("ssagan_tf.animate")
    found = SimpleNamespace(load=lambda compute: Drifting(), name="drifting")
    monkeypatch.setattr(generator_source, "find", lambda options, otherwise: found)
    monkeypatch.setattr(program, "load_tensorflow", lambda: None)
    result = onnx_animate(place, *how)
    assert (result.returncode, result.stderr) == (0, "")
    settings = [argument.replace("by.npz", "expected.npz") for argument in how]
    expected = run("animate", "--image=photo.png", "--output=expected", *settings, cwd=place)
    assert (expected.returncode, expected.stderr) == (0, "")
    (says, *_, made), (also_says, *_, also_made) = (
        each.stdout.splitlines() for each in (result, expected)
    )
    assert says.endswith("frames each, model: m.onnx on CPUExecutionProvider")
    assert says.partition(", model")[0] == also_says.partition(", model")[0]
    assert made.removeprefix("o:") == also_made.removeprefix("expected:")
    frames = frames_in(place / "o")
    np.testing.assert_array_equal(frames, frames_in(place / "expected"))
    assert frames[0].shape == landscape().shape
    assert np.abs(frames[2].astype(float) - frames[0]).mean() > 0.3
    np.testing.assert_array_equal(frames[2][HORIZON + 2 :], landscape()[HORIZON + 2 :])
    if (place / "by.npz").exists():
        moves = [np.load(place / f"{name}.npz")["velocities"] for name in ("by", "expected")]
        np.testing.assert_array_equal(*moves)
        assert moves[0].min() < 0


@pytest.mark.slow
@pytest.mark.numeric
def test_frames_differ_by_a_level_from_those_by_keras(exports: Exports, place: Path) -> None:
    """Clips differ by 1e-6, which rarely changes a pixel's level, and the motion is a smooth field,
    fitted to the median over time of the flow of many pixels. So most frames are the same.
    """
    # The light, too, as it follows the clip however little of its change is motion.
    how = ("--image=photo.png", "--seconds=1", "--fps=6", "--noloop", "--speed=4", "--light=1")
    made = onnx_animate(place, f"--model={exports.onnx()}", *how)
    assert made.returncode == 0, made.stderr
    expected = run("animate", f"--model={exports.keras_file}", "--output=k", *how, cwd=place)
    assert expected.returncode == 0, expected.stderr
    frames, by_keras = (frames_in(place / name).astype(int) for name in ("o", "k"))
    differences = np.abs(frames - by_keras)
    assert (differences <= 1).mean() >= 0.99
    assert differences.mean() < 0.01 * np.abs(by_keras[-1] - by_keras[0]).mean()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model="], 2, "--model=: is required"),
        (["--model=no.onnx"], 1, "no.onnx: not found; give a FILE.onnx written by to_onnx"),
        (["--model=photo.png"], 1, "photo.png: expected a FILE.onnx"),
        (["--model=text.onnx"], 1, "cannot load text.onnx: "),
        (["--model=other.onnx"], 1, "other.onnx: expected a generator written by to_onnx"),
        (["--model=one.onnx"], 1, "one.onnx: expected a generator written by to_onnx"),
        (["--model=jpegs.onnx"], 1, "jpegs.onnx: expected a generator written by to_onnx"),
        (["--model=m.onnx", "--run_dir=r"], 2, "--run_dir is not a setting of onnx_animate"),
        (["--image=no.png"], 1, "cannot read the image no.png"),
        (["--image=black.png"], 1, "black.png: nothing would move: no sky was found"),
        (["--output=o.avi"], 2, "--output=o.avi: must end in .mp4"),
        (["--mask=black.png", "--output=black.png"], 2, "--output=black.png: must end in"),
        (["--save_motion=photo.png"], 2, "--save_motion=photo.png: is also an input"),
        (["--require_gpu"], 1, "--require_gpu: ONNX Runtime has no GPU provider"),
        (["--fit=crop"], 2, "--fit is not a setting of onnx_animate"),
    ],
)
def test_bad_input_gets_one_line(arguments, code, message, place: Path) -> None:
    video.write_image(place / "black.png", plain(0, 0, 0))
    (place / "text.onnx").write_text("no model")
    model = drifting()
    del model.metadata_props[:]
    onnx.save(model, place / "other.onnx")
    for name, end, axes in (
        ("one.onnx", "clip", [1, 32, 64, 64, 3]),
        ("jpegs.onnx", "frames_bytes", ["N", 32]),
    ):
        model = drifting()
        model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(end, 1, axes))
        model.graph.node[-1].output[0] = end
        (place / name).write_bytes(model.SerializeToString())
    before = sorted(place.iterdir())
    line = complaint(onnx_animate(place, *arguments), code)
    assert line.startswith("onnx_animate: ")
    assert message in line
    assert sorted(place.iterdir()) == before


def test_failing_photos_and_a_failing_model(place: Path, capfd) -> None:
    video.write_image(place / "black.png", plain(0, 0, 0))
    photos = "--image=black.png,photo.png"
    how = ("--format=webp", "--seconds=0.2")
    line = complaint(onnx_animate(place, photos, *how), 1)
    assert "onnx_animate: 1 of 2 photos failed: black.png: nothing would move: no sky" in line
    assert [path.name for path in (place / "o").iterdir()] == ["photo.webp"]
    model = drifting()
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(COLUMNS + 64, "columns"))
    (place / "fails.onnx").write_bytes(model.SerializeToString())
    result = onnx_animate(place, photos, *how, "--model=fails.onnx", "--output=p")
    line = complaint(result, 1)
    assert line.startswith("onnx_animate: cannot run fails.onnx: ")
    assert line.count("fails.onnx") == 1  # it is not tried again with the next photo
    assert not (place / "p").exists()
    assert not capfd.readouterr().err  # nothing from ONNX Runtime itself


ALONE = """
import sys
from export.onnx_animate import main
try:
    main()
finally:
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert not loaded & {"tensorflow", "keras", "tf2onnx", "onnx", "torch", "jax"}, loaded
"""


def test_it_needs_opencv_and_no_tensorflow(place: Path) -> None:
    def alone(code: str) -> Result:
        arguments = [f"--{name}={place / file}" for name, file in FILES.items()]
        command = [sys.executable, "-c", code, *arguments, "--seconds=0.2"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    result = alone(ALONE)
    assert (result.returncode, result.stderr) == (0, "")
    assert sum(1 for _ in video.read_video(place / "o.mp4")) == 5
    line = complaint(alone(f"import sys; sys.modules['cv2'] = None\n{ALONE}"), 1)
    assert line == "onnx_animate: cv2 is not installed; pip install opencv-python-headless"


FILES = {"model": "m.onnx", "image": "photo.png", "output": "o.mp4"}
