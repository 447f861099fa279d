"""A run becomes a bundled model."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from export import to_box as program
from ssagan_tf.data.dataset_info import DatasetInfo
from ssagan_tf.errors import DataError
from ssagan_tf.options import OptionError
from tests.box.small_model import make_box, make_run


@pytest.fixture(scope="module")
def data(synthetic_set: Path) -> DatasetInfo:
    return DatasetInfo.from_json((synthetic_set / "dataset_info.json").read_text())


@pytest.fixture(scope="module")
def run(data: DatasetInfo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    make_run(folder, data, data="sets/sky", cache="/scratch")
    return folder


def evaluation(*names: str) -> dict:
    """Returns a metrics.json of a generator and other rows, each slightly worse than the last."""
    rows = [
        {
            "name": name,
            "about": f"generator of {name}, by itself" if name == "mine" else "moved",
            "mse": 0.01 + 0.01 * number,
            "mse_ci95": [0.0, 0.123456],
            "moving_auc": 0.9 + 0.01 * number,
            "motion_ratio": 0.5,
            "psnr": None,
            "flicker": 1.0,
            "seam": 0.5,
            "per_frame": {"mse": [0.0] * 32},
            "gamma": {"conv4": 0.1},
        }
        for number, name in enumerate(names)
    ]
    conditions = {"protocol": "paper", "data": "/home/somebody/sets/sky, prepared", "MSE": "words"}
    return {"rows": rows, "conditions": conditions, "clips": 4, "videos": 2}


def test_the_card(run: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "metrics.json").write_text(
        json.dumps(
            evaluation("mine", "mine_transfer", "copy_first_frame", "constant_wind", "mine_loop")
        )
    )
    make_box(run, tmp_path / "box", metrics=(f"sky48={tmp_path / 'metrics.json'}",))
    text = (tmp_path / "box" / "box64.json").read_text()
    card = json.loads(text)
    assert "somebody" not in text
    assert "/scratch" not in text
    assert str(tmp_path) not in text
    assert card["data"]["clips"] == {"train": 10, "test": 2}
    assert "--base_filters=1" in card["recipe"]["flags"]
    measured = card["measures"]["sky48"]
    assert (measured["clips"], measured["protocol"]) == (4, "paper")
    assert list(measured["rows"]) == [
        *("box64", "box64_transfer", "constant_wind", "copy_first_frame", "box64_loop")
    ]
    assert measured["rows"]["box64_transfer"]["mse"] == 0.02
    assert measured["rows"]["box64"] == {
        "mse": 0.01,
        "mse_ci95": [0.0, 0.1235],
        "moving_auc": 0.9,
        "motion_ratio": 0.5,
        "psnr": None,
        "flicker": 1.0,
        "seam": 0.5,
    }
    # The card lists where baselines without a network do as well.
    assert card["limits"][-4:] == [
        f"On sky48, {baseline}, which needs no network, does at least as well as {kind} in "
        f"motion_ratio, moving_auc."
        for kind in ("the generator's own frames", "the generator's transfer")
        for baseline in ("constant_wind", "copy_first_frame")
    ]
    assert not [path for path in (tmp_path / "box").iterdir() if path.name.startswith(".tmp")]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{", "metrics.json: .*give a metrics.json written by evaluate"),
        ("[]", "give a metrics.json written by evaluate"),
        (json.dumps(evaluation("copy_first_frame")), "expected one row of a generator, got 0"),
        (
            json.dumps(evaluation("mine", "copy_first_frame")),
            "metrics.json has no row mine_transfer and constant_wind; run evaluate with --transfer "
            "--baselines=constant_wind$",
        ),
    ],
)
def test_invalid_evaluations(content: str, match: str, run: Path, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(DataError, match=match):
        make_box(run, tmp_path / "box", metrics=(f"x={tmp_path / 'metrics.json'}",))
    assert not (tmp_path / "box").exists()


def test_runs_that_cannot_be_bundled(data: DatasetInfo, run: Path, tmp_path: Path) -> None:
    make_run(tmp_path / "footage", dataclasses.replace(data, layout="videos"))
    make_run(tmp_path / "went on", data, init_from="runs/other")
    make_run(tmp_path / "begun", data)
    (tmp_path / "begun" / "generator.keras").unlink()
    for name, match in (
        ("footage", "was trained on footage"),
        ("went on", "was started with --init_from=runs/other"),
        ("begun", "is not finished; finish it, or give --checkpoint=newest"),
        ("nowhere", "is not a training run"),
    ):
        with pytest.raises(DataError, match=match):
            make_box(tmp_path / name, tmp_path / "box")
    with pytest.raises(OptionError, match="name=sky: must start with box"):
        make_box(run, tmp_path / "box", "sky")
    with pytest.raises(OptionError, match="name=box: must start with box"):
        make_box(run, tmp_path / "box", "box")
    assert not (tmp_path / "box").exists()


def test_float16_changes_the_clips_too_much(run: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(program, "LEAST_PSNR", 500.0)
    with pytest.raises(DataError, match=r"changes the clips of .* too much: PSNR \d+\.\d dB"):
        make_box(run, tmp_path / "box")
    assert not list((tmp_path / "box").iterdir())
