"""evaluate and compare as a user runs them: as programs."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

import ssagan_tf
from export import to_box
from ssagan_tf import evaluate as evaluate_program
from ssagan_tf import skies, video
from ssagan_tf.compare import compare
from ssagan_tf.data.evaluation_clips import open_footage
from ssagan_tf.errors import DataError
from ssagan_tf.options import (
    CompareOptions,
    ComputeOptions,
    EvaluateOptions,
    ModelOptions,
    OptionError,
    PrepareOptions,
)
from ssagan_tf.skies.any_wind import synthetic_clip
from tests.programs import complaint, run, run_apart

pytestmark = pytest.mark.slow


def evaluate(**settings: object) -> None:
    """The program without its command line."""
    evaluate_program.evaluate(EvaluateOptions(**settings), ComputeOptions())


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """real/: four clips of two videos; fake/: the same, half as bright; videos/: real as mp4s."""
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
    """An evaluation of two folders and some baselines, with the clips saved."""
    output = clips / "result"
    done = run_apart(
        "evaluate",
        f"--data={clips / 'real'}",
        f"--generated=half={clips / 'fake'},{clips / 'videos'}",
        "--baselines=pan,other_clip",
        "--save_clips=frames",
        "--batch_size=3",
        f"--output={output}",
    )
    assert (done.returncode, done.stderr) == (0, "")
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
        *("half", "videos", "copy_first_frame", "pan", "other_clip"),
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
    assert len(pairs) == 5 * 4 // 2
    difference = pairs["half", "copy_first_frame"]
    assert difference["psnr"] == pytest.approx(
        rows["half"]["frames_2_to_32"]["psnr"] - copy["frames_2_to_32"]["psnr"]
    )
    assert {row["table"] for row in content["reported"]} == {3, 4}
    assert content["conditions"]["clips"] == "layout frames, clip rule all"
    assert "ties count half" in content["conditions"]["moving_auc"]
    assert "divided by that over all real ones" in content["conditions"]["motion_ratio"]
    assert "median over the clips" in content["conditions"]["motion_ratio_median"]
    assert (copy["sharpness"], copy["sharpness_clips"]) == (pytest.approx(1, abs=0.3), 4)
    assert copy["flicker"] == 0 < content["real"]["flicker"]
    assert "seam" not in copy


def test_the_report_and_its_files(result: Path) -> None:
    text = (result / "report.md").read_text()
    for part in ("| half |", "*SSA-GAN (a) (reported", "Paired differences", "curves.png", "7×7"):
        assert part in text, part
    for link in ("curves.png", "strips/half_best.png", "strips/videos_worst.png"):
        assert link in text
        assert video.read_image(result / link).ndim == 3
    with (result / "clips.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 4 * 5
    assert {line["video"] for line in lines} == {"v0", "v1"}
    assert len(list(video.read_video(result / "compare.mp4"))) == 2 * 32
    assert not list(result.parent.glob(".tmp*"))


def test_saved_clips_have_the_same_values(result: Path, clips: Path, tmp_path: Path) -> None:
    output = tmp_path / "again"
    evaluate(
        data=str(result / "clips" / "real"),
        generated=(str(result / "clips" / "half"),),
        optical_flow=False,
        protocol="standard",
        output=str(output),
    )
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
    options = ModelOptions(resolution=64, base_filters=1, ssa_layers="conv4,deconv2")
    ssagan_tf.build_generator(options).save(path)
    return path


def test_a_generator_on_a_prepared_set(synthetic_set: Path, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    evaluate(
        data=str(synthetic_set),
        split="train",
        max_clips=4,
        model=f"ours={model}",
        batch_norm="batch",
        batch_size=3,
        attention_at=("10", "50"),
        optical_flow=False,
        output=str(output),
    )
    content = metrics(output)
    assert content["clips"] == 4
    assert "4 of 10 at random with seed 0" in content["conditions"]["clips"]
    row, _ = content["rows"]
    assert row["name"] == "ours"
    assert row["gamma"] == {"conv4": 0.0, "deconv2": 0.0}
    assert "statistics of batches of 3" in row["about"]
    assert video.read_image(output / "attention" / "ours_10_50.png").ndim == 3
    with pytest.raises(OptionError, match="attention_at=3,64: is outside the 64×64 frames"):
        evaluate(
            data=str(synthetic_set),
            model=f"ours={model}",
            attention_at=("3", "64"),
            output=str(tmp_path / "none"),
        )


def test_the_better_of_two_directions(clips: Path, tmp_path: Path) -> None:
    """One folder has the right clips of one video, its other direction those of the other."""
    for name in ("there", "back"):
        shutil.copytree(clips / "fake", tmp_path / name)
    for name, of in (("there", "v0"), ("back", "v1")):
        shutil.copytree(clips / "real" / of, tmp_path / name / of, dirs_exist_ok=True)
    output = tmp_path / "o"
    settings = {
        "data": str(clips / "real"),
        "generated": (f"both={tmp_path / 'there'}", f"one={tmp_path / 'there'}"),
        "direction": "better",
        "optical_flow": False,
        "output": str(output),
    }
    mirrored = {"generated_mirrored": (f"both={tmp_path / 'back'}",)}
    evaluate(**settings, **mirrored, baselines=("pan",), save_clips="frames")
    content = metrics(output)
    rows = {row["name"]: row for row in content["rows"]}
    assert (rows["both"]["mse"], rows["both"]["mirrored_clips"]) == (0, 2)
    assert rows["one"]["mse"] > 0 == rows["one"]["mirrored_clips"]
    assert rows["copy_first_frame"]["mirrored_clips"] == 0
    assert "the better one" in content["conditions"]["direction"]
    text = (output / "report.md").read_text()
    for part in (
        "the better one of two mirrored directions",
        f"2 of 4 clips from the other direction (clips in {tmp_path / 'back'}",
        "in this direction only",
    ):
        assert part in text
    with (output / "clips.csv").open() as file:
        taken = {(line["row"], line["clip"]): line["mirrored"] for line in csv.DictReader(file)}
    assert [taken["both", f"v{n // 2}/v{n // 2}_{n % 2}/1"] for n in range(4)] == list("0011")
    for path in (output / "clips" / "real").rglob("*.png"):
        chosen = output / "clips" / "both" / path.relative_to(output / "clips" / "real")
        assert chosen.read_bytes() == path.read_bytes()
    settings["output"] = str(tmp_path / "none")
    shutil.rmtree(tmp_path / "back" / "v1" / "v1_0")
    with pytest.raises(DataError, match=f"{tmp_path / 'back'}: v1/v1_0/1 not found"):
        evaluate(**settings, **mirrored)
    shutil.rmtree(tmp_path / "back")
    video.write_mp4(tmp_path / "back" / "v0" / "v0_0.mp4", np.zeros((32, 16, 16, 3), "u1"), 12)
    with pytest.raises(DataError, match="both, mirrored 16×16"):
        evaluate(**settings, **mirrored, incomplete="skip")


def test_true_motion_is_closer_to_the_truth_than_constant_wind(
    synthetic_set: Path, model: Path, tmp_path: Path
) -> None:
    evaluate(
        data=str(synthetic_set),
        model=str(model),
        baselines=("true_motion", "constant_wind"),
        direction="better",
        output=str(tmp_path / "o"),
    )
    content = metrics(tmp_path / "o")
    rows = {row["name"]: row for row in content["rows"]}
    assert content["real"]["angle_error"] < 10
    assert rows["true_motion"]["angle_error"] < 10
    assert rows["true_motion"]["speed_ratio"] == pytest.approx(1, abs=0.2)
    assert rows["true_motion"]["angle_error"] < rows["constant_wind"]["angle_error"]
    assert "in this direction only" in rows["true_motion"]["about"]


def test_transfer_rows_next_to_the_generator(model: Path, clips: Path, tmp_path: Path) -> None:
    """At another size than the generator's, with a folder of that size; and in a model card."""
    video.write_frames(tmp_path / "real" / "fog", np.full((32, 32, 32, 3), 180, np.uint8))
    shutil.copytree(clips / "real" / "v0", tmp_path / "real" / "v0")
    settings = {
        "data": str(tmp_path / "real"),
        "model": f"ours={model}",
        "transfer": True,
        "baselines": ("constant_wind",),
        "static_threshold": 0.0,
        "optical_flow": False,
        "direction": "better",
    }
    output = tmp_path / "o"
    folder = (f"folder={tmp_path / 'real'}",)
    evaluate(
        **settings,
        generated=folder,
        loop_metrics=True,
        save_clips="frames",
        size=32,
        output=str(output),
    )
    content = metrics(output)
    rows = {row["name"]: row for row in content["rows"]}
    assert list(rows) == [
        *("ours", "ours_transfer", "ours_loop", "folder", "copy_first_frame", "constant_wind")
    ]
    assert content["conditions"]["size"] == "32×32"
    assert "ours 64×64: photos are resized" in content["conditions"]["generators"]
    assert (rows["ours_transfer"]["still_clips"], rows["ours_loop"]["still_clips"]) == (1, 1)
    assert "still_clips" not in rows["ours"]
    assert rows["ours_transfer"]["psnr"] is None  # frame 1 is the photo
    assert rows["ours_transfer"]["motion_ratio"] > 0
    assert rows["ours_loop"]["seam"] < rows["ours_transfer"]["seam"]
    text = (output / "report.md").read_text()
    assert (
        "Clips of ours_transfer in which nothing moves: 1\n\n- fog/1: the sky is as smooth" in text
    )
    assert "ours_transfer: best clip by MSE" in text
    still = [*(output / "clips" / "ours_transfer" / "fog").rglob("*.png")]
    assert len(still) == 32
    assert all((video.read_image(path) == 180).all() for path in still)

    card = to_box._measures(output / "metrics.json", "box64")
    assert list(card["rows"]) == [
        *("box64", "box64_transfer", "constant_wind", "copy_first_frame", "box64_loop", "folder")
    ]
    assert card["rows"]["box64_transfer"]["still_clips"] == 1
    assert card["rows"]["box64"]["mse"] == pytest.approx(rows["ours"]["mse"], rel=1e-3)

    with pytest.raises(OptionError, match="ours_transfer: is the name of another row"):
        evaluate(**settings, generated=("ours_transfer=g",), output=str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_comparison_with_the_truth_of_procedural_skies(
    synthetic_set: Path, model: Path, tmp_path: Path, monkeypatch
) -> None:
    asked = []

    def truth(clip: str, settings: dict, resolution: int) -> skies.Truth:
        """Claims that all clips drift to the right."""
        asked.append((clip, settings["seed"], resolution))
        shape = (32, resolution, resolution)
        return skies.Truth(
            velocity=np.broadcast_to(np.float32([1.0, 0.0]), (*shape, 2)),
            opacity=np.ones(shape, "f4"),
            moving=np.ones(shape[1:], "f4"),
        )

    monkeypatch.setattr(skies, "stored_clip_truth", truth)
    settings = {"data": str(synthetic_set), "model": str(model), "baselines": ("pan",)}
    evaluate(**settings, loop_metrics=True, output=str(tmp_path / "o"))
    content = metrics(tmp_path / "o")
    rows = {row["name"]: row for row in content["rows"]}
    assert rows["pan"]["angle_error"] == pytest.approx(0, abs=8)
    assert rows["pan"]["speed_ratio"] == pytest.approx(1, abs=0.15)
    still = rows["copy_first_frame"]
    assert (still["angle_error"], still["angle_error_clips"]) == (None, 0)
    assert still["speed_ratio"] == 0
    for row in (*rows.values(), content["real"]):
        low, high = row["speed_ratio_p10_p90"]
        assert low <= row["speed_ratio"] <= high
        assert row["speed_ratio_clips"] == 2
    assert content["real"]["angle_error"] > 0
    names = [
        clip.name for clip in open_footage(PrepareOptions(source=str(synthetic_set)), "test").clips
    ]
    assert set(asked) == {(name, 0, 64) for name in names}
    text = (tmp_path / "o" / "report.md").read_text()
    for part in (
        "Compared with the true velocities",
        "| real |",
        "(copy_first_frame 0",
        "## Loops",
        "seam",
    ):
        assert part in text.replace("(tiny 2, ", "("), part
    with (tmp_path / "o" / "clips.csv").open() as file:
        lines = [line for line in csv.DictReader(file) if line["row"] == "copy_first_frame"]
    assert {line["angle_error"] for line in lines} == {""}
    assert {line["pumping_contrast"] for line in lines} == {"1"}

    monkeypatch.setattr(skies, "stored_clip_truth", lambda *_: None)
    evaluate(**settings, direction="better", output=str(tmp_path / "none"))
    rows = metrics(tmp_path / "none")["rows"]
    assert "angle_error" not in rows[0]
    assert "clips from the other direction (the photo mirrored" in rows[0]["about"]
    assert "true velocities" not in (tmp_path / "none" / "report.md").read_text()


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"data": ""}, OptionError, "data=: "),
        ({"generated": ()}, OptionError, "give --run_dir, --model or --generated"),
        ({}, DataError, "d: no such folder"),
        ({"run_dir": "r"}, DataError, "r is not a training run"),
        ({"checkpoint": "best"}, OptionError, "checkpoint=best: needs --run_dir"),
        ({"attention_at": ("1", "2")}, OptionError, "attention_at=1,2: needs a generator"),
        ({"transfer": True}, OptionError, "transfer=True: needs a generator: give --run_dir"),
        ({"size": 6}, OptionError, "size=6: must be 0, or from 7 to 1024"),
        ({"generated": ("real=g",)}, OptionError, "real: is the name of another row"),
        ({"layout": "synthetic"}, OptionError, "layout=synthetic"),
        ({"baselines": ("best",)}, OptionError, "baselines=best: must be one of copy_first_frame"),
        ({"generated": ("n" * 201 + "=g",)}, OptionError, "is too long for names of files"),
        ({"generated_mirrored": ("g=h",)}, OptionError, "mirrored=g: needs --direction=better"),
        (
            {"direction": "better", "generated_mirrored": ("h",)},
            OptionError,
            "generated_mirrored=h: is not a row of --generated; give NAME=PATH",
        ),
        ({"direction": "better", "generated_mirrored": ("=h",)}, OptionError, "must be NAME=PATH"),
    ],
)
def test_bad_settings(settings, kind, message, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=message):
        evaluate(**{"data": "d", "output": "o", "generated": ("g",), **settings})
    assert not list(tmp_path.iterdir())


