"""Every system, trained for some minutes, learns something: as published, and in other settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ssagan_tf.models import REGISTRY
from tests.programs import run

pytestmark = pytest.mark.long

# One to five minutes each on two cores. A step of SSA-GAN has five discriminator updates.
STEPS = dict.fromkeys(REGISTRY, 250) | {
    "mdgan_stage1": 400,
    "mdgan_stage2": 400,
    "rnngan": 450,
}
FALL = 1 / 3  # RNN-GAN's is the unsteadiest: 28 to 52 % with six seeds on a GPU
# As published, MD-GAN's ranking loss reaches 50, where the content loss is 0.4, and hides it.
# Strict, so that a fix is noticed.
DOMINATED = pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="the ranking loss dominates"
)
NETWORKS = [
    pytest.param(network, marks=DOMINATED) if network == "mdgan_stage2" else network
    for network in REGISTRY
]
# With the non-saturating loss, these learn in more steps, or where the content loss counts ten
# times and what hides it or takes its time counts less.
NONSATURATING = "--adversarial=nonsaturating"
THAT_LEARN = {
    "ssagan_stage2": (
        NONSATURATING,
        "--lambda_con=10",
        "--discriminator_updates=1",
        "--learning_rate=7e-4",
        "--steps=400",
    ),
    "mdgan_stage2": ("--lambda_con=10", "--ranking=generator", "--lambda_rank=0.01"),
    "rnngan": (NONSATURATING, "--steps=1500"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def train(network: str, runs: Path, *settings: str) -> list[float]:
    """Trains a run, or finds it finished; returns the content loss on test clips over time."""
    folder = runs / (f"{network}_that_learns" if settings else network)
    arguments = [f"--network={network}", f"--steps={STEPS[network]}", f"--run_dir={folder}"]
    arguments.extend(settings)
    if REGISTRY[network].takes_clip:
        train("mdgan_stage1", runs)
        arguments.append(f"--stage1={runs / 'mdgan_stage1'}")
    result = run(
        "train",
        *arguments,
        *("--resolution=64", "--base_filters=4", "--batch_size=4", "--sample_every=1000"),
        *("--data=synthetic", "--synthetic_clips=80", "--checkpoint_every=1000"),
    )
    if result.returncode:  # not an assertion, which may be expected to fail
        raise RuntimeError(result.stderr)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["test_content_loss"] for line in lines if "test_content_loss" in line]


@pytest.mark.parametrize("network", NETWORKS)
def test_content_loss_falls(network: str, runs: Path) -> None:
    first, *_, last = train(network, runs)
    assert last < (1 - FALL) * first


@pytest.mark.parametrize(("network", "settings"), THAT_LEARN.items(), ids=THAT_LEARN)
def test_content_loss_falls_by_a_third_in_settings_that_learn(
    network: str, settings: tuple[str, ...], runs: Path
) -> None:
    first, *_, last = train(network, runs, *settings)
    assert last < (1 - FALL) * first
