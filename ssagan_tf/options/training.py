"""Training, and the recipe of each network: its losses and its optimizer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from ssagan_tf.options import shared
from ssagan_tf.options.setting import (
    OptionError,
    Section,
    above_zero,
    at_least,
    between,
    refuse_without_effect,
    resolve,
    setting,
)
from ssagan_tf.options.shared import Wind


def _rising_numbers(values: tuple[str, ...]) -> str | None:
    numbers = [int(value) if value.isdecimal() else 0 for value in values]
    rises = all(a < b for a, b in zip([0, *numbers], numbers, strict=False))
    return None if rises else "must be whole numbers above 0, in increasing order"


# What differs from the defaults of TrainOptions, for every registered network. The publications of
# the baselines state Adam's learning rate and β₁; β₂ is Adam's default. One update of each network
# per step is published for VGAN only, and so is the adversarial loss. With Eq. 4's, RNN-GAN learns
# faster (docs/design.md).
_ALTERNATING = {"discriminator_updates": 1, "beta_2": 0.999}
_NONSATURATING = {"adversarial": "nonsaturating"}
RECIPES: dict[str, dict[str, Any]] = {
    "ssagan": {},
    "mdgan_stage1": {**_ALTERNATING, **_NONSATURATING},
    "mdgan_stage2": {**_ALTERNATING, **_NONSATURATING, "lambda_rank": 1.0},
    "ssagan_stage2": {},
    "vgan": {**_ALTERNATING, **_NONSATURATING, "lambda_con": 0.0, "lambda_first_frame": 10.0},
    "rnngan": {**_ALTERNATING, "lambda_con": 0.0, "lambda_mse": 1.0, "lambda_adv": 0.2},
}


@dataclasses.dataclass(frozen=True)
class TrainOptions(Section):
    """How one run is trained.

    `TrainOptions()` is the paper's recipe for SSA-GAN (Sec. 4), whichever network it trains. For
    another network's own recipe use `TrainOptions.for_network("vgan", steps=100)`.

    On the command line `--network` brings its recipe along. Typed settings override it; recipe
    settings in a flag file apply only to the network that the file names.
    """

    recipes: ClassVar[Mapping[str, Mapping[str, Any]]] = RECIPES
    recipe_choice: ClassVar[str] = "network"

    data: str = setting(
        "",
        "Prepared set (a folder or a remote address), or `synthetic` for built-in clouds.",
        may_change=True,
        remote=True,
    )
    run_dir: str = shared.run_dir()
    stage1: str = setting(
        "",
        "For a second stage: run or FILE.keras of the first stage, whose clips it refines. The run "
        "keeps a copy, so resuming does not need it.",
        may_change=True,  # its weights may not: see training/first_stage.py
    )
    init_from: str = setting(
        "",
        "Run, FILE.keras or box (the bundled model) whose generator weights a new run starts from; "
        "it must be the same network. The discriminator starts from scratch. A resumed run does "
        "not need it, and refuses another one.",
    )
    steps: int = setting(
        20_000,
        "Training steps; each updates the discriminator --discriminator_updates times and the "
        "generator once.",
        at_least(1),
        may_change=True,
    )
    batch_size: int = setting(16, "Clips per update, over all devices.", at_least(1))
    discriminator_updates: int = setting(
        5,
        "Discriminator updates per generator update (baselines: 1).",
        at_least(1),
        in_recipe=True,
    )
    adversarial: Literal["minimax", "nonsaturating", "wasserstein"] = setting(
        "minimax",
        "Adversarial loss. minimax: the generator minimises log(1 − D(G(x))), as in Eq. 4. "
        "nonsaturating: −log D(G(x)) (MD-GAN, VGAN). wasserstein: −D(G(x)), while the "
        "discriminator minimises D(G(x)) − D(Y), as in the released code.",
        in_recipe=True,
    )
    lambda_penalty: float = setting(
        0.0,
        "Weight of the discriminator's gradient penalty (10 in the released code).",
        at_least(0.0),
        in_recipe=True,
    )
    lambda_adv: float = setting(
        1.0,
        "Weight of the generator's adversarial loss (0.2 in rnngan).",
        at_least(0.0),
        in_recipe=True,
    )
    lambda_con: float = setting(
        1.0,
        "Weight of the L1 content loss (Eq. 7; 0 in vgan and rnngan).",
        at_least(0.0),
        in_recipe=True,
    )
    lambda_ssim: float = setting(
        0.0,
        "Weight of the content loss 1 − SSIM (1 in the released code).",
        at_least(0.0),
        in_recipe=True,
    )
    lambda_mse: float = setting(
        0.0,
        "Weight of the mean squared error as content loss (1 in rnngan).",
        at_least(0.0),
        in_recipe=True,
    )
    lambda_first_frame: float = setting(
        0.0,
        "Weight of the L1 loss on the first frame only (10 in vgan).",
        at_least(0.0),
        in_recipe=True,
    )
    lambda_rank: float = setting(
        0.0,
        "Weight of the ranking loss of second stages (1 in mdgan_stage2).",
        at_least(0.0),
        in_recipe=True,
    )
    ranking: Literal["both", "generator"] = setting(
        "both",
        "Which networks use the ranking loss. both: the generator minimises it and the "
        "discriminator maximises it, as in MD-GAN. generator: the generator only.",
        in_recipe=True,
    )
    learning_rate: float = setting(
        2e-4, "Adam's initial learning rate.", above_zero, in_recipe=True
    )
    learning_rate_milestones: tuple[str, ...] = setting(
        (),
        "Steps after which the learning rate is divided by ten, separated by commas. Empty: it is "
        "constant.",
        _rising_numbers,
        in_recipe=True,
    )
    beta_1: float = setting(0.5, "Adam's β₁.", between(0.0, 0.9999), in_recipe=True)
    beta_2: float = setting(
        0.9, "Adam's β₂ (baselines: 0.999).", between(0.0, 0.9999), in_recipe=True
    )
    ema_decay: float = setting(
        0.0,
        "Decay per step of an exponential moving average of the generator's weights, such as "
        "0.999. Samples and generator.keras then use the averaged weights. 0: no averaging.",
        between(0.0, 0.999999),
    )
    ema_ramp_up: Literal["auto", "on", "off"] = setting(
        "auto",
        "Whether --ema_decay starts low, at min(--ema_decay, (1 + step) / (10 + step)), and also "
        "applies to the moving statistics of batch norm. auto: on, except for resumed runs that "
        "were started before this setting existed.",
    )
    flip: bool = setting(False, "Mirror training clips left to right at random, half of them.")
    canonical_motion: Literal["off", "both", "drop"] = setting(
        "off",
        "Mirror clips so that all of them drift to the right, according to the motion that prepare "
        "measured. Clips that drift less than --canonical_threshold are mirrored at random (both) "
        "or left out (drop).",
    )
    canonical_threshold: float = setting(
        0.0003,
        "Lowest mean horizontal velocity at which a clip counts as drifting, as a fraction of the "
        "width per frame.",
        between(0.0, 1.0),
        only_with={"canonical_motion": ("both", "drop")},
    )
    zoom: float = setting(
        0.0,
        "Augmentation: enlarge a random crop of each training clip, by up to this fraction. 0.2 "
        "crops squares of 5/6 of the side or more. 0: off.",
        between(0.0, 4.0),
    )
    slow_motion: float = setting(
        0.0,
        "Augmentation: stretch a part of each training clip to the full length, blending frames "
        "in between, so that it slows down by up to this fraction. 0: off. For faster motion see "
        "prepare --frame_stride.",
        between(0.0, 0.75),
    )
    colour: float = setting(
        0.0,
        "Augmentation: change contrast and exposure of each training clip by up to this fraction "
        "in either direction, and each colour channel by up to half of it. 0: off.",
        between(0.0, 0.5),
    )
    cache: str = setting(
        "",
        "Folder on a local disk (of each host) where the prepared set is copied and then read, for "
        "sets on slow storage. Several sets may share it.",
        may_change=True,
    )
    shuffle_window: int = setting(
        512, "Size of the shuffle buffer, in undecoded clips.", at_least(1)
    )
    synthetic_clips: int = shared.synthetic_clips(only_with={"data": ("synthetic",)})
    wind: Wind = shared.wind(only_with={"data": ("synthetic",)})
    seed: int = shared.seed()
    checkpoint_every: int = setting(250, "Steps between checkpoints.", at_least(1), may_change=True)
    keep_checkpoints: int = setting(
        3,
        "Newest checkpoints to keep, in addition to the one with the lowest content loss on test "
        "clips.",
        at_least(1),
        may_change=True,
    )
    sample_every: int = setting(
        250,
        "Steps between samples (videos and strips), and between test content losses.",
        at_least(1),
        may_change=True,
    )
    samples: int = setting(4, "Clips per sample.", at_least(1), may_change=True)
    test_clips: int = setting(64, "Test clips for the content loss.", at_least(1), may_change=True)
    log_every: int = setting(
        10, "Steps between lines of metrics.jsonl.", at_least(1), may_change=True
    )
    fps: float = shared.fps()
    strategy: Literal["auto", "one_device", "mirrored", "multi_worker"] = setting(
        "auto",
        "Devices to train on: one, several of this host, or the hosts listed in the environment "
        "variable TF_CONFIG. auto: all that are available.",
        may_change=True,
    )
    replicas: int = setting(
        0,
        "Number of devices of this host; 0: all GPUs. Without a GPU the CPU is split into this "
        "many logical devices, for trying it out.",
        at_least(0),
        may_change=True,
    )
    rollbacks: int = setting(
        0,
        "How many times a run whose losses or gradients become NaN or infinite returns to its "
        "newest checkpoint and continues with a different random state, before it stops.",
        at_least(0),
        may_change=True,
    )
    skip_corrupt: bool = setting(
        False,
        "Skip damaged records of the prepared set and count them, instead of stopping.",
        may_change=True,
    )
    deterministic: bool = setting(
        False,
        "Make runs on the same machine bit-identical: deterministic ops, one op at a time.",
    )
    dry_run: bool = setting(
        False, "Check settings and data, build the networks, then stop.", may_change=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cache and self.skip_corrupt:
            raise OptionError("cache", self.cache, "cannot be combined with --skip_corrupt")
        if self.canonical_motion != "off":
            why = "cannot be combined with --canonical_motion, which "
            if self.flip:
                raise OptionError("flip", self.flip, why + "already mirrors clips")
            if self.data == "synthetic":
                raise OptionError("data", self.data, why + "needs a set that prepare measured")

    @classmethod
    def for_network(cls, network: str, **given: Any) -> TrainOptions:
        """Returns the network's recipe, with the settings given in place of its own.

        Args:
          network: Registered name, as in `ModelOptions.network`.
          **given: Settings by name.

        Raises:
          OptionError: There is no such network, or a value is invalid.
        """
        return resolve(cls, network, given)

    @classmethod
    def recipe_settings(cls) -> tuple[str, ...]:
        """Names of the settings that belong to a recipe: those of the losses and the optimizer."""
        return tuple(f.name for f in dataclasses.fields(cls) if f.metadata["in_recipe"])

    def deviations(self, network: str) -> list[str]:
        """What differs from the network's recipe, such as `lambda_con=1 (vgan's recipe: 0)`."""
        recipe = self.for_network(network)
        return [
            f"{name}={_short(value)} ({network}'s recipe: {_short(published)})"
            for name in self.recipe_settings()
            if (value := getattr(self, name)) != (published := getattr(recipe, name))
        ]

    def check_new_run(self) -> None:
        """Raises OptionError for combinations that can only be a mistake.

        Not for resumed runs, which keep the settings they were started with.
        """
        refuse_without_effect(self)
        if self.ranking != "both" and not self.lambda_rank:
            raise OptionError("ranking", self.ranking, "has no effect with --lambda_rank=0")
        weights = [name for name in self.recipe_settings() if name.startswith("lambda_")]
        weights.remove("lambda_penalty")  # the discriminator's
        if not any(getattr(self, name) for name in weights):
            names = ", ".join(f"--{name}" for name in weights)
            raise OptionError(
                "lambda_adv", self.lambda_adv, f"the generator has no loss; set one of {names}"
            )


def _short(value: Any) -> str:
    """A value as it is typed, without superfluous digits."""
    if isinstance(value, tuple):
        return ",".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclasses.dataclass(frozen=True)
class SweepOptions(Section):
    """Runs to train, one after the other."""

    configs: tuple[str, ...] = setting(
        (), "Flag files of train, separated by commas, in the order in which they are trained."
    )
    runs: str = setting("runs", "Folder of the runs, one for each configuration, named like it.")
