from __future__ import annotations

import doctest
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import layers
from ssagan_tf.layers import SpatialSelfAttention, blocked_attention


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def awake(layer: SpatialSelfAttention, inputs: np.ndarray) -> SpatialSelfAttention:
    """Gives all weights values that matter."""
    layer.build(inputs.shape)
    for seed, weight in enumerate(layer.weights):
        weight.assign(0.5 + 0.3 * numbers(*weight.shape, seed=seed) ** 2)
    return layer


def by_hand(layer: SpatialSelfAttention, inputs: np.ndarray) -> np.ndarray:
    """o of Eq. 2 from the layer's weights and the slow reference."""
    q, k, v = (
        inputs @ np.asarray(dense.kernel) + np.asarray(dense.bias)
        for dense in (layer.query, layer.key, layer.value)
    )
    return blocked_attention.spatial_attention_reference(q, k, v)


@pytest.mark.parametrize(("key_channels", "channels"), [(3, 3), (1, 4)])
def test_operation_equals_the_reference(key_channels: int, channels: int) -> None:
    q, k = numbers(2, 3, 4, 5, key_channels), numbers(2, 3, 4, 5, key_channels, seed=1)
    v = numbers(2, 3, 4, 5, channels, seed=2)
    expected = blocked_attention.spatial_attention_reference(q, k, v)
    np.testing.assert_allclose(blocked_attention.spatial_attention(q, k, v), expected, atol=2e-6)


@pytest.mark.parametrize("ratio", [1.0, 0.25])
@pytest.mark.parametrize("gate", ["gamma", "none"])
def test_layer_equals_the_reference(ratio: float, gate: str) -> None:
    inputs = numbers(2, 3, 4, 3, 4)
    layer = awake(SpatialSelfAttention(ratio, gate), inputs)
    gamma = float(layer.gamma) if gate == "gamma" else 1.0
    expected = gamma * by_hand(layer, inputs) + inputs  # Eq. 3
    np.testing.assert_allclose(layer(inputs), expected, rtol=2e-5, atol=2e-5)


def test_projected_gate() -> None:
    inputs = numbers(2, 3, 4, 3, 4)
    fresh = SpatialSelfAttention(gate="projected")
    np.testing.assert_array_equal(fresh(inputs, training=True), inputs)
    layer = awake(SpatialSelfAttention(gate="projected"), inputs)
    projected = by_hand(layer, inputs) @ np.asarray(layer.projection.kernel)
    projected += np.asarray(layer.projection.bias)
    mean, variance = projected.mean((0, 1, 2, 3)), projected.var((0, 1, 2, 3))
    norm = layer.projection_norm
    normalised = (projected - mean) / np.sqrt(variance + 1e-5)
    expected = normalised * np.asarray(norm.gamma) + np.asarray(norm.beta) + inputs
    np.testing.assert_allclose(layer(inputs, training=True), expected, rtol=1e-3, atol=1e-3)


def test_starts_as_the_identity_and_gamma_learns() -> None:
    inputs = tf.constant(numbers(2, 3, 4, 5, 6))
    layer = SpatialSelfAttention()
    np.testing.assert_array_equal(layer(inputs), inputs)
    assert layer.gamma.shape == ()
    assert layer.gamma.name == "gamma"
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(inputs) ** 2)
    [gradient] = tape.gradient(loss, [layer.gamma.value])
    # d/dγ Σ(γo + x)² at γ = 0 is 2 Σ o·x.
    expected = 2 * np.sum(by_hand(layer, inputs.numpy()) * inputs.numpy())
    assert abs(expected) > 1
    np.testing.assert_allclose(gradient, expected, rtol=1e-4)


