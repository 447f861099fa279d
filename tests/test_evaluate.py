"""evaluate and compare as a user runs them: as programs."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ssagan_tf
from ssagan_tf import video
from ssagan_tf.data.synthetic import synthetic_clip
from ssagan_tf.options import ModelOptions

ROOT = Path(__file__).parents[1]


def run(program: str, *arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"ssagan_tf.{program}", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def complaint(result: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line of an error."""
    assert result.returncode == code, result.stderr
    [line] = result.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """real/: four clips of two videos; fake/: half-bright ones, fewer pixels of them as videos."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(4):
        clip = synthetic_clip(0, number, 32, 32)
        name = f"v{number // 2}/v{number // 2}_{number % 2}"
        video.write_frames(folder / "real" / name, clip)
        video.write_frames(folder / "fake" / name, clip // 2)
        video.write_mp4(folder / "videos" / f"{name}.mp4", clip, 12)
    return folder


@pytest.fixture(scope="module")
def result(clips: Path) -> Path:
    """Of two folders and all baselines, with the clips saved."""
    output = clips / "result"
    done = run(
        "evaluate",
        f"--data={clips / 'real'}",
        f"--generated=half={clips / 'fake'},{clips / 'videos'}",
        "--baselines=mean_frame,pan,blur,other_clip",
        "--save_clips=frames",
        "--batch_size=3",
        f"--output={output}",
    )
    assert done.returncode == 0, done.stderr
    assert "peak 2 if the real frame has a negative" in done.stdout
    assert "clips per second" in done.stdout
    return output


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def test_metrics_json(result: Path, clips: Path) -> None:
    content = metrics(result)
    assert (content["protocol"], content["clips"], content["videos"]) == ("paper", 4, 2)
    rows = {row["name"]: row for row in content["rows"]}
    assert list(rows) == [
        *("half", "videos", "copy_first_frame"),
        *("mean_frame", "pan", "blur", "other_clip"),
    ]
    real = np.stack([synthetic_clip(0, n, 32, 32) for n in range(4)]).astype("float64") / 127.5 - 1
    half = np.stack([synthetic_clip(0, n, 32, 32) // 2 for n in range(4)]) / 127.5 - 1
    mse = np.square(real - half).mean(axis=(2, 3, 4))
    assert rows["half"]["mse"] == pytest.approx(mse.mean(), rel=1e-5)
    assert rows["half"]["frames_2_to_32"]["mse"] == pytest.approx(mse[:, 1:].mean(), rel=1e-5)
    assert rows["half"]["per_frame"]["mse"][5] == pytest.approx(mse[:, 5].mean(), rel=1e-5)
    moved = [np.abs(np.diff(x, axis=1)).mean() for x in (half, real)]
    assert rows["half"]["motion_ratio"] == pytest.approx(moved[0] / moved[1], rel=1e-4)
    copy = rows["copy_first_frame"]
    assert copy["psnr"] is None is copy["psnr_ci95"]
    assert copy["frames_2_to_32"]["psnr"] > 0
    assert copy["per_frame"]["psnr"][0] is None
    assert copy["motion_ratio"] == copy["flow_ratio"] == 0
    for row in rows.values():
        for name in ("mse", "ssim", "motion_ratio", "flow_ratio"):
            low, high = row[f"{name}_ci95"]
            assert low <= row[name] <= high
    pairs = {tuple(x["rows"]): x for x in content["differences"]}
    assert len(pairs) == 7 * 6 // 2
    difference = pairs["half", "copy_first_frame"]
    assert difference["psnr"] == pytest.approx(
        rows["half"]["frames_2_to_32"]["psnr"] - copy["frames_2_to_32"]["psnr"]
    )
    assert {row["table"] for row in content["reported"]} == {3, 4}
    assert content["conditions"]["clips"] == "layout frames, clip rule all"


def test_the_report_and_its_files(result: Path) -> None:
    text = (result / "report.md").read_text()
    for part in ("| half |", "*SSA-GAN (a) (reported", "Paired differences", "curves.png", "7×7"):
        assert part in text, part
    for link in ("curves.png", "strips/half_best.png", "strips/pan_worst.png"):
        assert link in text
        assert video.read_image(result / link).ndim == 3
    with (result / "clips.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 4 * 7
    assert {line["video"] for line in lines} == {"v0", "v1"}
    film = list(video.read_video(result / "compare.mp4"))
    assert len(film) == 4 * 32
    assert not list(result.parent.glob(".tmp*"))


def test_saved_clips_are_those_that_were_measured(
    result: Path, clips: Path, tmp_path: Path
) -> None:
    output = tmp_path / "again"
    done = run(
        "evaluate",
        f"--data={result / 'clips' / 'real'}",
        f"--generated={result / 'clips' / 'half'}",
        "--nooptical_flow",
        "--protocol=standard",
        f"--output={output}",
    )
    assert done.returncode == 0, done.stderr
    content = metrics(output)
    assert content["protocol"] == "standard"
    [half, _] = content["rows"]
    assert "flow_ratio" not in half
    assert half["mse"] == half["frames_2_to_32"]["mse"]
    before = metrics(result)["rows"][0]["frames_2_to_32"]
    assert 4 * half["mse"] == pytest.approx(before["mse"], rel=1e-6)
    assert half["psnr"] == pytest.approx(before["psnr"], abs=1e-5)  # every frame has negatives


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.keras"
    ssagan_tf.build_generator(ModelOptions(resolution=64, base_filters=1)).save(path)
    return path


def test_a_generator_on_a_prepared_set(synthetic_set: Path, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done = run(
        "evaluate",
        f"--data={synthetic_set}",
        "--split=train",
        "--max_clips=4",
        f"--model={model},again={model}",
        "--batch_norm=batch",
        "--batch_size=3",
        "--attention_at=10,50,0,0",
        "--nooptical_flow",
        f"--output={output}",
    )
    assert done.returncode == 0, done.stderr
    content = metrics(output)
    assert content["clips"] == 4
    assert "4 of 10 drawn with seed 0" in content["conditions"]["clips"]
    first, second, _ = content["rows"]
    assert (first["name"], second["name"]) == ("tiny", "again")
    assert first["mse"] == second["mse"]  # the first left no trace in the statistics
    assert set(first["gamma"].values()) == {0.0}
    assert len(first["gamma"]) == 8
    assert "statistics of batches of 3" in first["about"]
    for place in ("10_50", "0_0"):
        assert video.read_image(output / "attention" / f"tiny_{place}.png").ndim == 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--generated=g"], 2, "--data=: "),
        (["--data=d", "--output=o"], 2, "give --run_dir, --model or --generated"),
        (["--data=d", "--output=o", "--generated=g"], 1, "d: no such folder"),
        (["--data=d", "--output=o", "--run_dir=r"], 1, "r holds no run"),
        (["--data=d", "--output=o", "--generated=real=g"], 2, "real: is the name of another row"),
        (["--data=d", "--output=o", "--generated=g", "--baselines=best"], 2, "--baselines=best"),
        (["--attention_at=1"], 2, "must be whole numbers in pairs"),
        (
            ["--layout=synthetic", "--data=d", "--output=o", "--generated=g"],
            2,
            "--layout=synthetic",
        ),
    ],
)
def test_bad_settings_get_one_line(arguments, code, message, tmp_path: Path) -> None:
    line = complaint(run("evaluate", *[str(a) for a in arguments], cwd=tmp_path), code)
    assert line.startswith("evaluate: ")
    assert message.replace("--baselines=best", "") in line
    assert not list(tmp_path.iterdir())


def _missing(folder: Path) -> None:
    shutil.rmtree(folder / "v0" / "v0_0")


def _too_short(folder: Path) -> None:
    sorted((folder / "v0" / "v0_0").iterdir())[-1].unlink()


def _too_long(folder: Path) -> None:
    shutil.copy(folder / "v0/v0_0/frame_00032.png", folder / "v0/v0_0/frame_00033.png")


def _other_size(folder: Path) -> None:
    path = folder / "v0" / "v0_0" / "frame_00007.png"
    video.write_image(path, np.zeros((16, 16, 3), np.uint8))


def _broken(folder: Path) -> None:
    path = folder / "v0" / "v0_0" / "frame_00007.png"
    path.write_bytes(path.read_bytes()[:100])


def _stranger(folder: Path) -> None:
    shutil.copytree(folder / "v0" / "v0_0", folder / "v9" / "v9_0")


@pytest.mark.parametrize(
    ("damage", "message", "left"),
    [
        (_missing, "no v0/v0_0/1", 3),
        (_too_short, "no v0/v0_0/1: v0/v0_0 is too short: 31 of 32 frames", 3),
        (_too_long, "v0_0 has 33 frames, not 32", 3),
        (_other_size, "frames of different sizes", 3),
        (_broken, "broken picture", 3),
        (_stranger, "v9/v9_0/1 is no clip of the data", 4),
    ],
)
def test_what_is_wrong_with_a_clip_is_named(damage, message, left, clips: Path, tmp_path) -> None:
    """By default nothing is written; with --incomplete=skip the clip is left out for all."""
    folder, output = tmp_path / "fake", tmp_path / "out"
    shutil.copytree(clips / "fake", folder)
    damage(folder)
    arguments = [
        f"--data={clips / 'real'}",
        f"--generated={folder},{clips / 'videos'}",
        "--nooptical_flow",
        f"--output={output}",
    ]
    line = complaint(run("evaluate", *arguments), 1)
    assert "1 clips cannot be compared" in line
    assert message in line
    assert not output.exists()
    if damage is _missing or damage is _stranger:  # the way on is the same for all
        assert run("evaluate", *arguments, "--incomplete=skip").returncode == 0
        content = metrics(output)
        assert content["clips"] == left
        [reason] = content["left_out"]
        assert message in reason
        assert message in (output / "report.md").read_text()


def test_clips_of_another_size_than_the_others(clips: Path, tmp_path: Path) -> None:
    video.write_mp4(tmp_path / "a" / "v0" / "v0_0.mp4", np.zeros((32, 16, 16, 3), np.uint8), 12)
    line = complaint(
        run(
            "evaluate",
            f"--data={clips / 'real'}",
            f"--generated={tmp_path / 'a'},{clips / 'fake'}",
            "--incomplete=skip",
            f"--output={tmp_path / 'o'}",
        ),
        1,
    )
    assert "different sizes: a 16×16, fake 32×32" in line


def test_a_broken_real_video_is_named(clips: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    shutil.copytree(clips / "videos", real)
    path = real / "v0" / "v0_0.mp4"
    path.write_bytes(path.read_bytes()[:3000])
    arguments = [f"--data={real}", f"--generated={clips / 'fake'}", f"--output={tmp_path / 'o'}"]
    line = complaint(run("evaluate", *arguments), 1)
    assert "broken video" in line
    assert "v0_0.mp4" in line


@pytest.mark.parametrize("split", ["sky_test", "sky_train"])
def test_published_output_of_mdgan(footage: Path, split: str, tmp_path: Path) -> None:
    """Against figures of an independent program on the same files."""
    expected = json.loads((footage / "sky48_expected_metrics.json").read_text())[split]
    done = run(
        "evaluate",
        f"--data={footage / 'sky48'}",
        f"--split={split.removeprefix('sky_')}",
        f"--generated=mdgan_stage1={footage / 'sky48_mdgan_stage1'}",
        "--nooptical_flow",
        f"--output={tmp_path / 'o'}",
    )
    assert done.returncode == 0, done.stderr
    content = metrics(tmp_path / "o")
    assert content["clips"] == expected["clips"]
    for row in content["rows"]:
        figures = expected[row["name"]]
        for part, got in (("frames_1_to_32", row), ("frames_2_to_32", row["frames_2_to_32"])):
            if figures[part] is not None:
                assert math.isclose(got["mse"], figures[part]["mse"], abs_tol=1e-4)
                assert math.isclose(got["psnr"], figures[part]["psnr"], abs_tol=1e-3)
                assert math.isclose(got["ssim"], figures[part]["ssim"], abs_tol=1e-4)


def test_compare(clips: Path, tmp_path: Path) -> None:
    systems = f"--systems=real={clips / 'real'},half={clips / 'fake'},videos={clips / 'videos'}"
    film = tmp_path / "film.mp4"
    done = run("compare", systems, f"--output={film}", "--clips=v1_0,v0/v0_1", "--loops=2")
    assert done.returncode == 0, done.stderr
    assert "v1/v1_0/1, v0/v0_1/1" in done.stdout
    frames = np.stack(list(video.read_video(film)))
    assert len(frames) == 64
    side = 160
    column = frames[:32, 40:120, 4 + 20 : side - 20].astype(float)
    half = frames[:32, 40:120, side + 8 + 20 : 2 * side - 20].astype(float)
    np.testing.assert_allclose(half.mean(), column.mean() / 2, atol=3)
    line = complaint(run("compare", systems, f"--output={film}", "--clips=v7"), 2)
    assert "v7 is not in all folders" in line
    assert "must end in .mp4 or .gif" in complaint(run("compare", systems, "--output=a.avi"), 2)
