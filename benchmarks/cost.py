"""Counts what compiled graphs compute and move, without running them: operations and bytes.

    python -m benchmarks.cost --case='gradients, 128'

says where most of them are, after TensorFlow's own optimisation of the graph. Operations are those
of matrix products and convolutions. `flops.py` derives them from the architecture; here they are
read from the graph, where work that is done twice shows. Bytes are what each node of the graph
reads and writes. Neither depends on the machine.

    python -m benchmarks.cost --write

counts all cases (`cost_cases.py`) as they are traced, and writes the table to which
`tests/benchmarks/test_cost.py` holds the code.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import importlib.metadata
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ssagan_tf.startup import load_tensorflow

if TYPE_CHECKING:  # elsewhere it is imported late
    import tensorflow as tf

TABLE = Path(__file__).parents[1] / "tests" / "benchmarks" / "cost.json"
LARGE = 2**16  # bytes; smaller nodes are not counted by kind
# Nodes that hold a buffer or pass it on, and those that read only as much as they write.
WITHOUT_COPY = {
    *("Const", "Placeholder", "ReadVariableOp", "AssignVariableOp"),
    *("Identity", "IdentityN", "StopGradient"),
    *("Reshape", "ExpandDims", "Squeeze", "Shape", "ShapeN"),
}
READ_A_PART = {"Slice", "StridedSlice", "GatherV2"}
WITHOUT_SIZE = {"resource", "variant", "string"}


@dataclasses.dataclass(frozen=True)
class Cost:
    """What nodes of a graph cost together.

    Attributes:
      operations: Multiplications and additions of matrix products and convolutions.
      bytes: Read and written.
      kinds: Number of nodes that move `LARGE` bytes or more, by kind.
    """

    operations: int
    bytes: int
    kinds: dict[str, int]


def cost(nodes: Iterable[tf.Operation]) -> Cost:
    """Adds up what nodes cost."""
    operations = moved = 0
    kinds: collections.Counter[str] = collections.Counter()
    for node in nodes:
        bytes_of_node = bytes_moved(node)
        operations += work(node)
        moved += bytes_of_node
        kinds[node.type] += bytes_of_node >= LARGE
    return Cost(operations, moved, {kind: n for kind, n in sorted(kinds.items()) if n})


def work(node: tf.Operation) -> int:
    """The operations of a matrix product or convolution; 0 for other nodes."""
    shapes = [tensor.shape for tensor in node.inputs]
    if node.type == "Conv3D":
        return 2 * math.prod(node.outputs[0].shape) * math.prod(shapes[1][:-1])
    if node.type == "Conv3DBackpropInputV2":
        return 2 * math.prod(shapes[2][:-1]) * math.prod(shapes[1])
    if node.type == "Conv3DBackpropFilterV2":
        return 2 * math.prod(shapes[2][:-1]) * math.prod(node.outputs[0].shape)
    if node.type == "MatMul":
        inner = shapes[0][0 if node.get_attr("transpose_a") else 1]
        return 2 * math.prod(node.outputs[0].shape) * inner
    if node.type == "BatchMatMulV2":
        inner = shapes[0][-2 if node.get_attr("adj_x") else -1]
        return 2 * math.prod(node.outputs[0].shape) * inner
    if node.type == "Einsum":
        axes = node.get_attr("equation").decode().split("->")[0].split(",")
        sizes = {
            letter: size
            for letters, shape in zip(axes, shapes, strict=True)
            for letter, size in zip(letters, shape, strict=True)
        }
        return 2 * math.prod(sizes.values())
    return 0


def bytes_moved(node: tf.Operation) -> int:
    """The bytes that a node reads and writes."""
    if node.type in WITHOUT_COPY:
        return 0
    read, written = (sum(map(_size, tensors)) for tensors in (node.inputs, node.outputs))
    if node.type in READ_A_PART:
        return 2 * written
    if node.type in ("AssignAddVariableOp", "AssignSubVariableOp"):
        return 3 * read
    return read + written


def _size(tensor: tf.Tensor) -> int:
    if tensor.dtype.name in WITHOUT_SIZE:
        return 0
    return tensor.dtype.size * math.prod(tensor.shape)


def needed(graph: tf.Graph) -> list[tf.Operation]:
    """The nodes of a traced function that its results and updates of variables depend on."""
    waiting = [tensor.op for tensor in graph.outputs] + _updates(graph)
    found = set(waiting)
    while waiting:
        node = waiting.pop()
        before = {*(tensor.op for tensor in node.inputs), *node.control_inputs} - found
        found |= before
        waiting.extend(before)
    return [node for node in graph.get_operations() if node in found]


def optimised(graph: tf.Graph) -> list[tf.Operation]:
    """The nodes of a traced function after TensorFlow's optimisation, which differs by version."""
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
    from tensorflow.python.grappler import tf_optimizer  # it has no public name

    meta = meta_graph_pb2.MetaGraphDef(graph_def=graph.as_graph_def())
    variables = {tensor.op.name: tensor for tensor in graph.inputs if tensor.dtype == tf.resource}
    for node in meta.graph_def.node:
        if node.name in variables:  # a placeholder, which does not know the variable's shape
            value = _value_of(variables[node.name])
            node.op = "VarHandleOp"
            node.ClearField("attr")
            node.attr["dtype"].type = value.dtype.as_datatype_enum
            node.attr["shape"].shape.CopyFrom(value.shape.as_proto())
    kept = [tensor.op for tensor in graph.outputs] + _updates(graph)
    meta.collection_def["train_op"].node_list.value.extend(node.name for node in kept)
    definition = tf_optimizer.OptimizeGraph(config_pb2.ConfigProto(), meta)
    with tf.Graph().as_default() as result:
        tf.graph_util.import_graph_def(definition, name="")
    return result.get_operations()