def test_gradients_against_finite_differences() -> None:
    q, k, v, weight = (numbers(1, 2, 2, 3, 2, seed=seed).astype("float64") for seed in range(4))

    def loss(*qkv: np.ndarray) -> float:
        return float(np.sum(weight * blocked_attention.spatial_attention_reference(*qkv)))

    tensors = [tf.constant(x, "float32") for x in (q, k, v)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = tf.reduce_sum(
            weight.astype("float32") * blocked_attention.spatial_attention(*tensors)
        )
    for number, gradient in enumerate(tape.gradient(value, tensors)):
        for index in [(0, 0, 0, 0, 0), (0, 1, 1, 2, 1), (0, 0, 1, 1, 0)]:
            low, high = ([x.copy() for x in (q, k, v)] for _ in range(2))
            low[number][index] -= 1e-4
            high[number][index] += 1e-4
            slope = (loss(*high) - loss(*low)) / 2e-4
            np.testing.assert_allclose(gradient.numpy()[index], slope, rtol=1e-3, atol=1e-5)


def test_queries_and_keys_are_drawn_apart() -> None:
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
    inputs = keras.Input((None, None, None, 4))
    model = keras.Model(inputs, SpatialSelfAttention(gate="none")(inputs))
    assert model.output_shape == (None, None, None, None, 4)
    run = tf.function(
        model, autograph=False, input_signature=[tf.TensorSpec((None, None, None, None, 4))]
    )
    for shape in [(1, 1, 1, 1, 4), (3, 2, 5, 4, 4), (2, 7, 3, 3, 4)]:
        clip = numbers(*shape)
        np.testing.assert_allclose(run(clip), model(clip), atol=1e-5)


def test_float16_survives_large_products() -> None:
    inputs = 20 * numbers(1, 8, 4, 4, 32)
    layer = SpatialSelfAttention(gate="none", dtype="float16")
    assert np.isfinite(np.asarray(layer(inputs))).all()


# Shapes [B, T, H, W] whose weights take more than 1 MiB, and the number of rows in each block.
BLOCKED = {
    "groups of clips, an uneven last": ((14, 2, 12, 12), [144] * 4),
    "rows, an uneven last": ((1, 1, 19, 27), [129, 129, 129, 126]),
    "both": ((2, 2, 25, 25), [125] * 10),
    "unknown batch": ((None, 2, 15, 15), [23] * 9 + [18]),
}
every_block = pytest.mark.parametrize(("shape", "rows"), BLOCKED.values(), ids=BLOCKED)


def counted(monkeypatch) -> list[tuple[int | None, int]]:
    """Collects clips and rows of the blocks whose weights are computed."""
    calls = []

    def weights(query, key, original=blocked_attention._weights):
        calls.append(tuple(query.shape[:2]))
        return original(query, key)

    monkeypatch.setattr(blocked_attention, "_weights", weights)
    return calls


def value_and_gradients(
    function: Callable, arguments: list, batch: int | None, graph: bool = True
) -> list[np.ndarray]:
    """Of a weighed sum; in a graph, where the batch may be unknown."""
    if graph:
        arguments = [tf.convert_to_tensor(x) for x in arguments]
    else:  # variables have to stay what the layer uses
        arguments = [tf.constant(x) if isinstance(x, np.ndarray) else x for x in arguments]
    specs = [
        tf.TensorSpec((batch, *x.shape[1:]) if x.shape.rank == 5 else x.shape, x.dtype)
        for x in arguments
    ]

    def run(*arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            output = tf.cast(function(*arguments), "float32")
            weight = tf.sin(tf.cast(tf.range(tf.size(output)) % 1009, "float32"))
            loss = tf.reduce_sum(output * tf.reshape(weight, tf.shape(output)))
        return output, *tape.gradient(loss, arguments)

    run = tf.function(run, autograph=False, input_signature=specs) if graph else run
    return [tf.cast(x, "float32").numpy() for x in run(*arguments)]


def assert_close(got: list, expected: list, tolerance: float = 2e-5) -> None:
    """Of the largest number of each array."""
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max())


@every_block
def test_blocks_equal_one_formula(shape: tuple, rows: list[int], monkeypatch) -> None:
    batch, *axes = shape
    q, k = (numbers(batch or 3, *axes, 2, seed=seed) for seed in range(2))
    v = numbers(batch or 3, *axes, 3, seed=2)
    expected = value_and_gradients(blocked_attention.spatial_attention_naive, [q, k, v], batch)
    calls = counted(monkeypatch)
    got = value_and_gradients(
        lambda *qkv: blocked_attention.spatial_attention(*qkv, memory=1), [q, k, v], batch
    )
    assert [n for _, n in calls] == 2 * rows  # again in the gradient
    at_once = 2**20 // 4 // np.prod(axes[1:]) // 3
    assert all((clips or blocked_attention.ASSUMED_BATCH) * n <= at_once for clips, n in calls)
    assert_close(got, expected)
    # Kept weights give the same, and are computed once.
    calls.clear()
    kept = value_and_gradients(blocked_attention.spatial_attention, [q, k, v], batch)
    assert len(calls) == 1
    assert_close(kept, expected)


def test_blocks_equal_the_reference(monkeypatch) -> None:
    # The reference is slow: small blocks.
    blocks = [(slice(0, 2), [slice(0, 5), slice(5, 12)]), (slice(2, 3), [slice(0, 12)])]
    monkeypatch.setattr(blocked_attention, "_blocks", lambda query, memory: blocks)
    calls = counted(monkeypatch)
    q, k, v = (numbers(3, 2, 3, 4, 2, seed=seed) for seed in range(3))
    expected = blocked_attention.spatial_attention_reference(q, k, v)
    np.testing.assert_allclose(blocked_attention.spatial_attention(q, k, v), expected, atol=2e-6)
    assert calls == [(2, 5), (2, 7), (1, 12)]
    np.testing.assert_allclose(
        blocked_attention.spatial_attention_naive(q, k, v), expected, atol=2e-6
    )


@every_block
def test_layer_of_blocks(shape: tuple, rows: list[int], monkeypatch) -> None:
    batch, *axes = shape
    inputs = numbers(batch or 3, *axes, 4)

    def results(memory: int) -> list[np.ndarray]:
        layer = awake(SpatialSelfAttention(0.5, "projected", memory=memory), inputs)
        weights = [weight.value for weight in layer.trainable_weights]

        def run(inputs, *weights):
            # Projections as arguments, so that the tape can watch them in a graph.
            pairs = [(weights[i], weights[i + 1]) for i in (0, 2, 4)]
            attended = blocked_attention.self_attention(inputs, pairs, layer.memory)
            return attended + inputs

        by_hand = value_and_gradients(run, [inputs, *weights[:6]], batch)
        if batch is None:
            return by_hand
        whole = value_and_gradients(
            lambda inputs, *_: layer(inputs, training=True), [inputs, *weights], batch, graph=False
        )
        return by_hand + whole

    expected = results(256)
    calls = counted(monkeypatch)
    got = results(1)
    assert [n for _, n in calls] == 2 * rows * (1 if batch is None else 2)
    # The gradient of a key's bias is 0 but for rounding: measure by the largest.
    largest = max(np.abs(x).max() for x in expected[1:])
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5 * largest)


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
    before = sorted(len(above & set(softmaxes)) for above in softmaxes.values())
    assert before == list(range(len(softmaxes)))


