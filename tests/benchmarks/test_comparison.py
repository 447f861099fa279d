"""The comparison: its rows can be trained, its table and strips say what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.comparison import clips, row, strips, table
from benchmarks.comparison.systems import BATCH, CLIPS_SEEN, COMMON, STEPS, SYSTEMS
from ssagan_tf import flags, video
from ssagan_tf.models import REGISTRY
from ssagan_tf.options import ModelOptions, TrainOptions

# The systems of the paper's Tables 3 and 4. Other networks may have a row.
PUBLISHED = ("ssagan", "ssagan_stage2", "mdgan_stage1", "mdgan_stage2", "vgan", "rnngan")


@pytest.mark.parametrize("name", SYSTEMS)
def test_rows_train_with_the_published_recipe(name: str, tmp_path: Path) -> None:
    command = row.train_command(name, 2, "sets/skies", "runs")
    config = tmp_path / "row.cfg"
    config.write_text("\n".join(command[3:]))
    values = flags.from_file(str(config))
    model, training = flags.read(ModelOptions, values), flags.read(TrainOptions, values)
    assert (model.resolution, model.base_filters) == (64, 8)
    assert training.batch_size * training.steps == CLIPS_SEEN
    assert training.seed == 2
    assert training.run_dir == f"runs/{name}_seed2"
    assert bool(training.stage1) == REGISTRY[model.network].takes_clip
    ours = {each.removeprefix("--").partition("=")[0] for each in SYSTEMS[name].settings}
    if name in PUBLISHED:
        assert ours == {"network"}
    for setting, value in TrainOptions.recipes.get(model.network, {}).items():
        assert getattr(training, setting) == value or setting in ours


def test_every_published_system_has_a_row() -> None:
    settings = " ".join(setting for system in SYSTEMS.values() for setting in system.settings)
    assert all(f"--network={network}" in settings for network in PUBLISHED)
    assert all(system.first_stage in ("", *SYSTEMS) for system in SYSTEMS.values())


def made_up(system: str, seed: int, mse: float) -> dict[str, Any]:
    figures = {"l1": 0.1, "mse": mse, "ssim": 0.5, "angle_error": None, "speed_ratio": 0.75}
    weights = {"generator": 2_000_000, "discriminator": 1, "first_stage": 500_000}
    return {
        "system": system,
        "seed": seed,
        "figures": figures,
        "weights": weights,
        "step_seconds": {"discriminator": 3.0, "generator": 2.0},
        "clips_seen": CLIPS_SEEN,
    }


def test_table_averages_seeds_and_lists_missing_rows() -> None:
    results = {
        "ssagan_seed1": made_up("ssagan", 1, 0.02),
        "ssagan_seed3": made_up("ssagan", 3, 0.04),
        "vgan_seed1": made_up("vgan", 1, 0.05),
    }
    head, _, ssagan, vgan, _, missing = table.table_lines(results)
    assert head.startswith("|  | seeds | L1 ↓ | MSE ↓ |")
    cells = [cell.strip() for cell in ssagan.split("|")[1:-1]]
    assert cells[:4] == [SYSTEMS["ssagan"].title, "2", "0.1000", "0.0300 [0.0200, 0.0400]"]
    assert cells[-6:] == ["", "-25", "1.5", "2.50", "8,000", ""]
    assert vgan.split("|")[4].strip() == "0.0500"
    listed = missing.removeprefix("Not run yet: ").rstrip(".").split(", ")
    assert {"ssagan_short_seed2", "rnngan_seed1", "bounds"} <= set(listed)
    assert not {"ssagan_seed1", "vgan_seed1"} & set(listed)


def test_recorded_results_are_of_these_settings() -> None:
    for name, result in table.read_results().items():
        if name == row.BOUNDS:
            assert set(table.BOUND_TITLES) == set(result["figures"])
            continue
        system = SYSTEMS[result["system"]]
        assert name == f"{result['system']}_seed{result['seed']}"
        assert result["settings"] == [*COMMON, *system.settings]
        assert result["clips_seen"] == CLIPS_SEEN == BATCH * STEPS
        assert 0 < result["figures"]["l1"] < 2


def write_clip(folder: Path, clip: np.ndarray) -> None:
    for number, frame in enumerate(clip):
        video.write_image(folder / f"frame_{number:05d}.png", frame)


def test_mean_absolute_error_is_that_of_values_in_minus_one_to_one(tmp_path: Path) -> None:
    black = np.zeros((3, 8, 8, 3), np.uint8)
    for name, value in (("a", 255), ("b/0", 51)):
        write_clip(tmp_path / "real" / name, black)
        write_clip(tmp_path / "made" / name, np.full_like(black, value))
    assert clips.clips_in(tmp_path / "real") == ["a", "b/0"]
    error = clips.mean_absolute_error(tmp_path / "real", tmp_path / "made")
    assert error == pytest.approx((2.0 + 0.4) / 2)


def test_strips_are_small_and_can_hide_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = {"ssagan": "ssagan_seed1", "vgan": "vgan_seed1", "rnngan": "rnngan_seed1"}
    for name, folder in rows.items():
        shown = tmp_path / "runs" / folder / row.EVALUATION / row.SHOWN
        for each in ("real", name):
            noise = rng.integers(0, 256, (5, 64, 64, 3), np.uint8)
            write_clip(shown / each / "sky" / "0", noise)
    [named] = strips.draw_strips(str(tmp_path / "runs"), str(tmp_path / "named"))
    assert named.stat().st_size <= strips.LARGEST_BYTES
    [blind] = strips.draw_strips(str(tmp_path / "runs"), str(tmp_path / "blind"), blind_seed=7)
    names = json.loads((tmp_path / "blind" / "names.json").read_text())
    assert sorted(names) == ["A", "B", "C"]
    assert sorted(names.values()) == sorted(SYSTEMS[name].title for name in rows)
    assert video.read_image(named).shape != video.read_image(blind).shape  # narrower labels


def test_refuses_other_data(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no prepared set"):
        row.check_data(str(tmp_path))
    (tmp_path / "dataset_info.json").write_text('{"settings": {"benchmark": ""}}')
    with pytest.raises(SystemExit, match="expected the benchmark procedural-skies-64-v1, got ano"):
        row.check_data(str(tmp_path))


def test_the_page_gets_table_and_pictures(tmp_path: Path) -> None:
    page, pictures = tmp_path / "page.md", tmp_path / "page"
    page.write_text("before\n<!-- table -->\nold\n<!-- end -->\nafter\n")
    pictures.mkdir()
    (pictures / "strips_1.png").touch()
    for _ in range(2):
        table.update_page(page, pictures)
        text = page.read_text()
        assert text.startswith("before\n<!-- table -->\n\n|")
        assert text.endswith("](page/strips_1.png)\n\n<!-- end -->\nafter\n")
        assert "old" not in text
        assert text.count("Not run yet") == 1
