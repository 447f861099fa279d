from __future__ import annotations

import doctest
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import layers
from ssagan_tf.layers import SpatialSelfAttention, blocked_attention
from ssagan_tf.layers.gates import GATES
from tests.exactness import (
    arrays,
    assert_as_good,
    assert_equal,
    assert_exact,
    draws,
    fill,
    rms,
    value_and_gradients,
)

pytestmark = pytest.mark.numeric


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def awake(layer: SpatialSelfAttention, shape: tuple) -> SpatialSelfAttention:
    """Builds the layer, and sets all weights to values far from their initial ones."""
    layer.build(shape)
    fill(layer.weights, lambda drawn: 0.5 + 0.3 * drawn**2)
    return layer


def by_hand(layer: SpatialSelfAttention, inputs: tf.Tensor) -> np.ndarray:
    """o of Eq. 2 from the layer's weights and the slow reference, in float64."""
    [inputs] = arrays([inputs])
    q, k, v = (
        inputs @ kernel + bias
        for kernel, bias in (
            arrays([dense.kernel, dense.bias]) for dense in (layer.query, layer.key, layer.value)
        )
    )
    return blocked_attention.spatial_attention_reference(q, k, v)


@pytest.mark.parametrize(("key_channels", "channels"), [(3, 3), (1, 4)])
def test_operation_equals_the_reference(key_channels: int, channels: int) -> None:
    def qkv(dtype: str) -> list[tf.Tensor]:
        shapes = [(2, 3, 4, 5, c) for c in (key_channels, key_channels, channels)]
        return [draws(*shape, seed=seed, dtype=dtype) for seed, shape in enumerate(shapes)]

    expected = [blocked_attention.spatial_attention_reference(*qkv("float64"))]
    for operation in (
        blocked_attention.spatial_attention,
        blocked_attention.spatial_attention_naive,
    ):
        assert_exact([operation(*qkv("float64"))], expected)
    fast, plain = (
        operation(*qkv("float32"))
        for operation in (
            blocked_attention.spatial_attention,
            blocked_attention.spatial_attention_naive,
        )
    )
    assert_as_good([fast], [plain], expected)


@pytest.mark.parametrize("ratio", [1.0, 0.25])
@pytest.mark.parametrize("gate", ["gamma", "none"])
def test_layer_equals_the_reference(ratio: float, gate: str) -> None:
    inputs = draws(2, 3, 4, 3, 4)
    layer = awake(SpatialSelfAttention(ratio, gate, dtype="float64"), inputs.shape)
    gamma = float(layer.gamma) if gate == "gamma" else 1.0
    expected = gamma * by_hand(layer, inputs) + inputs  # Eq. 3
    assert_exact([layer(inputs)], [expected])


def test_projected_gate() -> None:
    inputs = draws(2, 3, 4, 3, 4)
    fresh = SpatialSelfAttention(gate="projected", dtype="float64")
    np.testing.assert_array_equal(fresh(inputs, training=True), inputs)
    layer = awake(SpatialSelfAttention(gate="projected", dtype="float64"), inputs.shape)
    kernel, bias = arrays([layer.projection.kernel, layer.projection.bias])
    projected = by_hand(layer, inputs) @ kernel + bias
    mean, variance = projected.mean((0, 1, 2, 3)), projected.var((0, 1, 2, 3))
    scale, offset = arrays([layer.projection_norm.gamma, layer.projection_norm.beta])
    expected = (projected - mean) / np.sqrt(variance + 1e-5) * scale + offset + inputs
    assert_exact([layer(inputs, training=True)], [expected])


def test_starts_as_the_identity_and_gamma_learns() -> None:
    inputs = draws(2, 3, 4, 5, 6)
    layer = SpatialSelfAttention(dtype="float64")
    np.testing.assert_array_equal(layer(inputs), inputs)
    assert layer.gamma.shape == ()
    assert layer.gamma.name == "gamma"
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(inputs) ** 2)
    [gradient] = tape.gradient(loss, [layer.gamma.value])
    # d/dγ Σ(γo + x)² at γ = 0 is 2 Σ o·x.
    expected = 2 * np.sum(by_hand(layer, inputs) * inputs.numpy())
    assert abs(expected) > 1
    assert_exact([gradient], [np.asarray(expected)])


# A central difference of fourth order, with the smallest step that rounding allows.
STEP = 1e-3
STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))


