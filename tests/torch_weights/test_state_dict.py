"""State dicts in NumPy: round trips, errors, and inferred networks."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest

import ssagan_tf
from ssagan_tf import torch_weights
from ssagan_tf.errors import DataError
from ssagan_tf.models import Discriminator, Network, UNet
from ssagan_tf.options import ModelOptions, OptionError

SMALL = ModelOptions(resolution=64, base_filters=2)
GENERATORS = {
    "ssagan": SMALL,
    "mdgan_stage1": dataclasses.replace(SMALL, network="mdgan_stage1", spectral_norm=True),
    "mdgan_stage2": dataclasses.replace(SMALL, network="mdgan_stage2"),
    "ssagan_stage2": dataclasses.replace(SMALL, network="ssagan_stage2", ssa_ratio=0.25),
    "projected": dataclasses.replace(SMALL, ssa_gate="projected"),
    "none": dataclasses.replace(SMALL, ssa_gate="none"),
    "everywhere": dataclasses.replace(SMALL, ssa_layers="all"),
    "chosen": dataclasses.replace(SMALL, ssa_layers="conv3,deconv2", skips="add"),
    "128": dataclasses.replace(SMALL, resolution=128, base_filters=1),
    "256": dataclasses.replace(SMALL, resolution=256),
}


def random_weights(network: Network) -> Network:
    draw = np.random.default_rng(0)
    for weight in network.weights:
        weight.assign(draw.normal(size=weight.shape).astype("float32"))
    return network


def shapes_of(state: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {key: array.shape for key, array in state.items()}


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    return torch_weights.to_state_dict(random_weights(ssagan_tf.build_generator(SMALL)))


ROUND_TRIPS = [
    *((UNet, options) for options in GENERATORS.values()),
    *((Discriminator, GENERATORS[name]) for name in ("mdgan_stage1", "128", "256")),
]


@pytest.mark.parametrize(("kind", "options"), ROUND_TRIPS)
@pytest.mark.slow
def test_round_trip_is_exact(kind: type[Network], options: ModelOptions) -> None:
    network = kind(options)
    network.build_variables()
    random_weights(network)
    state = torch_weights.to_state_dict(network)
    found, again = torch_weights.infer_network(
        shapes_of(state), "it", options.network, options.skips, options.ssa_layers
    )
    assert found is kind
    if kind is UNet:
        assert again == options
    copy = fresh(kind, again)
    torch_weights.load_state_dict(copy, state, "it")
    assert len(copy.weights) == len(network.weights)
    for one, other in zip(copy.weights, network.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_names_of_the_released_code() -> None:
    options = dataclasses.replace(SMALL, resolution=128)
    expected = {f"downConv{n}.weight" for n in range(1, 7)} | {
        f"upConv{n}.weight" for n in range(1, 7)
    }
    norms = [f"downBN{n}" for n in range(2, 6)] + [f"upBN{n}" for n in range(1, 6)]
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected |= {f"{norm}.{part}" for norm in norms for part in parts}
    for module in [f"{way}attn_{n}" for way in ("", "up_") for n in range(1, 6)]:
        expected |= {
            f"{module}.{layer}_conv.{part}"
            for layer in ("query", "key", "value")
            for part in ("weight", "bias")
        }
        expected.add(f"{module}.gamma")
    state = torch_weights.to_state_dict(ssagan_tf.build_generator(options))
    assert set(state) == expected
    # [out, in, t, h, w] and transposed [in, out, t, h, w], the input's channels doubled.
    assert state["downConv3.weight"].shape == (8, 4, 4, 4, 4)
    assert state["upConv4.weight"].shape == (16, 4, 4, 4, 4)
    assert state["up_attn_5.query_conv.weight"].shape == (32, 32, 1, 1, 1)
    assert state["up_attn_1.query_conv.weight"].shape == (2, 2, 1, 1, 1)

    options = dataclasses.replace(options, spectral_norm=True)
    state = torch_weights.to_state_dict(ssagan_tf.build_discriminator(options))
    convolutions = ("slice1.0", "slice2.0", "slice2.3", "slice3.0", "slice3.3", "slice4.0")
    expected = {f"{c}.weight_{part}" for c in convolutions for part in ("orig", "u", "v")}
    norms = ("slice2.1", "slice2.4", "slice3.1", "slice3.4")
    assert set(state) == expected | {f"{norm}.{part}" for norm in norms for part in parts}


@functools.cache
def fresh(kind: type[Network], options: ModelOptions) -> Network:
    network = kind(options)
    network.build_variables()
    return network


def refusal(state: dict[str, np.ndarray], model: str = "") -> str:
    network = fresh(*torch_weights.infer_network(shapes_of(state), "file.pth", model))
    before = network.get_weights()
    with pytest.raises(DataError) as caught:
        torch_weights.load_state_dict(network, state, "file.pth")
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    return str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "downConv2.weight",
        "downConv6.weight",
        "upConv1.weight",
        "upConv5.weight",
        "attn_3.gamma",
        "attn_5.query_conv.weight",
        "up_attn_4.key_conv.bias",
        "upBN3.running_var",
    ],
)
def test_a_single_key_is_named(state, key: str) -> None:
    others = {name: array for name, array in state.items() if name != key}
    assert refusal(others).endswith(f"missing: {key}")
    larger = {**state, key: np.zeros([size + 1 for size in state[key].shape], "float32")}
    assert f"of the wrong shape: {key}: " in refusal(larger)
    assert f"unexpected: {key}x" in refusal({**state, f"{key}x": state[key]})


def test_many_keys_are_counted(state) -> None:
    others = {key: array for key, array in state.items() if not key.startswith("attn_")}
    line = refusal(others)
    assert line.startswith("file.pth does not fit ssagan 64×64, 2 base filters, ")
    assert "missing: attn_2.query_conv.weight, attn_2.query_conv.bias, " in line
    assert line.endswith("and 24 more")


def test_another_model_is_refused(state) -> None:
    line = refusal(state, "mdgan_stage1")
    assert "unexpected: attn_2.query_conv.weight" in line
    assert "upConv2.weight: expected [32, 16, 4, 4, 4], got [64, 16, 4, 4, 4]" in line


def test_counters_may_be_missing(state) -> None:
    others = {key: array for key, array in state.items() if "num_batches" not in key}
    network = ssagan_tf.build_generator(SMALL)
    torch_weights.load_state_dict(network, others, "it")
    np.testing.assert_array_equal(
        torch_weights.to_state_dict(network)["attn_4.gamma"], state["attn_4.gamma"]
    )


def test_ambiguous_networks_must_be_named() -> None:
    network = ssagan_tf.build_generator(GENERATORS["mdgan_stage1"])
    with pytest.raises(OptionError, match="file fits mdgan_stage1 and mdgan_stage2"):
        torch_weights.infer_network(shapes_of(torch_weights.to_state_dict(network)), "file")
    with pytest.raises(OptionError, match="network=vgan: must be one of ssagan, "):
        torch_weights.infer_network({}, "file", "vgan")


@pytest.mark.parametrize("keys", [[], ["a.weight", "b.weight", "c", "d"]])
def test_other_files_are_refused(keys: list[str]) -> None:
    with pytest.raises(DataError, match="file is not a generator or discriminator of the released"):
        torch_weights.infer_network(dict.fromkeys(keys, (3,)), "file")


def test_networks_that_were_never_released() -> None:
    options = dataclasses.replace(SMALL, network="vgan")
    for build in (ssagan_tf.build_generator, ssagan_tf.build_discriminator):
        with pytest.raises(DataError, match="the released code has no vgan"):
            torch_weights.to_state_dict(build(options))