def _value_of(variable: tf.Tensor) -> tf.Tensor:
    """What is read from or written to a variable, given a reference to it."""
    user = variable.consumers()[0]
    return next(each for each in (*user.outputs, *user.inputs) if each.dtype != variable.dtype)


def _updates(graph: tf.Graph) -> list[tf.Operation]:
    # TensorFlow also lists each time that a variable is read.
    return [node for node in graph.control_outputs if node.type != "ReadVariableOp"]


def ranking(nodes: Iterable[tf.Operation], number: int = 10) -> str:
    """Formats which nodes have most operations and most bytes, by kind and largest tensor."""
    alike = collections.defaultdict(list)
    for node in nodes:
        if sized := [t for t in (*node.inputs, *node.outputs) if t.dtype.name not in WITHOUT_SIZE]:
            largest = max(sized, key=_size)
            alike[f"{node.type} {largest.dtype.name}{list(largest.shape)}"].append(node)
    costs = {name: cost(group) for name, group in alike.items()}
    lines = []
    for attribute, unit, scale in (("operations", "GFLOP", 1e9), ("bytes", "MB", 1e6)):
        values = {name: getattr(each, attribute) for name, each in costs.items()}
        total = sum(values.values())
        lines.append(f"{total / scale:.1f} {unit}")
        for name in sorted(values, key=values.__getitem__, reverse=True)[:number]:
            share = f"{values[name] / scale:10.1f} {values[name] / total:6.1%}"
            lines.append(f"{share}  {len(alike[name])} × {name}")
    return "\n".join(lines)


def keras_version() -> str:
    """The version of what makes most of the nodes. TensorFlow's matters less: with the same Keras,
    2.16 and 2.21 have the same graphs."""
    return importlib.metadata.version("keras")


def read_table() -> tuple[str, dict[str, Cost]]:
    """The version of Keras with which the table was written, and its costs by case."""
    table = json.loads(TABLE.read_text())
    return table["keras"], {name: Cost(**each) for name, each in table["cases"].items()}


def write_table(costs: dict[str, Cost]) -> None:
    """Writes the table, a line per case."""
    cases = [f"{json.dumps(name)}: {json.dumps(vars(each))}" for name, each in costs.items()]
    lines = ",\n".join(cases)
    TABLE.write_text(f'{{"keras": "{keras_version()}",\n"cases": {{\n{lines}\n}}}}\n')


def main() -> None:
    parser = argparse.ArgumentParser(description="Counts operations and bytes of graphs.")
    parser.add_argument("--case", action="append", default=[], help="say where they are in a case")
    parser.add_argument("--write", action="store_true", help="write the table of the tests")
    arguments = parser.parse_args()
    load_tensorflow()
    from benchmarks.cost_cases import CASES

    if unknown := set(arguments.case) - set(CASES):
        parser.error(f"no case {min(unknown)!r}; there are {', '.join(map(repr, CASES))}")
    for name in arguments.case:
        print(f"\n{name}\n{ranking(optimised(CASES[name]()))}", flush=True)
    if arguments.write:
        write_table({name: cost(needed(make())) for name, make in CASES.items()})


if __name__ == "__main__":
    main()