@pytest.mark.parametrize("memory", [256, 1], ids=["plain", "blocked"])
@pytest.mark.parametrize(
    ("gate", "training"),
    [*((gate, True) for gate in GATES), ("projected", False)],
)
@pytest.mark.slow
def test_gradients_of_the_layer_are_finite_differences(
    gate: str, memory: int, training: bool
) -> None:
    """For the input and each weight, along random directions and along single elements."""
    shape = (2, 2, 3, 4, 3) if memory > 1 else (5, 1, 14, 15, 2)
    layer = awake(SpatialSelfAttention(0.7, gate, memory=memory, dtype="float64"), shape)
    rows = tf.zeros((shape[0], shape[2] * shape[3], 1), "float64")
    assert (blocked_attention._blocks(rows, memory) is None) == (memory > 1)
    weights = layer.trainable_weights
    start = [0.3 * draws(*shape, seed=9), *(tf.identity(weight.value) for weight in weights)]
    factors = draws(*shape, seed=8)

    def loss(inputs: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(factors * layer(inputs, training=training) ** 2)

    def at(values: list[tf.Tensor]) -> float:
        for weight, value in zip(weights, values[1:], strict=True):
            weight.assign(value)
        return float(loss(values[0]))

    watched = [start[0], *(weight.value for weight in weights)]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        value = loss(start[0])
    gradients = tape.gradient(value, watched)
    largest = max(np.abs(gradient).max() for gradient in gradients)
    assert largest > 1
    random = np.random.default_rng(7)
    for number, (argument, gradient) in enumerate(zip(start, gradients, strict=True)):
        single = np.zeros(argument.shape)
        single.flat[random.integers(single.size)] = 1
        for direction in (single, random.standard_normal(argument.shape)):
            moved = list(start)
            slope = 0.0
            for steps, factor in STENCIL:
                moved[number] = argument + steps * STEP * direction
                slope += factor / STEP * at(moved)
            expected = np.sum(gradient * direction)
            assert abs(slope - expected) < 1e-7 * largest, (number, slope, expected)


def test_queries_and_keys_have_different_initial_weights() -> None:
    layer = SpatialSelfAttention(kernel_initializer=keras.initializers.RandomNormal(stddev=0.02))
    layer.build((None, 2, 4, 4, 64))
    query, key = np.asarray(layer.query.kernel), np.asarray(layer.key.kernel)
    assert abs(np.corrcoef(query.ravel(), key.ravel())[0, 1]) < 0.1
    np.testing.assert_allclose(query.std(), 0.02, rtol=0.1)


def test_any_initializer() -> None:
    layer = SpatialSelfAttention(kernel_initializer=lambda shape, dtype=None: tf.ones(shape, dtype))
    layer(numbers(1, 2, 3, 3, 4))
    np.testing.assert_array_equal(layer.key.kernel, np.ones((4, 4)))


def test_any_size_in_one_model() -> None:
    inputs = keras.Input((None, None, None, 4), dtype="float64")
    model = keras.Model(inputs, SpatialSelfAttention(gate="none", dtype="float64")(inputs))
    assert model.output_shape == (None, None, None, None, 4)
    spec = tf.TensorSpec((None, None, None, None, 4), "float64")
    run = tf.function(model, autograph=False, input_signature=[spec])
    for shape in [(1, 1, 1, 1, 4), (3, 2, 5, 4, 4), (2, 7, 3, 3, 4)]:
        clip = draws(*shape)
        assert_exact([run(clip)], [model(clip)])


def test_float16_survives_large_products() -> None:
    inputs = 20 * numbers(1, 8, 4, 4, 32)
    layer = SpatialSelfAttention(gate="none", dtype="float16")
    assert np.isfinite(np.asarray(layer(inputs))).all()


# Shapes [B, T, H, W] whose float64 weights take more than 1 MiB, and the rows in each block.
BLOCKED = {
    "groups of clips, an uneven last": ((7, 2, 12, 12), [144] * 4),
    "rows, an uneven last": ((1, 1, 19, 27), [74, 74, 74, 74, 74, 74, 69]),
    "both": ((2, 2, 20, 25), [84, 84, 84, 84, 84, 80] * 2),
    "unknown batch": ((None, 2, 15, 15), [12] * 18 + [9]),
}
every_block = pytest.mark.parametrize(("shape", "rows"), BLOCKED.values(), ids=BLOCKED)


def counted(monkeypatch) -> list[tuple[int | None, int]]:
    """Collects clips and rows of the blocks whose weights are computed."""
    calls = []

    def weights(query, key, mask=None, original=blocked_attention._weights):
        calls.append(tuple(query.shape[:2]))
        return original(query, key, mask)

    monkeypatch.setattr(blocked_attention, "_weights", weights)
    return calls


@every_block
@pytest.mark.slow
def test_blocks_equal_one_formula(shape: tuple, rows: list[int], monkeypatch) -> None:
    batch, *axes = shape

    def qkv(dtype: str = "float64") -> list[tf.Tensor]:
        return [draws(batch or 3, *axes, n, seed=n, dtype=dtype) for n in (2, 3, 4)]

    def of(operation, dtype: str = "float64", **arguments) -> list[tf.Tensor]:
        q, k, v = qkv(dtype)
        return value_and_gradients(
            lambda *qkv: operation(*qkv, **arguments), [q, k[..., :2], v], batch
        )

    expected = of(blocked_attention.spatial_attention_naive)
    calls = counted(monkeypatch)
    got = of(blocked_attention.spatial_attention, memory=1)
    assert [n for _, n in calls] == 2 * rows  # again in the gradient
    at_once = 2**20 // 8 // np.prod(axes[1:]) // 3
    assert all((clips or blocked_attention.ASSUMED_BATCH) * n <= at_once for clips, n in calls)
    assert_exact(got, expected)
    # Kept weights give the same, and are computed once.
    calls.clear()
    kept = of(blocked_attention.spatial_attention)
    assert len(calls) == 1
    assert_exact(kept, expected)
    plain = of(blocked_attention.spatial_attention_naive, "float32")
    for memory in (1, 256):
        fast = of(blocked_attention.spatial_attention, "float32", memory=memory)
        assert_as_good(fast, plain, expected)


def test_large_maps_are_computed_clip_by_clip(monkeypatch) -> None:
    shape = (3, 1, 32, 32, 2)
    q, k, v = (draws(*shape, seed=seed) for seed in range(3))
    mask = np.arange(1024) % 7 > np.arange(3)[:, None]
    calls = counted(monkeypatch)
    for masks in ({}, {"attention_mask": mask}):
        expected, found = (
            value_and_gradients(
                lambda *qkv, of=operation, masks=masks: of(*qkv, **masks), [q, k, v], 3
            )
            for operation in (
                blocked_attention.spatial_attention_naive,
                blocked_attention.spatial_attention,
            )
        )
        assert_exact(found, expected)
    clip_by_clip = [call for call in calls if call == (1, 1024)]
    assert len(clip_by_clip) == 2 * 3  # and not again in the gradient

    pairs = [draws(*shape, seed=seed) for seed, shape in enumerate([(2, 2), (2,)] * 3)]

    def of_layer() -> list[tf.Tensor]:
        return value_and_gradients(
            lambda clip, *weights: blocked_attention.self_attention(
                clip, [weights[i : i + 2] for i in (0, 2, 4)]
            ),
            [q, *pairs],
            3,
        )

    found = of_layer()
    monkeypatch.setattr(blocked_attention, "LARGE", 2048)
    assert_exact(found, of_layer())
    assert calls[-1] == (3, 1024)


def test_blocks_equal_the_reference(monkeypatch) -> None:
    # The reference is slow: small blocks.
    blocks = [(slice(0, 2), [slice(0, 5), slice(5, 12)]), (slice(2, 3), [slice(0, 12)])]
    monkeypatch.setattr(blocked_attention, "_blocks", lambda query, memory: blocks)
    calls = counted(monkeypatch)
    q, k, v = (draws(3, 2, 3, 4, 2, seed=seed) for seed in range(3))
    expected = blocked_attention.spatial_attention_reference(q, k, v)
    assert_exact([blocked_attention.spatial_attention(q, k, v)], [expected])
    assert calls == [(2, 5), (2, 7), (1, 12)]


@every_block
@pytest.mark.slow
def test_layer_of_blocks(shape: tuple, rows: list[int], monkeypatch) -> None:
    batch, *axes = shape
    counts = []

    def results(dtype: str, memory: int) -> list[tf.Tensor]:
        inputs = draws(batch or 3, *axes, 4, dtype=dtype)
        layer = awake(
            SpatialSelfAttention(0.5, "projected", memory=memory, dtype=dtype), inputs.shape
        )
        weights = [weight.value for weight in layer.trainable_weights]

        def run(inputs, *weights):
            # Projections as arguments, so that the tape can watch them in a graph.
            pairs = [(weights[i], weights[i + 1]) for i in (0, 2, 4)]
            return blocked_attention.self_attention(inputs, pairs, layer.memory) + inputs

        calls.clear()
        found = value_and_gradients(run, [inputs, *weights[:6]], batch)
        if batch is not None:
            found += value_and_gradients(
                lambda inputs, *_: layer(inputs, training=True), [inputs, *weights]
            )
        counts.append([n for _, n in calls])
        return found

    calls = counted(monkeypatch)
    assert_equal(lambda dtype: (results(dtype, 1), results(dtype, 256)))
    assert counts[0] == 2 * rows * (1 if batch is None else 2)
    assert all(len(of) < len(counts[0]) for of in counts[1::2])


def traced(shape: tuple, gradient: bool) -> tf.Graph:
    """The graph of a layer whose attention runs in blocks."""
    layer = SpatialSelfAttention(gate="none", memory=1)
    layer.build(shape)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec(shape)])
    def run(clip):
        with tf.GradientTape() as tape:
            output = layer(clip)
            loss = tf.reduce_sum(output**2)
        weights = [weight.value for weight in layer.trainable_weights]
        return tape.gradient(loss, weights) if gradient else output

    return run.get_concrete_function().graph


