"""What the networks are, and how they are computed."""

from __future__ import annotations

import dataclasses
from typing import Literal

from ssagan_tf.options import shared
from ssagan_tf.options.setting import OptionError, Section, at_least, setting
from ssagan_tf.options.shared import Skips
from ssagan_tf.options.sizes import outer_levels


@dataclasses.dataclass(frozen=True)
class ModelOptions(Section):
    """The networks. The defaults are the paper's SSA-GAN at 128×128 (Table 1)."""

    network: str = setting(
        "ssagan",
        "Registered name: ssagan; mdgan_stage1; mdgan_stage2 and ssagan_stage2, which refine the "
        "clips of a first stage; vgan and rnngan, at 64×64 only. It brings its recipe for "
        "training: losses and optimizer.",
    )
    resolution: int = shared.resolution()
    base_filters: int = setting(
        32,
        "Filters of conv1 in the 128×128 network; all other layers scale with it. 32 in the paper. "
        "At 32, vgan starts with 128 filters and rnngan with 64.",
        at_least(1),
    )
    skips: Skips = shared.skips()
    ssa_layers: str = shared.ssa_layers()
    ssa_gate: Literal["gamma", "none", "projected"] = setting(
        "gamma",
        "How attention is added to its input (Sec. 5.4). gamma: γ·o + x. none: o + x. projected: "
        "BN(W·o) + x with W initially zero, as in the released code.",
    )
    ssa_ratio: float = setting(
        1.0,
        "Channels of queries and keys relative to those of the features, C̄/C (1 in the paper, "
        "0.125 in the released second stage).",
        lambda v: None if 0 < v <= 1 else "must be above 0 and at most 1",
    )
    spectral_norm: bool = setting(
        False, "Spectral normalisation of all convolutions except those of the attention."
    )
    bn_gamma_stddev: float = setting(
        0.0,
        "Batch norm's gamma is initialised from N(1, this) (0.02 in the released code).",
        at_least(0.0),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        halvings = max(outer_levels(self.resolution) - 1, 0)
        if self.base_filters % 2**halvings:
            raise OptionError(
                "base_filters",
                self.base_filters,
                f"must be a multiple of {2**halvings} at --resolution={self.resolution}, because "
                "the outer layers halve it",
            )


@dataclasses.dataclass(frozen=True)
class ComputeOptions(Section):
    """How the networks are computed. Apart from rounding, the results are the same."""

    precision: Literal["float32", "mixed_bfloat16"] = setting(
        "float32",
        "Arithmetic of the layers. mixed_bfloat16 is for hardware that supports it; weights, batch "
        "statistics and losses stay float32.",
    )
    attention_memory: int = setting(
        256,
        "MiB that the attention map of one module may take for a batch. Larger maps are computed "
        "in blocks, and recomputed during backpropagation.",
        at_least(1),
        may_change=True,
    )
    remat: bool = setting(
        False,
        "Gradient checkpointing: recompute the generator's activations during backpropagation "
        "instead of storing them. Saves memory, takes more time.",
        may_change=True,
    )
