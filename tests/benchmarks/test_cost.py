"""What training steps compute and move, compared with a stored table: work done twice shows here,
on any machine, where a timed test would need a quiet one."""

from __future__ import annotations

import pytest
import tensorflow as tf

from benchmarks import cost, flops
from benchmarks.cost import Cost
from benchmarks.cost_cases import BATCH, CASES, SLOW
from ssagan_tf.options import ModelOptions

pytestmark = pytest.mark.slow

KERAS, TABLE = cost.read_table()
AGAIN = "if this is meant: python -m benchmarks.cost --write"


def differences(found: Cost, stored: Cost) -> list[str]:
    """One line for each number that differs."""
    lines = [
        f"{name}: {now:,} instead of {before:,} ({now / before - 1:+.2%})"
        for name in ("operations", "bytes")
        if (now := getattr(found, name)) != (before := getattr(stored, name))
    ]
    kinds = sorted({*found.kinds, *stored.kinds})
    counts = ((kind, found.kinds.get(kind, 0), stored.kinds.get(kind, 0)) for kind in kinds)
    return lines + [f"{kind}: {now} instead of {was}" for kind, now, was in counts if now != was]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long if name in SLOW else ()) for name in CASES],
)
def test_graphs_cost_what_they_did(name: str) -> None:
    found, stored = cost.cost(cost.needed(CASES[name]())), TABLE[name]
    if cost.keras_version() == KERAS:
        assert not differences(found, stored), AGAIN
    else:  # its layers and optimizers may consist of other small nodes
        assert found.operations == pytest.approx(stored.operations, rel=0.01)
        assert found.bytes == pytest.approx(stored.bytes, rel=0.05)


def test_the_table_has_every_case() -> None:
    assert list(TABLE) == list(CASES), "python -m benchmarks.cost --write"


@pytest.mark.parametrize(("name", "resolution"), [("step", 64), ("step, 128", 128)])
def test_steps_need_what_the_architecture_does(name: str, resolution: int) -> None:
    options = ModelOptions(resolution=resolution)
    kept = BATCH * flops.step(options, batch=BATCH, discriminator_updates=2)
    # q, k and v are computed again.
    assert kept <= TABLE[name].operations <= 1.02 * kept


def test_counts_of_single_nodes() -> None:
    with tf.Graph().as_default() as graph:
        a, b = (tf.zeros(shape) for shape in ((2, 3, 5), (2, 5, 7)))
        tf.matmul(a, b)
        tf.einsum("bij,bjk->bik", a, b)
        tf.transpose(a, (0, 2, 1))
        a[:, 0]
        tf.reshape(a, (30,))
    nodes = {node.type: node for node in graph.get_operations()}
    product = 2 * 2 * 3 * 5 * 7
    assert cost.work(nodes["BatchMatMulV2"]) == cost.work(nodes["Einsum"]) == product
    assert cost.work(nodes["Transpose"]) == 0
    moved = {kind: cost.bytes_moved(node) for kind, node in nodes.items()}
    assert moved["BatchMatMulV2"] == 4 * (30 + 70 + 42)
    assert moved["Transpose"] == 4 * (30 + 3 + 30)
    assert moved["StridedSlice"] == 4 * (10 + 10)
    assert moved["Reshape"] == 0


def test_only_work_that_is_used_counts() -> None:
    variable = tf.Variable(tf.zeros((8, 8)))

    @tf.function
    def function(x: tf.Tensor) -> tf.Tensor:
        tf.matmul(x, x)
        variable.assign_add(tf.matmul(x, variable))
        return x + 1.0

    graph = function.get_concrete_function(tf.TensorSpec((8, 8))).graph
    product = 2 * 8**3
    assert cost.cost(graph.get_operations()).operations == 2 * product
    for nodes in (cost.needed(graph), cost.optimised(graph)):
        assert cost.cost(nodes).operations == product
        assert cost.cost(nodes).bytes >= 4 * 64 * (3 + 3 + 2)  # product, update, sum
        assert "MatMul float32[8, 8]" in cost.ranking(nodes)