@pytest.mark.parametrize("gradient", [False, True])
def test_no_loops_in_the_graph(gradient: bool) -> None:
    definition = traced((None, 2, 15, 15, 4), gradient).as_graph_def()
    names = {node.op for node in definition.node}
    for function in definition.library.function:
        names |= {node.op for node in function.node_def}
    assert "Softmax" in names
    assert not [name for name in names if "While" in name or "Loop" in name or "Map" in name]


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize(
    ("shape", "blocks"),
    [((None, 2, 15, 15, 4), 10), ((5, 2, 16, 16, 4), 5), ((2, 2, 25, 25, 4), 10)],
)
def test_blocks_run_one_after_another(shape: tuple, blocks: int, gradient: bool) -> None:
    graph = traced(shape, gradient)

    def ancestors(operation: tf.Operation) -> set[str]:
        seen, waiting = set(), [operation]
        while waiting:
            for tensor in waiting.pop().inputs:
                if tensor.op.name not in seen:
                    seen.add(tensor.op.name)
                    waiting.append(tensor.op)
        return seen

    softmaxes = {op.name: ancestors(op) for op in graph.get_operations() if op.type == "Softmax"}
    assert len(softmaxes) == blocks * (1 + gradient)
    # In a chain, the first has no other before it, the second one, the third two ...
    chain = sorted(softmaxes.values(), key=len)
    assert [len(above & set(softmaxes)) for above in chain] == list(range(len(softmaxes)))
    # Between two of the gradient are all products of a block: S, dV, dA, dQ, dK.
    products = {op.name for op in graph.get_operations() if "MatMul" in op.type}
    numbers = [len(above & products) for above in chain[blocks:]]
    assert all(after - before >= 5 for before, after in itertools.pairwise(numbers))


