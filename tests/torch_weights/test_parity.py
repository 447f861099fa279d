"""Imported checkpoints of PyTorch networks give the results of these networks."""

from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf import models, torch_weights
from ssagan_tf.options import ModelOptions
from tests.exactness import assert_exact

torch = pytest.importorskip("torch", reason="PyTorch is not installed: the extra `torch`")
from benchmarks.plain_torch import Discriminator, Generator, Variant  # noqa: E402 - needs torch

pytestmark = pytest.mark.numeric

SMALL = {"resolution": 64, "base_filters": 1}
# The options that must be found, and the PyTorch network; named where the file does not tell.
GENERATORS = {
    "ssagan": ({"network": "ssagan", "spectral_norm": True}, Variant(spectral_norm=True), ""),
    "ssagan_projected": (
        {"network": "ssagan", "ssa_gate": "projected", "spectral_norm": True},
        Variant(gate="projected", spectral_norm=True),
        "",
    ),
    "ssagan_stage2": (
        {"network": "ssagan_stage2", "ssa_ratio": 0.5, "spectral_norm": True},
        Variant("add_inner", ratio=0.5, spectral_norm=True),
        "",
    ),
    "mdgan_stage1": (
        {"network": "mdgan_stage1", "spectral_norm": True},
        Variant("add", ssa=False, spectral_norm=True),
        "mdgan_stage1",
    ),
    "mdgan_stage2": (
        {"network": "mdgan_stage2", "resolution": 128},
        Variant("add_inner", ssa=False),
        "mdgan_stage2",
    ),
}


def channels_first(clip: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.moveaxis(clip, -1, 1))


def with_training_history(network: torch.nn.Module, clip: np.ndarray) -> torch.nn.Module:
    """Sets random weights, and moving statistics and spectral vectors as after training."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() > 1:
                fan = parameter[0].numel() if "upConv" not in name else parameter[:, 0].numel() / 8
                # Small logits: large ones multiply rounding errors, in any implementation.
                scale = 0.1 if "query" in name or "key" in name else 1.0
                parameter.normal_(std=scale * fan**-0.5)
            else:
                parameter.add_(torch.rand_like(parameter) * 0.4 + 0.1)
        norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm3d)]
        for momentum in (0.9, 0.1):
            for norm in norms:
                norm.momentum = momentum  # statistics that fit after few steps
            network.train()(channels_first(clip))
    return network.double()  # the errors left are ours


def exactly(array: np.ndarray) -> np.ndarray:
    return array.astype("float64")


def to_state_dict(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {key: tensor.numpy().copy() for key, tensor in network.state_dict().items()}


def imported(network: torch.nn.Module, model: str = "") -> models.Network:
    state = to_state_dict(network)
    shapes = {key: array.shape for key, array in state.items()}
    kind, options = torch_weights.infer_network(shapes, "it", model)
    ours = kind(options)
    ours.build_variables()
    torch_weights.load_state_dict(ours, state, "it")
    return ours


def noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


@pytest.mark.parametrize(("options", "variant", "model"), GENERATORS.values(), ids=GENERATORS)
@pytest.mark.usefixtures("float64")
def test_generators(options: dict, variant: Variant, model: str) -> None:
    options = ModelOptions(**{**SMALL, **options})
    axes = (options.resolution, options.resolution, 3)
    if options.network.endswith("stage2"):
        axes = (32, *axes)
    inputs, earlier = noise((2, *axes), 0), noise((2, *axes), 1)
    theirs = Generator(options.resolution, options.base_filters, variant=variant)
    with_training_history(theirs, earlier)
    ours = imported(theirs, model)
    assert ours.options == options
    for training in (False, True):  # the latter moves statistics, so it is last
        with torch.no_grad():
            expected = theirs.train(training)(channels_first(inputs).double()).numpy()
        expected = np.moveaxis(expected, 1, -1)
        assert expected.std() > 0.1
        assert_exact([ours(exactly(inputs), training=training)], [expected])
    # The power iteration of that pass, too.
    after, again = to_state_dict(theirs), torch_weights.to_state_dict(ours)
    for key in after:
        if key.endswith(("_u", "_v", "running_mean")):
            assert_exact([again[key]], [after[key]])


@pytest.mark.parametrize(("resolution", "spectral_norm"), [(64, True), (128, False)])
@pytest.mark.usefixtures("float64")
def test_discriminators(resolution: int, spectral_norm: bool) -> None:
    clips, earlier = (noise((3, 32, resolution, resolution, 3), seed) for seed in (0, 1))
    clips *= np.array([0.1, 0.5, 1.0], "float32").reshape(3, 1, 1, 1, 1)  # that differ
    theirs = with_training_history(Discriminator(resolution, 2, spectral_norm), earlier)
    ours = imported(theirs)
    assert ours.options == ModelOptions(
        resolution=resolution, base_filters=2, spectral_norm=spectral_norm
    )
    for training in (False, True):
        with torch.no_grad():
            scores, features = theirs.train(training)(channels_first(clips).double(), features=True)
        scored, ranked = ours(exactly(clips), training=training, features=True)
        assert np.ptp(scores.numpy()) > 0.01
        assert_exact([scored], [scores.numpy()])
        if resolution == 128:  # where slice1 and slice2 end with conv1 and conv3
            for one, other in zip(ranked, features, strict=True):
                assert_exact([np.moveaxis(one, -1, 1)], [other.numpy()])