def test_memory_is_part_of_the_config() -> None:
    layer = SpatialSelfAttention(memory=7)
    again = SpatialSelfAttention.from_config(layer.get_config())
    assert (layer.memory, again.memory) == (7, 7)
    assert SpatialSelfAttention().memory == blocked_attention.MEMORY


# Of ‖error‖ / ‖exact‖, for o and the gradients of q, k, v. Measured: 0.009, 0.016, 0.055.
@pytest.mark.parametrize(("deviation", "bound"), [(1, 0.015), (4, 0.025), (16, 0.08)])
@pytest.mark.parametrize("batch", [2, 9])  # whole, and in blocks
def test_bfloat16(deviation: float, bound: float, batch: int) -> None:
    shape = (batch, 4, 16, 16, 8)
    scale = (deviation / np.sqrt(4 * 8)) ** 0.5  # S, a sum of 4·8 products, then has it
    q, k, v = (
        tf.cast(factor * numbers(*shape, seed=seed), "bfloat16")
        for seed, factor in enumerate((scale, scale, 1.0))
    )
    memory = 1 if batch == 9 else 256
    assert (blocked_attention._blocks(tf.zeros((batch, 256, 32), "bfloat16"), memory) is None) == (
        batch == 2
    )

    def run(dtype: str) -> list[np.ndarray]:
        arguments = [tf.cast(x, dtype) for x in (q, k, v)]
        return value_and_gradients(
            lambda *qkv: blocked_attention.spatial_attention(*qkv, memory=memory), arguments, batch
        )

    for got, expected in zip(run("bfloat16"), run("float32"), strict=True):
        assert np.linalg.norm(got - expected) < bound * np.linalg.norm(expected)


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
def test_errors_name_what_is_wrong(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_the_docstring_is_true() -> None:
    results = doctest.testmod(layers.attention, extraglobs={"np": np})
    assert results.attempted
    assert not results.failed
