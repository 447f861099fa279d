"""Counted operations, compared with a prototype, PyTorch's counter and our compiled graphs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest
import tensorflow as tf

import ssagan_tf
from benchmarks import flops
from benchmarks.cases import Case
from benchmarks.cost import work
from benchmarks.flops import EXACT, PLAIN, Algorithm, backward, forward
from ssagan_tf.layers.convolution import plain_convolutions
from ssagan_tf.options import ModelOptions

pytestmark = pytest.mark.slow

PAPER = ModelOptions()
RECOMPUTED = dataclasses.replace(EXACT, attention_memory=0)
SIZES = [(64, 2), *(pytest.param(size, 4, marks=pytest.mark.long) for size in (128, 256))]
every_size = pytest.mark.parametrize(("resolution", "base_filters"), SIZES)


def test_figures_of_the_prototype() -> None:
    """It computed three slices in the encoder, all in the decoder, and recomputed attention."""
    prototype = Algorithm(static_skips=False, attention_memory=0)
    counts = flops.generator(PAPER, prototype)
    assert forward(counts) == pytest.approx(104e9, rel=0.02)
    assert forward(counts) + backward(counts) == pytest.approx(352e9, rel=0.02)


@every_size
def test_plain_algorithm_is_what_pytorch_counts(resolution: int, base_filters: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: the extra `torch`")
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks import plain_torch

    options = ModelOptions(resolution=resolution, base_filters=base_filters)
    with torch.device("meta"):  # shapes only
        networks = (
            plain_torch.Generator(resolution, base_filters),
            plain_torch.Discriminator(resolution, base_filters),
        )
        inputs = (
            torch.empty(1, 3, resolution, resolution),
            torch.empty(1, 3, 32, resolution, resolution),
        )
    d = flops.discriminator(options)
    d[0] = dataclasses.replace(d[0], input_gradient=0)
    for counts, network, x in zip(
        (flops.generator(options, PLAIN), d), networks, inputs, strict=True
    ):
        with FlopCounterMode(display=False) as counter:
            y = network(x)
        assert counter.get_total_flops() == forward(counts)
        with FlopCounterMode(display=False) as counter:
            y.sum().backward()
        assert counter.get_total_flops() == backward(counts)


def in_graph(function, *shape: int) -> int:
    concrete = tf.function(function, autograph=False).get_concrete_function(tf.TensorSpec(shape))
    return sum(map(work, concrete.graph.get_operations()))


@pytest.mark.parametrize("static_clip", [True, False], ids=["exact", "plain"])
@every_size
def test_counts_are_those_of_our_graph(
    resolution: int, base_filters: int, static_clip: bool
) -> None:
    options = ModelOptions(resolution=resolution, base_filters=base_filters)
    generator = ssagan_tf.build_generator(options)

    def clip(image: tf.Tensor, training: bool = False) -> tf.Tensor:
        return generator(image, training=training, static_clip=static_clip)

    def gradients(image: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(clip(image, training=True) ** 2)
        return tape.gradient(loss, generator.trainable_variables)

    algorithm = dataclasses.replace(EXACT if static_clip else PLAIN, attention_memory=0)
    counts = flops.generator(options, algorithm)
    # The last deconvolution's short cut also computes a border, which is cut off.
    used = in_graph(clip, 1, resolution, resolution, 3)
    assert forward(counts) <= used <= 1.03 * forward(counts)
    with plain_convolutions():
        assert in_graph(clip, 1, resolution, resolution, 3) == forward(counts)
        # The gradient computes attention weights again where they are large, and q, k and v.
        made = in_graph(gradients, 1, resolution, resolution, 3)
    kept = flops.generator(options, dataclasses.replace(algorithm, attention_memory=None))
    assert forward(kept) + backward(kept) <= made
    assert made <= 1.02 * (forward(counts) + backward(counts))


def test_exact_algorithm_saves() -> None:
    exact, plain = flops.generator(PAPER), flops.generator(PAPER, PLAIN)
    by_name = {count.name: count for count in plain}
    assert [count.name for count in exact] == [count.name for count in plain]
    for count in exact:
        assert count.forward <= by_name[count.name].forward, count.name
    assert forward(exact) < 0.6 * forward(plain)


def test_weights_are_computed_again_only_where_they_are_large() -> None:
    # 64 MiB for each clip at 64×64 positions, 4 MiB at 32×32.
    algorithm = dataclasses.replace(EXACT, attention_memory=256)
    for batch, again in ((4, set()), (5, {"conv1", "deconv5"})):
        counts = flops.generator(PAPER, algorithm, batch)
        assert {count.name.split()[0] for count in counts if count.recomputed} == again
    half = dataclasses.replace(algorithm, bytes_per_weight=2)
    assert not any(count.recomputed for count in flops.generator(PAPER, half, 8))


def test_step() -> None:
    g, d = flops.generator(PAPER), flops.discriminator(PAPER)
    of_weights = sum(count.weight_gradient for count in d)
    update = 2 * (3 * forward(d) - d[0].forward)  # real and generated
    expected = 5 * (update + forward(g)) + 2 * forward(d) + backward(g)
    assert of_weights == forward(d)
    assert flops.step(PAPER) == expected
    assert flops.step(PAPER, shared_forward=False) == expected + forward(g)


def test_cases_are_counted_by_their_algorithm() -> None:
    ours = Case("attention", "blocked", variant="blocked", positions=4096, frames=3, channels=32)
    ours = dataclasses.replace(ours, mode="gradients", memory=16)
    product = 2 * 4096**2 * 96
    assert flops.of_case(ours) == 7 * product
    assert flops.of_case(dataclasses.replace(ours, memory=64)) == 6 * product
    assert flops.of_case(dataclasses.replace(ours, variant="naive")) == 6 * product
    plain = Case("generator", "torch", "torch", "naive", batch=3)
    assert flops.of_case(plain) == 3 * forward(flops.generator(PAPER, PLAIN))
    assert flops.of_case(dataclasses.replace(plain, remat=True)) is None


def test_table_adds_up() -> None:
    counts = flops.generator(PAPER, RECOMPUTED)
    lines = flops.table(counts).splitlines()
    assert len(lines) == len(counts) + 2
    total = [float(cell) for cell in lines[-1].split()[1:]]
    parts: Iterable[list[float]] = ([float(c) for c in line.split()[-3:]] for line in lines[1:-1])
    assert [sum(column) for column in zip(*parts, strict=True)] == pytest.approx(total, abs=0.05)