def test_an_error_is_one_line(tmp_path: Path) -> None:
    done = run("evaluate", f"--data={tmp_path}/d", f"--output={tmp_path}/o", "--generated=g")
    assert complaint(done, 1).startswith("evaluate: ")


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


def _unknown(folder: Path) -> None:
    shutil.copytree(folder / "v0" / "v0_0", folder / "v9" / "v9_0")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_missing, "v0/v0_0/1 not found"),
        (_too_short, "v0/v0_0/1 not found: v0/v0_0 is too short: 31 of 32 frames"),
        (_too_long, "v0_0 has 33 frames, expected 32"),
        (_other_size, "frames of different sizes"),
        (_broken, "broken picture"),
        (_unknown, "v9/v9_0/1 is not a clip of the data"),
    ],
)
def test_problems_of_clips_are_named(damage, message, clips: Path, tmp_path) -> None:
    """By default nothing is written; --incomplete=skip leaves the clip out for all systems."""
    folder, output = tmp_path / "fake", tmp_path / "out"
    shutil.copytree(clips / "fake", folder)
    damage(folder)
    settings = {
        "data": str(clips / "real"),
        "generated": (str(folder), str(clips / "videos")),
        "optical_flow": False,
        "output": str(output),
    }
    with pytest.raises(DataError) as caught:
        evaluate(**settings)
    assert str(caught.value).startswith("1 clips cannot be compared: ")
    assert message in str(caught.value)
    assert not output.exists()
    if damage is _missing:  # the others are left out in the same way
        evaluate(**settings, incomplete="skip")
        content = metrics(output)
        assert content["clips"] == 3
        [reason] = content["left_out"]
        assert message in reason
        assert message in (output / "report.md").read_text()


