"""The rows of the comparison: which system, with which settings, on which seeds."""

from __future__ import annotations

import dataclasses

CLIPS_SEEN = 8_000
"""Clips that the generator is updated on. The discriminator reads as many for each of its updates
in a step: five times as many in SSA-GAN's schedule, and the same number in the others'."""
BATCH = 4
STEPS = CLIPS_SEEN // BATCH
COMMON = ("--resolution=64", "--base_filters=8", f"--batch_size={BATCH}", f"--steps={STEPS}")


@dataclasses.dataclass(frozen=True)
class System:
    """A system. What its settings don't say is its published recipe, the default of `train`.

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


SYSTEMS: dict[str, System] = {
    "ssagan": System("SSA-GAN (a)", ("--network=ssagan",), (1, 2, 3)),
    "ssagan_without_attention": System(
        "SSA-GAN (a) without SSA", ("--network=ssagan", "--ssa_layers=none"), (1, 2, 3)
    ),
    "ssagan_without_gamma": System(
        "SSA-GAN (a) without γ", ("--network=ssagan", "--ssa_gate=none")
    ),
    "ssagan_projected": System(
        "SSA-GAN (a), projected attention", ("--network=ssagan", "--ssa_gate=projected")
    ),
    "ssagan_one_update": System(
        "SSA-GAN (a), one discriminator update",
        ("--network=ssagan", "--discriminator_updates=1"),
    ),
    "ssagan_stage2": System(
        "SSA-GAN (b)", ("--network=ssagan_stage2",), first_stage="mdgan_stage1"
    ),
    "mdgan_stage1": System("MD-GAN I", ("--network=mdgan_stage1",)),
    "mdgan_stage2": System("MD-GAN II", ("--network=mdgan_stage2",), first_stage="mdgan_stage1"),
    "vgan": System("VGAN", ("--network=vgan",)),
    "rnngan": System("RNN-GAN", ("--network=rnngan",)),
}


def row_name(system: str, seed: int) -> str:
    """Name of a row's files, such as `vgan_seed1`."""
    return f"{system}_seed{seed}"
