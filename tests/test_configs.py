"""Every shipped configuration parses, builds, and says in its head what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

import ssagan_tf
from ssagan_tf import flags, options

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
    assert ssagan_tf.build_generator(model).input_axes == (side, side, 3)
    assert ssagan_tf.build_discriminator(model).input_axes == (32, side, side, 3)


@EVERY_CONFIG
def test_head_states_source_expectation_cost_and_command(path: Path) -> None:
    head = path.read_text().split("\n--")[0]
    for part in ("Source:", "Expect:", "Cost:", "Command:", f"--flagfile=configs/{path.name}"):
        assert part in head, part


def test_the_papers_configs_are_the_paper(monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    expected = {"cloud128": (128, 26_500), "cloud64": (64, 26_500), "beach64": (64, 20_000)}
    for name, (resolution, steps) in expected.items():
        values = flags.from_file(f"configs/{name}.cfg")
        model = flags.read(options.ModelOptions, values)
        assert model == options.ModelOptions(resolution=resolution)
        train = flags.read(options.TrainOptions, values)
        assert train == options.TrainOptions(steps=steps)


def test_the_released_recipe_is_the_papers_but_for_what_the_code_has_otherwise(
    monkeypatch,
) -> None:
    monkeypatch.chdir(ROOT)
    values = flags.from_file("configs/cloud128_released.cfg")
    assert flags.read(options.ModelOptions, values) == options.ModelOptions(
        spectral_norm=True, scale_stddev=0.02
    )
    assert flags.read(options.TrainOptions, values) == options.TrainOptions(
        steps=26_500,
        adversarial="wasserstein",
        lambda_penalty=10.0,
        lambda_ssim=1.0,
        learning_rate_drops=("19908", "24332"),
    )