def test_clips_of_different_sizes(clips: Path, tmp_path: Path) -> None:
    video.write_mp4(tmp_path / "a" / "v0" / "v0_0.mp4", np.zeros((32, 16, 16, 3), np.uint8), 12)
    with pytest.raises(DataError, match="different sizes: a 16×16, fake 32×32"):
        evaluate(
            data=str(clips / "real"),
            generated=(str(tmp_path / "a"), str(clips / "fake")),
            incomplete="skip",
            output=str(tmp_path / "o"),
        )
    with pytest.raises(DataError, match="different sizes: --size 48×48, fake 32×32"):
        evaluate(
            data=str(clips / "real"),
            generated=(str(clips / "fake"),),
            size=48,
            output=str(tmp_path / "o"),
        )


def test_a_broken_real_video_is_named(clips: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    shutil.copytree(clips / "videos", real)
    path = real / "v0" / "v0_0.mp4"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"broken video: .*v0_0\.mp4"):
        evaluate(data=str(real), generated=(str(clips / "fake"),), output=str(tmp_path / "o"))


@pytest.mark.parametrize("split", ["sky_test", pytest.param("sky_train", marks=pytest.mark.long)])
def test_similarity_of_published_output(footage: Path, split: str, tmp_path: Path) -> None:
    """Compared with the values of an independent program on the same files."""
    expected = json.loads((footage / "sky48_expected_metrics.json").read_text())[split]
    evaluate(
        data=str(footage / "sky48"),
        split=split.removeprefix("sky_"),
        generated=(f"mdgan_stage1={footage / 'sky48_mdgan_stage1'}",),
        optical_flow=False,
        output=str(tmp_path / "o"),
    )
    content = metrics(tmp_path / "o")
    assert content["clips"] == expected["clips"]
    for row in content["rows"]:
        figures = expected[row["name"]]
        for part, got in (("frames_1_to_32", row), ("frames_2_to_32", row["frames_2_to_32"])):
            if figures[part] is not None:
                assert math.isclose(got["mse"], figures[part]["mse"], abs_tol=1e-4)
                assert math.isclose(got["psnr"], figures[part]["psnr"], abs_tol=1e-3)
                assert math.isclose(got["ssim"], figures[part]["ssim"], abs_tol=1e-4)


