"""The rows of the comparison: which system, with which settings, on which seeds."""

from __future__ import annotations

import dataclasses

CLIPS_SEEN = 8_000
"""Clips that the generator is updated on. The discriminator reads as many for each of its updates
in a step: five times as many in SSA-GAN's schedule, and the same number in the others'."""
BATCH = 4
STEPS = CLIPS_SEEN // BATCH
COMMON = (
    *("--resolution=64", "--base_filters=8", f"--batch_size={BATCH}", f"--steps={STEPS}"),
    # Ours, the same for all: the published rate of 2e-4 is for many more steps (MD-GAN I ends at an
    # L1 of 0.131 with it and at 0.103 with this), and averaged weights vary less from step to step.
    *("--learning_rate=7e-4", "--ema_decay=0.998"),
)


@dataclasses.dataclass(frozen=True)
class System:
    """A system. What no setting says is as in its published recipe, the default of `train`.

    Attributes:
      title: Name in the table.
      settings: Flags of `train`, without those that all systems share.
      seeds: Seeds that the table should have.
      first_stage: The system whose clips it refines, trained with the same seed.
    """

    title: str
    settings: tuple[str, ...]
    seeds: tuple[int, ...] = (1,)
    first_stage: str = ""


NONSATURATING = ("--adversarial=nonsaturating",)
# Found to work in so short a training with the non-saturating loss, that of MD-GAN and VGAN: the
# content loss, of which little is left beside an adversarial loss as large, counts ten times, and
# the discriminator is updated once per step.
SHORT = ("--network=ssagan", *NONSATURATING, "--discriminator_updates=1", "--lambda_con=10")
SYSTEMS: dict[str, System] = {
    "ssagan": System("SSA-GAN (a), as published", ("--network=ssagan",)),
    "ssagan_nonsaturating": System(
        "SSA-GAN (a), non-saturating", ("--network=ssagan", *NONSATURATING)
    ),
    "ssagan_short": System("SSA-GAN (a), content weight 10, one update", SHORT, (1, 2, 3)),
    "ssagan_short_without_attention": System(
        "… without SSA", (*SHORT, "--ssa_layers=none"), (1, 2, 3)
    ),
    "ssagan_short_without_gamma": System("… without gamma", (*SHORT, "--ssa_gate=none")),
    "ssagan_short_projected": System("… projected attention", (*SHORT, "--ssa_gate=projected")),
    "ssagan_stage2": System(
        "SSA-GAN (b), as published", ("--network=ssagan_stage2",), first_stage="mdgan_stage1"
    ),
    "ssagan_stage2_nonsaturating": System(
        "SSA-GAN (b), non-saturating",
        ("--network=ssagan_stage2", *NONSATURATING),
        first_stage="mdgan_stage1",
    ),
    "ssagan_stage2_short": System(
        "SSA-GAN (b), content weight 10, one update",
        ("--network=ssagan_stage2", *SHORT[1:]),
        first_stage="mdgan_stage1_short",
    ),
    "mdgan_stage1": System("MD-GAN I", ("--network=mdgan_stage1",)),
    "mdgan_stage1_short": System(
        "MD-GAN I, content weight 10", ("--network=mdgan_stage1", "--lambda_con=10")
    ),
    "mdgan_stage2": System("MD-GAN II", ("--network=mdgan_stage2",), first_stage="mdgan_stage1"),
    "mdgan_stage2_ranking_in_generator": System(
        "MD-GAN II, ranking loss in the generator only",
        ("--network=mdgan_stage2", "--ranking=generator"),
        first_stage="mdgan_stage1",
    ),
    "mdgan_stage2_short": System(
        "MD-GAN II, content weight 10, ranking loss in the generator only, weight 0.01",
        ("--network=mdgan_stage2", "--lambda_con=10", "--ranking=generator", "--lambda_rank=0.01"),
        first_stage="mdgan_stage1_short",
    ),
    "vgan": System("VGAN", ("--network=vgan",)),
    # Published without a loss that compares whole clips.
    "vgan_short": System("VGAN, content weight 10", ("--network=vgan", "--lambda_con=10")),
    "rnngan": System("RNN-GAN", ("--network=rnngan",)),
    "rnngan_nonsaturating": System("RNN-GAN, non-saturating", ("--network=rnngan", *NONSATURATING)),
    "rnngan_short": System(
        "RNN-GAN, content weight 10", ("--network=rnngan", *NONSATURATING, "--lambda_con=10")
    ),
}


def row_name(system: str, seed: int) -> str:
    """Name of a row's files, such as `vgan_seed1`."""
    return f"{system}_seed{seed}"