def test_memory_is_part_of_the_config() -> None:
    layer = SpatialSelfAttention(memory=7)
    again = SpatialSelfAttention.from_config(layer.get_config())
    assert (layer.memory, again.memory) == (7, 7)
    assert SpatialSelfAttention().memory == blocked_attention.MEMORY


@pytest.mark.parametrize("deviation", [1, 4, 16])
@pytest.mark.parametrize("batch", [2, 9])  # whole, and in blocks
def test_bfloat16(deviation: float, batch: int) -> None:
    """As exact as the plain formula in bfloat16, for logits of any standard deviation."""
    shape = (batch, 4, 16, 16, 8)
    scale = (deviation / np.sqrt(4 * 8)) ** 0.5  # S, a sum of 4·8 products, then has it
    qkv = [
        tf.cast(factor * draws(*shape, seed=seed), "bfloat16")
        for seed, factor in enumerate((scale, scale, 1.0))
    ]
    memory = 1 if batch == 9 else 256
    assert (blocked_attention._blocks(tf.zeros((batch, 256, 32), "bfloat16"), memory) is None) == (
        batch == 2
    )

    def run(operation, dtype: str, **arguments) -> list[np.ndarray]:
        inputs = [tf.cast(x, dtype) for x in qkv]
        return arrays(value_and_gradients(lambda *qkv: operation(*qkv, **arguments), inputs))

    fast = run(blocked_attention.spatial_attention, "bfloat16", memory=memory)
    plain = run(blocked_attention.spatial_attention_naive, "bfloat16")
    exact = run(blocked_attention.spatial_attention_naive, "float64")
    for one, other, true in zip(fast, plain, exact, strict=True):
        # Twice bfloat16's rounding, 2⁻⁸, of the numbers themselves, where the plain way is lucky.
        assert rms(one - true) < 2 * rms(other - true) + 2**-7 * rms(true)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SpatialSelfAttention(gate="sum"), "gate"),
        (lambda: SpatialSelfAttention(ratio=0), "ratio"),
        (lambda: SpatialSelfAttention(ratio=2), "ratio"),
        (lambda: SpatialSelfAttention(memory=0), "memory"),
        (lambda: SpatialSelfAttention()(numbers(2, 4, 4, 3)), r"\[B, T, H, W, C\]"),
        (lambda: SpatialSelfAttention().build((None, 2, 4, 4, None)), "number of channels"),
    ],
)
def test_error_messages(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_docstring_example() -> None:
    results = doctest.testmod(layers.attention, extraglobs={"np": np})
    assert results.attempted
    assert not results.failed
