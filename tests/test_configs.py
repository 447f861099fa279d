"""Every shipped config parses and builds, and its head says what it is."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

import pytest
from absl import flags as absl_flags

import ssagan_tf
from ssagan_tf import flag_files, flags, options
from ssagan_tf.flag_files import read_command_line, shipped_config
from ssagan_tf.models import REGISTRY

ROOT = Path(__file__).parents[1]
EVERY_CONFIG = pytest.mark.parametrize(
    "path", sorted((ROOT / "configs").glob("*.cfg")), ids=lambda path: path.stem
)


@EVERY_CONFIG
@pytest.mark.usefixtures("only_zeros")
def test_parses_and_builds(path: Path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    values = flags.from_file(str(path.relative_to(ROOT)))
    model = flags.read(options.ModelOptions, values)
    flags.read(options.TrainOptions, values)
    side = model.resolution
    small = dataclasses.replace(model, base_filters=1)
    inputs = (32, side, side, 3) if REGISTRY[model.network].takes_clip else (side, side, 3)
    assert ssagan_tf.build_generator(small).input_axes == inputs
    assert ssagan_tf.build_discriminator(small).input_axes == (32, side, side, 3)


@EVERY_CONFIG
def test_head_states_source_expectation_cost_and_command(path: Path) -> None:
    head = path.read_text().split("\n--")[0]
    for part in ("Source:", "Expect:", "Cost:", "Command:", f"--flagfile=configs/{path.name}"):
        assert part in head, part


def test_the_papers_configs_follow_the_paper(monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    expected = {"cloud128": (128, 26_500), "cloud64": (64, 26_500), "beach64": (64, 20_000)}
    for name, (resolution, steps) in expected.items():
        values = flags.from_file(f"configs/{name}.cfg")
        model = flags.read(options.ModelOptions, values)
        assert model == options.ModelOptions(resolution=resolution)
        train = flags.read(options.TrainOptions, values)
        assert train == options.TrainOptions(steps=steps)


def test_the_released_recipe_differs_from_the_paper_where_the_code_does(
    monkeypatch,
) -> None:
    monkeypatch.chdir(ROOT)
    values = flags.from_file("configs/cloud128_released.cfg")
    assert flags.read(options.ModelOptions, values) == options.ModelOptions(
        spectral_norm=True, bn_gamma_stddev=0.02
    )
    assert flags.read(options.TrainOptions, values) == options.TrainOptions(
        steps=26_500,
        adversarial="wasserstein",
        lambda_penalty=10.0,
        lambda_ssim=1.0,
        learning_rate_milestones=("19908", "24332"),
    )


BASELINES = {
    "mdgan128_stage1": ("mdgan_stage1", 128, 132_500),
    "mdgan128_stage2": ("mdgan_stage2", 128, 132_500),
    "ssagan128_stage2": ("ssagan_stage2", 128, 26_500),
    "mdgan64_stage1": ("mdgan_stage1", 64, 100_000),
    "mdgan64_stage2": ("mdgan_stage2", 64, 100_000),
    "ssagan64_stage2": ("ssagan_stage2", 64, 20_000),
    "vgan64": ("vgan", 64, 100_000),
    "rnngan64": ("rnngan", 64, 100_000),
}


@pytest.mark.parametrize("name", BASELINES)
def test_the_baselines_state_the_recipes_of_their_networks(name: str, monkeypatch) -> None:
    """They state all of it, so they stay the same if the recipes change."""
    monkeypatch.chdir(ROOT)
    network, resolution, steps = BASELINES[name]
    recipe = options.RECIPES[network]
    monkeypatch.setattr(options.TrainOptions, "recipes", {key: {} for key in REGISTRY})
    values = flags.from_file(f"configs/{name}.cfg")
    model = flags.read(options.ModelOptions, values)
    assert model == options.ModelOptions(network=network, resolution=resolution)
    train = flags.read(options.TrainOptions, values)
    assert train == options.TrainOptions(steps=steps, **recipe)


def test_the_ablation_changes_the_gate_only(monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    for name, gate in (("cloud128_nogamma", "none"), ("cloud128_nogamma_projected", "projected")):
        values = flags.from_file(f"configs/{name}.cfg")
        model = flags.read(options.ModelOptions, values)
        assert model == options.ModelOptions(ssa_gate=gate)
        assert flags.read(options.TrainOptions, values) == options.TrainOptions(steps=26_500)


@EVERY_CONFIG
def test_found_by_name_from_anywhere(path: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = read_command_line([f"--flagfile={path}"])
    for name in (path.name, f"configs/{path.name}"):
        found = read_command_line([f"--flagfile={name}"])
        assert found.arguments == expected.arguments
        assert found.notes == [f"--flagfile={name}: using the shipped {path}"]
    (tmp_path / path.name).write_text("--steps=3")
    assert read_command_line([f"--flagfile={path.name}"]).texts == ["--steps=3"]


@pytest.mark.parametrize("name", ["../configs/demo.cfg", "runs/demo.cfg", "demo", "none.cfg"])
def test_other_names_are_not_those_of_shipped_configs(name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(absl_flags.Error, match=f"--flagfile={name}: file not found"):
        read_command_line([f"--flagfile={name}"])


def test_shipped_configs_of_an_installed_package(tmp_path: Path, monkeypatch) -> None:
    """Installed, they are the package ssagan_tf.configs."""
    package = tmp_path / "installed_ssagan"
    (package / "configs").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "configs" / "small.cfg").write_text("--steps=7")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(flag_files, "ssagan_tf", importlib.import_module(package.name))
    assert shipped_config("small.cfg") == package / "configs" / "small.cfg"
    assert shipped_config("demo.cfg") is None


@EVERY_CONFIG
def test_another_network_is_trained_by_its_own_recipe(path: Path, monkeypatch) -> None:
    """Except for typed settings; settings outside of recipes stay."""
    monkeypatch.chdir(ROOT)
    for network, recipe in options.RECIPES.items():
        values = absl_flags.FlagValues()
        flags.define(values)
        command = read_command_line([f"--flagfile={path}", f"--network={network}", "--beta_1=0.4"])
        values(["", *command.texts])
        train = flags.read(options.TrainOptions, values)
        config = flags.read(options.TrainOptions, flags.from_file(str(path)))
        if flags.read(options.ModelOptions, flags.from_file(str(path))).network == network:
            assert train == dataclasses.replace(config, beta_1=0.4)
            assert not command.notes
            continue
        assert train.deviations(network) == [f"beta_1=0.4 ({network}'s recipe: 0.5)"]
        assert {name: getattr(train, name) for name in recipe} == recipe
        assert (train.steps, train.batch_size) == (config.steps, config.batch_size)
        [note] = command.notes
        assert note.startswith(f"--network={network}: takes {network}'s recipe instead of what ")
