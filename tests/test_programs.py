"""train and generate, run as a user runs them."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ssagan_tf import video
from ssagan_tf.files import without_wildcards
from ssagan_tf.options import (
    AnimateOptions,
    CompareOptions,
    EvaluateOptions,
    GenerateOptions,
    ImportOptions,
    ModelOptions,
    PrepareOptions,
    StudyOptions,
    SweepOptions,
    TrainOptions,
    VerifyOptions,
)
from ssagan_tf.training import callbacks
from tests.programs import ROOT, complaint, run, run_apart
from tests.surroundings import AWKWARD
from tests.training import tiny
from tests.training.faults import Train

pytestmark = pytest.mark.slow

SMALL = (
    "--resolution=64",
    "--base_filters=2",
    "--ssa_layers=conv4",
    "--batch_size=2",
    "--discriminator_updates=1",
    "--samples=2",
    "--sample_every=2",
    "--checkpoint_every=2",
    "--log_every=1",
    "--flip",
)
STEPS = 4


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, synthetic_set: Path, train_apart: Train
) -> Path:
    """A deterministic run that was killed in the middle and resumed."""
    folder = tmp_path_factory.mktemp("runs") / AWKWARD
    folder.mkdir()
    arguments = (
        *SMALL,
        "--deterministic",
        f"--data={synthetic_set}",
        f"--run_dir={folder / 'run'}",
    )
    result = train_apart(folder, *arguments, f"--steps={STEPS}", real=True, kill_at_step=3)
    assert result.returncode == -signal.SIGKILL, result.stderr
    result = train_apart(folder, *arguments, f"--steps={STEPS}", real=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"resuming at step 2 of {STEPS}" in result.stdout
    return folder / "run"


def test_a_killed_run_resumes(trained: Path) -> None:
    metrics = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    losses = [entry for entry in metrics if "generator_loss" in entry]
    assert [entry["step"] for entry in losses] == list(range(1, STEPS + 1))  # each step once
    assert all(np.isfinite(list(entry.values())).all() for entry in metrics)
    tests = [entry["step"] for entry in metrics if "test_content_loss" in entry]
    assert tests[0] == 0
    assert tests[-1] == STEPS
    assert (trained / "generator.keras").is_file()
    assert list((trained / "tensorboard").glob("events.*"))
    assert not [p for p in trained.rglob("*") if p.name.startswith(".tmp")]
    film = np.stack(list(video.read_video(trained / "samples" / f"step_{STEPS:06d}.mp4")))
    assert film.shape == (32, 2 * 64, 3 * 64, 3)
    assert video.read_image(trained / "samples" / f"step_{STEPS:06d}.png").ndim == 3


def test_it_ends_with_the_weights_of_a_run_that_was_not_killed(
    trained: Path, train_apart: Train, tmp_path: Path
) -> None:
    folder = tmp_path / "whole"
    arguments = (f"--flagfile={trained / 'flags.cfg'}", f"--run_dir={folder}")
    result = train_apart(tmp_path, *arguments, real=True)
    assert result.returncode == 0, result.stderr
    weights = []
    for path in (trained, folder):
        with without_wildcards(path / "checkpoints") as checkpoints:
            reader = tf.train.load_checkpoint(str(checkpoints / f"step-{STEPS}"))
            names = [
                name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name
            ]
            weights.append({name: reader.get_tensor(name) for name in names})
    assert weights[0].keys() == weights[1].keys()
    # Written by a process with other user settings of Keras.
    assert {value.dtype.name for value in weights[0].values()} == {"float32", "int64"}
    for name, value in weights[0].items():
        np.testing.assert_array_equal(value, weights[1][name], err_msg=name)
    generators = [keras.models.load_model(p / "generator.keras") for p in (trained, folder)]
    for ours, theirs in zip(*(g.get_weights() for g in generators), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_finished_run_says_so(trained: Path, train_apart: Train, tmp_path: Path) -> None:
    before = (trained / "generator.keras").read_bytes()
    result = train_apart(tmp_path, f"--flagfile={trained / 'flags.cfg'}", real=True)
    assert result.returncode == 0, result.stderr
    assert f"finished (step {STEPS})" in result.stdout
    assert (trained / "generator.keras").read_bytes() == before


def test_other_settings_are_refused(trained: Path, train_apart: Train, tmp_path: Path) -> None:
    arguments = (f"--flagfile={trained / 'flags.cfg'}", "--base_filters=4")
    result = train_apart(tmp_path, *arguments, real=True)
    assert "--base_filters=4: the run in" in complaint(result, 2)


@pytest.fixture
def _tiny_networks(monkeypatch) -> None:
    tiny.install(monkeypatch.setattr)


@pytest.mark.usefixtures("_tiny_networks")
def test_dry_run_writes_nothing(tmp_path: Path, synthetic_set: Path) -> None:
    folder = tmp_path / "run"
    result = run("train", *SMALL, f"--data={synthetic_set}", f"--run_dir={folder}", "--dry_run")
    assert result.returncode == 0, result.stderr
    assert "10 train clips + 2 test clips" in result.stdout
    assert "\nsetting: discriminator_updates=1 (ssagan's recipe: 5)\n" in result.stdout
    assert not folder.exists()


@pytest.mark.usefixtures("_tiny_networks")
def test_a_shipped_config_for_another_network(tmp_path: Path) -> None:
    arguments = ("--flagfile=demo.cfg", "--network=vgan", "--lambda_con=2", "--dry_run")
    result = run("train", *arguments, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    demo = ROOT / "configs" / "demo.cfg"
    assert lines[0] == f"--flagfile=demo.cfg: using the shipped {demo}"
    assert lines[1].startswith(f"--network=vgan: takes vgan's recipe instead of what {demo} sets")
    assert [line for line in lines if line.startswith("setting:")] == [
        "setting: lambda_con=2 (vgan's recipe: 0)"
    ]


def test_an_old_name_on_the_command_line(tmp_path: Path) -> None:
    result = run("train", "--learning_rate_drops=9,3", cwd=tmp_path)
    assert result.returncode == 2
    warning, error = result.stderr.splitlines()
    assert warning == "train: --learning_rate_drops is now called --learning_rate_milestones"
    assert error.startswith("train: --learning_rate_milestones=9,3: must be whole numbers")


@pytest.mark.usefixtures("_tiny_networks")
@pytest.mark.long
def test_synthetic_data(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    arguments = [*SMALL, "--data=synthetic", "--synthetic_clips=4", f"--run_dir={folder}"]
    result = run("train", *arguments, "--steps=1")
    assert result.returncode == 0, result.stderr
    assert (folder / "data" / "dataset_info.json").is_file()
    result = run("train", *arguments, "--steps=2")
    assert "resuming at step 1" in result.stdout, result.stderr


@pytest.mark.parametrize(
    ("program", "arguments", "code", "message"),
    [
        ("train", ["--run_dir=r"], 2, "--data=: "),
        ("train", ["--data=synthetic"], 2, "--run_dir=: "),
        ("train", ["--data=nowhere", "--run_dir=r"], 1, "nowhere: no such folder"),
        ("train", ["--resolution=100"], 2, "--resolution=100: must be 64·2^k"),
        ("train", ["--resolutoin=64"], 2, "Did you mean: resolution"),
        ("train", ["--steps=many"], 2, "--steps"),
        ("train", ["--flagfile=nowhere.cfg"], 2, "nowhere.cfg"),
        ("train", [f"--flagfile={ROOT / 'docs' / 'demo.png'}"], 2, "is not a text file"),
        ("train", ["extra"], 2, "unexpected argument 'extra'"),
        ("train", ["--fit=crop", "--data=d"], 2, "--fit is not a setting of train"),
        ("train", ["--seed=9999999999"], 2, "--seed=9999999999: must be between"),
        ("train", ["--learning_rate=inf"], 2, "--learning_rate=inf: must be a finite number"),
        ("train", ["--ssa_layers=conv9", "--data=synthetic", "--run_dir=r"], 2, "no conv9"),
        ("train", ["--learning_rate_milestones=9,3"], 2, "=9,3: must be whole numbers"),
        ("train", ["--strategy=tpu"], 2, "--strategy"),
        ("train", ["--network=vgna", "--data=d", "--run_dir=r"], 2, "--network=vgna: must be one"),
        ("train", ["--network=vgan", "--flagfile=demo.cfg"], 2, "give --network after it"),
        ("prepare", ["--motion_target=1", "--source=s", "--output=o"], 2, "--frame_stride=auto"),
        ("evaluate", ["--motion_target=1", "--data=s", "--output=o"], 2, "--frame_stride=auto"),
        ("train", ["--strategy=mirrored", "--data=d", "--run_dir=r"], 2, "no GPU found"),
        (
            "generate",
            ["--run_dir=r", "--model=box", "--image=a", "--output=a.mp4"],
            2,
            "either --run",
        ),
        ("generate", ["--model=box-none", "--image=a", "--output=a.mp4"], 1, "box-none: "),
        ("generate", ["--checkpoint=last"], 2, "must be best, newest, or a step"),
        ("generate", ["--model=m.keras", "--output=a.mp4"], 2, "--image=: "),
        ("generate", ["--model=m.keras", "--image=a.jpg"], 2, "--output=: "),
        ("generate", ["--model=m.keras", "--image=a.jpg", "--output=a.mp4"], 1, "a.jpg"),
        ("generate", ["--model=m.keras", "--image=a.jpg", "--output=a.avi"], 2, "--output=a.avi"),
        ("generate", ["--model=m", "--image=a.jpg,b.jpg", "--output=a.mp4"], 2, "2 photos"),
        (
            "generate",
            ["--model=m", "--image=x/a.jpg,y/a.png", "--output=d"],
            2,
            "would be written to d/a",
        ),
    ],
)
def test_bad_input_gets_one_line(program, arguments, code, message, tmp_path) -> None:
    result = run(program, *arguments, cwd=tmp_path)
    line = complaint(result, code)
    assert line.startswith(f"{program}: ")
    assert message in line
    assert not list(tmp_path.iterdir())


def test_missing_permission_gets_one_line(tmp_path: Path, monkeypatch) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_file", refuse)
        result = run("generate", "--run_dir=r", "--image=a.jpg", "--output=a.mp4", cwd=tmp_path)
    assert complaint(result, 1) == "generate: r/flags.cfg: Permission denied"


def test_help_without_docstrings_in_ascii() -> None:
    command = [sys.executable, "-OO", "-m", "ssagan_tf.train", "--help"]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\nTrainOptions\n" in result.stdout
    assert "vgan and rnngan, at 64x64 only" in result.stdout


@pytest.mark.parametrize("name", ["run_dir", "data", "flagfile"])
def test_names_that_are_not_utf8(tmp_path: Path, monkeypatch, name: str) -> None:
    bad = os.fsdecode(b"caf\xe9")
    line = complaint(run("train", f"--{name}={bad}", cwd=tmp_path), 2)
    assert line == rf"train: '--{name}=caf\udce9' is not utf-8 text; rename the file or folder"
    arguments = ["--model=m.keras", "--image=a.jpg", "--output=a.mp4"]
    with monkeypatch.context() as patch:  # in the middle of the work
        patch.setattr(Path, "is_dir", lambda path: print(end=bad.encode()))
        result = run("generate", *arguments, cwd=tmp_path)
    line = r"generate: expected a UTF-8 name, got caf\udce9"
    assert complaint(result, 1) == line


def test_a_photo_may_have_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    photo = os.fsdecode(b"caf\xe9.jpg")
    arguments = ["--model=m.keras", f"--image={photo}", "--image", photo, "--output=a.mp4"]
    line = complaint(run("generate", *arguments, cwd=tmp_path), 2)
    assert "2 photos" in line
    line = complaint(run("generate", *arguments[:2], "--output=a.mp4", cwd=tmp_path), 1)
    assert r"cannot read the image caf\udce9.jpg: No such file" in line
    arguments[0] = f"--model={photo}"
    assert "is not utf-8 text" in complaint(run("generate", *arguments, cwd=tmp_path), 2)


def test_another_backend_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    result = run_apart("train", "--data=synthetic", "--run_dir=r", cwd=tmp_path)
    assert "KERAS_BACKEND=jax" in complaint(result, 1)


@pytest.mark.usefixtures("_tiny_networks")
def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, synthetic_set: Path) -> None:
    folder = tmp_path / "run"
    arguments = [*SMALL, f"--data={synthetic_set}", f"--run_dir={folder}", "--steps=3"]
    result = run("train", *arguments, "--learning_rate=1e30", "--checkpoint_every=1")
    line = complaint(result, 1)
    assert " became " in line
    assert "lower --learning_rate" in line
    assert not (folder / "generator.keras").exists()


@pytest.mark.usefixtures("_tiny_networks")
def test_ctrl_c_saves_and_says_how_to_resume(
    tmp_path: Path, synthetic_set: Path, monkeypatch
) -> None:
    monkeypatch.setattr(
        callbacks.LogMetrics, "on_step", lambda self, step: signal.raise_signal(signal.SIGINT)
    )
    folder = tmp_path / "run"
    result = run("train", *SMALL, f"--data={synthetic_set}", f"--run_dir={folder}", "--steps=9")
    line = complaint(result, 130)
    assert line.startswith("train: stopped and saved at step 1; run the same command again")
    assert (folder / "checkpoints" / "step-1.index").exists()


def test_clips_of_another_size(tmp_path: Path, synthetic_set: Path) -> None:
    result = run_apart("train", f"--data={synthetic_set}", f"--run_dir={tmp_path / 'r'}")
    assert "--resolution=128: the clips in" in complaint(result, 2)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("program", "sections"),
    [
        ("prepare", [PrepareOptions]),
        ("verify", [VerifyOptions]),
        ("train", [ModelOptions, TrainOptions]),
        ("generate", [GenerateOptions]),
        ("animate", [AnimateOptions]),
        ("import_torch", [ImportOptions]),
        ("evaluate", [EvaluateOptions]),
        ("compare", [CompareOptions]),
        ("study.__main__", [StudyOptions]),
        ("sweep", [SweepOptions]),
    ],
)
def test_help_names_every_setting(program: str, sections: list) -> None:
    result = run(program, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    for section in sections:
        for field in dataclasses.fields(section):
            assert f"\n  --{field.name}=" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


@pytest.mark.usefixtures("_tiny_networks")
def test_a_corrupt_record_is_named(tmp_path: Path, synthetic_set: Path) -> None:
    for split in ("train", "test"):
        data = tmp_path / split
        shutil.copytree(synthetic_set, data)
        shard = next(data.glob(f"{split}-*"))
        content = bytearray(shard.read_bytes())
        content[-1000] ^= 0xFF
        shard.write_bytes(bytes(content))
        result = run("train", *SMALL, f"--data={data}", f"--run_dir={tmp_path / 'r'}", "--steps=9")
        line = complaint(result, 1)
        assert str(shard) in line
        assert "is corrupt" in line


@pytest.fixture
def photo(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, size: tuple[int, int] = (90, 60), mode: str = "RGB", **save) -> Path:
        gradient = np.linspace(0, 255, size[0] * size[1]).reshape(size[::-1]).astype("uint8")
        path = tmp_path / name
        Image.fromarray(gradient).convert(mode).save(path, **save)
        return path

    return write


def test_photos_of_all_kinds_at_once(trained: Path, photo, tmp_path: Path) -> None:
    rotated = Image.Exif()
    rotated[0x0112] = 6  # stands on its side
    photos = [
        photo("wide.jpg", (300, 100)),
        photo("rotated.jpg", (90, 60), exif=rotated),
        photo("grey.png", (64, 64), "L"),
        photo("alpha.png", (50, 77), "RGBA"),
        photo("modern.webp", (41, 33)),
    ]
    images = ",".join(map(str, photos))
    output = tmp_path / "videos"
    result = run(
        "generate",
        f"--run_dir={trained}",
        f"--image={images}",
        f"--output={output}",
        "--format=mp4",
    )
    assert result.returncode == 0, result.stderr
    sizes = {}
    for path in output.iterdir():
        frames = list(video.read_video(path))
        assert len(frames) == 32
        sizes[path.stem] = frames[0].shape[:2]
    assert sizes == {
        "wide": (64, 192),
        "rotated": (96, 64),
        "grey": (64, 64),
        "alpha": (98, 64),
        "modern": (64, 80),
    }


@pytest.mark.parametrize(
    ("fit", "size"), [("stretch", (64, 96)), ("crop", (64, 64)), ("letterbox", (42, 64))]
)
def test_ways_to_fit(trained: Path, photo, tmp_path: Path, fit: str, size) -> None:
    model = trained / "generator.keras"
    path = photo("photo.jpg", (90, 60))
    output = tmp_path / "photo.gif"
    result = run(
        "generate", f"--model={model}", f"--image={path}", f"--output={output}", f"--fit={fit}"
    )
    assert result.returncode == 0, result.stderr
    with Image.open(output) as gif:
        assert gif.size == size[::-1]
        assert gif.n_frames == 32


def test_frames_and_a_run_without_its_generator(trained: Path, photo, tmp_path: Path) -> None:
    """The newest checkpoint gives the same as generator.keras; nothing is overwritten."""
    path = photo("photo.jpg")
    with_file, without = tmp_path / "with", tmp_path / "without"
    assert (
        run(
            "generate",
            f"--run_dir={trained}",
            f"--image={path}",
            f"--output={with_file}",
        ).returncode
        == 0
    )
    kept = trained / "generator.keras"
    kept.rename(trained / "hidden")
    try:
        result = run("generate", f"--run_dir={trained}", f"--image={path}", f"--output={without}")
    finally:
        (trained / "hidden").rename(kept)
    assert result.returncode == 0, result.stderr
    frames = sorted(p.name for p in without.iterdir())
    assert len(frames) == 32
    for name in frames:
        one = video.read_image(with_file / name)
        np.testing.assert_array_equal(one, video.read_image(without / name))
    result = run("generate", f"--run_dir={trained}", f"--image={path}", f"--output={without}")
    assert "is not empty" in complaint(result, 1)


def test_checkpoints_by_name(trained: Path, photo, tmp_path: Path) -> None:
    """`best`, `newest` and a step are found; a missing step is refused, listing those there are."""
    path = photo("photo.jpg")
    best = json.loads((trained / "checkpoints" / "best.json").read_text())["step"]
    for which, step in (("best", best), ("newest", STEPS), (str(STEPS), STEPS)):
        result = run(
            "generate",
            f"--run_dir={trained}",
            f"--checkpoint={which}",
            f"--image={path}",
            f"--output={tmp_path / which}.mp4",
        )
        assert result.returncode == 0, result.stderr
        assert f"step-{step}\n" in result.stdout
    result = run(
        "generate",
        f"--run_dir={trained}",
        "--checkpoint=1",
        f"--image={path}",
        f"--output={tmp_path / 'none.mp4'}",
    )
    assert "--checkpoint=1: not found: the run has the steps" in complaint(result, 2)


def test_a_run_is_evaluated(trained: Path, synthetic_set: Path, tmp_path: Path) -> None:
    output = tmp_path / "evaluation"
    arguments = [f"--data={synthetic_set}", f"--run_dir=ours={trained}", f"--output={output}"]
    result = run("evaluate", *arguments, "--nooptical_flow", "--checkpoint=best")
    assert result.returncode == 0, result.stderr
    content = json.loads((output / "metrics.json").read_text())
    assert [row["name"] for row in content["rows"]] == ["ours", "copy_first_frame"]
    assert content["clips"] == 2
    assert f"generator {trained}, checkpoint best, " in content["rows"][0]["about"]
    assert set(content["rows"][0]["gamma"]) == {"conv4"}
    assert (output / "learning_curves.png").is_file()
    assert "(learning_curves.png)" in (output / "report.md").read_text()


def test_one_bad_photo_among_good_ones_writes_nothing(trained: Path, photo, tmp_path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff nothing")
    output = tmp_path / "videos"
    result = run(
        "generate",
        f"--run_dir={trained}",
        f"--image={photo('good.jpg')},{bad}",
        f"--output={output}",
    )
    assert "bad.jpg" in complaint(result, 1)
    assert not output.exists()