@pytest.mark.long
def test_moving_regions_of_published_output(footage: Path, tmp_path: Path) -> None:
    """Compared with an independent program on the 36 clips, to two digits."""
    evaluate(
        data=str(footage / "sky48"),
        split="all",
        generated=(f"mdgan_stage1={footage / 'sky48_mdgan_stage1'}",),
        optical_flow=False,
        output=str(tmp_path / "o"),
    )
    generated, copy = metrics(tmp_path / "o")["rows"]
    assert (generated["moving_auc_clips"], generated["ground_leak_clips"]) == (23, 23)
    figures = ("moving_auc", "ground_leak", "sharpness", "motion_ratio_median")
    expected = {"": (0.63, 0.70, 0.90, 1.06), "copy": (0.5, 0, 0.99, 0)}
    for row, values in ((generated, expected[""]), (copy, expected["copy"])):
        assert [row[name] for name in figures] == pytest.approx(values, abs=0.005)


def test_compare(clips: Path, tmp_path: Path, capsys) -> None:
    systems = tuple(f"{name}={clips / name}" for name in ("real", "fake", "videos"))
    path = tmp_path / "side_by_side.mp4"
    compare(CompareOptions(systems=systems, output=str(path), clips=("v1_0", "v0/v0_1"), loops=2))
    assert "v1/v1_0/1, v0/v0_1/1" in capsys.readouterr().out
    frames = np.stack(list(video.read_video(path)))
    assert len(frames) == 64
    real, fake = (frames[:32, 50:90, left : left + 80].mean() for left in (12, 112))
    assert fake == pytest.approx(real / 2, abs=3)
    with pytest.raises(OptionError, match="v7 is not in all folders"):
        compare(CompareOptions(systems=systems, output=str(path), clips=("v7",)))
    with pytest.raises(OptionError, match=r"must end in \.mp4 or \.gif"):
        compare(CompareOptions(systems=systems, output="a.avi"))
