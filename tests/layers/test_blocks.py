"""Gradient checkpointing of a row of Table 1."""

from __future__ import annotations

import pytest
import tensorflow as tf

from ssagan_tf.layers import ConvolutionBlock
from ssagan_tf.layers.blocks import ATTENTIONS
from ssagan_tf.layers.gates import GATES
from tests.exactness import assert_exact, draws, fill, value_and_gradients

pytestmark = pytest.mark.numeric

KINDS = {
    **{f"{name} attention": {"ssa": {"attention": name}} for name in ATTENTIONS},
    **{name: {"ssa": {"gate": name, "ratio": 0.5}} for name in GATES if name != "gamma"},
    "spectral": {"spectral_norm": True},
    "bare": {"normalize": False, "use_bias": True},
}


@pytest.mark.parametrize("frames", [None, 8], ids=["clip", "static"])
@pytest.mark.parametrize("transposed", [False, True], ids=["down", "up"])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_checkpointing_changes_nothing(options: dict, transposed: bool, frames: int | None) -> None:
    """Values and gradients are equal, and moving statistics are updated once."""
    shape = (2, 8 if frames is None else 3, 4, 6, 3)
    found = []
    for remat in (True, False):
        block = ConvolutionBlock(
            4,
            (4, 4, 4),
            (2, 2, 2),
            "same",
            transposed=transposed,
            activation="relu" if transposed else "leaky_relu",
            remat=remat,
            dtype="float64",
            **options,
        )
        block.build((2, 8, *shape[2:]))
        fill(block.weights, lambda drawn: 0.5 + 0.2 * drawn)
        start = [tf.identity(weight.value) for weight in block.non_trainable_weights]
        weights = [weight.value for weight in block.trainable_weights]
        # A decoder's block may read two clips, of which one is static.
        parts = [draws(*shape)] if not transposed else [draws(2, 8, 4, 6, 1), draws(*shape[:4], 2)]

        def run(*arguments, block=block, parts=parts):
            clips = list(arguments[: len(parts)])
            return block(clips if transposed else clips[0], training=True, frames=frames)

        results = value_and_gradients(run, [*parts, *weights])
        state = block.non_trainable_weights
        assert all((one != other).numpy().any() for one, other in zip(state, start, strict=True))
        found.append([*results, *state])
    assert_exact(*found)


def test_configs_of_version_0_1() -> None:
    block = ConvolutionBlock(4, (1, 4, 4), (1, 2, 2), "same", bn_gamma_stddev=0.25)
    config = block.get_config()
    old = {("scale_stddev" if name == "bn_gamma_stddev" else name): config[name] for name in config}
    assert "scale_stddev" in old
    assert ConvolutionBlock.from_config(old).get_config() == config
