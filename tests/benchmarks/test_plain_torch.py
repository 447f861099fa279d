"""The PyTorch networks of the benchmarks compute the same as ours."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import ssagan_tf
from ssagan_tf.options import ModelOptions, TrainOptions
from ssagan_tf.training.gan import GAN
from tests.exactness import assert_exact

torch = pytest.importorskip("torch", reason="PyTorch is not installed: the extra `torch`")
from benchmarks import plain_torch  # noqa: E402 - it needs torch

SMALL = ModelOptions(resolution=64, base_filters=1)
exactly = pytest.mark.usefixtures("float64")
every_attention = pytest.mark.parametrize("attention", plain_torch.ATTENTIONS)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)


def with_varied_weights(network: ssagan_tf.models.Network) -> ssagan_tf.models.Network:
    """Gives every weight a different value: γ and moving means start at 0."""
    draw = np.random.default_rng(1)
    for weight in network.weights:
        value = np.array(weight)
        if weight.name == "kernel":
            value = draw.normal(0, np.prod(value.shape[:-1]) ** -0.5, value.shape)
        else:
            value = value + draw.uniform(0.1, 0.5, value.shape)
        weight.assign(value.astype("float32"))
    return network


def channels_first(clip: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.moveaxis(np.asarray(clip), -1, 1))


def pair(options: ModelOptions, attention: str) -> tuple:
    ours = with_varied_weights(ssagan_tf.build_generator(options))
    theirs = plain_torch.Generator(options.resolution, options.base_filters, attention).double()
    plain_torch.copy_weights(ours, theirs)
    return ours, theirs


def discriminators(options: ModelOptions) -> tuple:
    ours = with_varied_weights(ssagan_tf.build_discriminator(options))
    theirs = plain_torch.Discriminator(options.resolution, options.base_filters).double()
    plain_torch.copy_weights(ours, theirs)
    return ours, theirs


@every_attention
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@exactly
def test_same_clips(attention: str, training: bool) -> None:
    ours, theirs = pair(SMALL, attention)
    image = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3))
    expected = np.asarray(ours(image, training=training))
    clip = theirs.train(training)(channels_first(image)).detach().numpy()
    assert expected.std() > 0.1  # not a flat clip, which would be easy to give
    assert_exact([np.moveaxis(clip, 1, -1)], [expected])


@exactly
def test_same_clips_of_larger_networks() -> None:
    options = ModelOptions(resolution=128, base_filters=1)
    ours, theirs = pair(options, "fused")
    image = np.random.default_rng(0).uniform(-1, 1, (1, 128, 128, 3))
    with torch.inference_mode():
        clip = theirs.eval()(channels_first(image)).numpy()
    assert_exact([np.moveaxis(clip, 1, -1)], [ours(image)])


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@exactly
def test_same_scores(training: bool) -> None:
    ours, theirs = discriminators(SMALL)
    clip = np.random.default_rng(0).uniform(-1, 1, (3, 32, 64, 64, 3))
    clip *= np.array([0.1, 0.5, 1.0]).reshape(3, 1, 1, 1, 1)  # clips that differ
    expected = np.asarray(ours(clip, training=training))
    scores = theirs.train(training)(channels_first(clip)).detach().numpy()
    assert np.ptp(expected) > 0.01
    assert_exact([scores], [expected])


@exactly
def test_same_gradients() -> None:
    ours, theirs = pair(SMALL, "naive")
    image = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(ours(image, training=True) ** 2)
    kernels = {block.name: block.convolution.kernel for block in (*ours.encoder, *ours.decoder)}
    gradients = dict(zip(kernels, tape.gradient(loss, list(kernels.values())), strict=True))
    theirs.train()(channels_first(image)).square().sum().backward()
    for name, gradient in gradients.items():
        grad = theirs.get_submodule(
            name.replace("deconv", "upConv").replace("conv", "downConv")
        ).weight.grad
        assert_exact([grad.numpy()], [np.transpose(gradient, (4, 3, 0, 1, 2))])


@exactly
def test_same_step() -> None:
    generators, scorers = pair(SMALL, "naive"), discriminators(SMALL)
    options = TrainOptions(batch_size=2, discriminator_updates=2)
    clips = np.random.default_rng(0).integers(0, 256, (2, 2, 32, 64, 64, 3), np.uint8)
    expected = GAN(generators[0], scorers[0], options).train_step(tf.constant(clips))
    theirs = (generators[1].train(), scorers[1].train())
    losses = plain_torch.training_step(
        *theirs, *map(plain_torch.adam, theirs), torch.tensor(np.moveaxis(clips, -1, 2))
    )
    for name, loss in losses.items():
        # Two Adam steps of a float32 rate, and a second loss after them.
        np.testing.assert_allclose(loss, expected[name], rtol=1e-6, err_msg=name)


@every_attention
def test_mixed_precision_is_near(attention: str) -> None:
    theirs = pair(SMALL, attention)[1].float()
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        exact = theirs.eval()(image)
        with plain_torch.autocast("bfloat16"):
            near = theirs(image)
    assert not torch.equal(near.float(), exact)
    assert (near.float() - exact).abs().mean() < 0.05


def test_parameters_of_the_paper() -> None:
    with torch.device("meta"):
        networks = (
            plain_torch.Generator(128),
            plain_torch.Discriminator(128),
            plain_torch.Generator(64),
            plain_torch.Discriminator(64),
        )
    numbers = [sum(p.numel() for p in network.parameters()) for network in networks]
    assert numbers == [52_319_370, 11_164_032, 51_942_664, 11_040_512]


def test_impossible_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="96"):
        plain_torch.Generator(96)
    with pytest.raises(ValueError, match="sparse"):
        plain_torch.Generator(64, attention="sparse")
