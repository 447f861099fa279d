"""Rewrites an ONNX graph without changing what it computes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Node = onnx.NodeProto


class Graph:
    """The graph of a model, with access to its constants by name."""

    def __init__(self, model: onnx.ModelProto):
        self._proto = model.graph
        self._constants = {each.name: each for each in model.graph.initializer}
        self._number = itertools.count()

    def constant(self, name: str) -> np.ndarray | None:
        """Returns the value of a constant, or None if the name is not one."""
        found = self._constants.get(name)
        return None if found is None else numpy_helper.to_array(found)

    def add_constant(self, value: np.ndarray, like: str) -> str:
        """Adds a constant and returns its name, which starts with `like`."""
        name = f"{like}/c{next(self._number)}"
        proto = numpy_helper.from_array(np.ascontiguousarray(value), name)
        self._proto.initializer.append(proto)
        self._constants[name] = self._proto.initializer[-1]
        return name

    def replace(self, nodes: list[Node]) -> None:
        """Replaces all nodes, given in topological order, without those that no output needs."""
        wanted = {output.name for output in self._proto.output}
        kept = []
        for node in reversed(nodes):
            if wanted & set(node.output):
                wanted |= set(node.input)
                kept.append(node)
        constants = [each for each in self._proto.initializer if each.name in wanted]
        del self._proto.node[:], self._proto.initializer[:], self._proto.value_info[:]
        self._proto.node.extend(reversed(kept))
        self._proto.initializer.extend(constants)


def attributes(node: Node) -> dict[str, Any]:
    """Returns the attributes of a node by name."""
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


_UNARY = {"Cast", "Clip", "Identity", "LeakyRelu", "Neg", "Relu", "Sigmoid", "Tanh"}
_BINARY = {"Add", "Div", "Max", "Min", "Mul", "Sub"}
_ALONG_AN_AXIS = {"Concat", "Split", "Tile"}
_LARGE = 1024  # values of a constant; smaller ones are hardly worth a node

Transposed = tuple[str, tuple[int, ...]]
"""Name of a tensor, and the permutation of its axes that gives another tensor."""


def drop_transposes(model: onnx.ModelProto) -> None:
    """Delays transposes until an operation needs the transposed tensor; most then cancel out.

    tf2onnx leaves those that it cannot move past operations that split a map along an axis and join
    it again.
    """
    graph = Graph(model)
    pending: dict[str, Transposed] = {}  # tensors whose transpose has been delayed
    nodes: list[Node] = []

    def needed(name: str) -> str:
        """Returns the name of a tensor's value, which a Transpose computes if it was delayed."""
        if name not in pending:
            return name
        source, perm = pending[name]
        if perm == tuple(range(len(perm))) and name not in outputs:
            return source
        del pending[name]
        nodes.append(helper.make_node("Transpose", [source], [name], f"{name}/turned", perm=perm))
        return name

    outputs = {output.name for output in model.graph.output}
    for node in model.graph.node:
        if node.op_type == "Transpose":
            perm = tuple(attributes(node)["perm"])
            source, before = pending.get(node.input[0], (node.input[0], tuple(range(len(perm)))))
            pending[node.output[0]] = source, tuple(before[axis] for axis in perm)
        elif perm := _common_permutation(graph, node, pending):
            nodes.append(_before_transpose(graph, node, perm, pending))
        else:
            inputs = [needed(name) for name in node.input]
            del node.input[:]
            node.input.extend(inputs)
            nodes.append(node)
    for name in outputs:
        needed(name)
    graph.replace(nodes)


def _common_permutation(
    graph: Graph, node: Node, pending: dict[str, Transposed]
) -> tuple[int, ...] | None:
    """Returns the permutation pending for all inputs of a node, if it can be applied after it."""
    if node.op_type not in _UNARY | _BINARY | _ALONG_AN_AXIS:
        return None
    maps = node.input if node.op_type in _BINARY | {"Concat"} else node.input[:1]
    if node.op_type not in _BINARY or all(graph.constant(name) is None for name in maps):
        perms = {pending[name][1] if name in pending else None for name in maps}
    else:
        perms = {pending[n][1] if n in pending else None for n in maps if graph.constant(n) is None}
    perm = perms.pop() if len(perms) == 1 else None
    if node.op_type == "Tile" and graph.constant(node.input[1]) is None:
        return None
    return perm


def _before_transpose(
    graph: Graph, node: Node, perm: tuple[int, ...], pending: dict[str, Transposed]
) -> Node:
    """Returns the node for inputs before their transpose; that of its outputs is delayed."""
    new = Node()
    new.CopyFrom(node)
    inverse = np.argsort(perm)
    for index, name in enumerate(node.input):
        if name in pending:
            new.input[index] = pending[name][0]
        elif node.op_type == "Tile":
            new.input[index] = graph.add_constant(graph.constant(name)[inverse], node.name)
        elif node.op_type in _BINARY:
            value = graph.constant(name)
            value = value.reshape((1,) * (len(perm) - value.ndim) + value.shape)
            new.input[index] = graph.add_constant(value.transpose(inverse), node.name)
    for attribute in new.attribute:
        if attribute.name == "axis":
            attribute.i = perm[attribute.i]
    for index, name in enumerate(node.output):
        new.output[index] = f"{name}/unturned"
        pending[name] = new.output[index], perm
    return new


def in_float16(model: onnx.ModelProto, precise: str) -> onnx.ModelProto:
    """Converts weights and arithmetic to float16; inputs and outputs stay float32.

    Args:
      model: Model in float32. Don't use it afterwards.
      precise: Nodes with this text in their names stay in float32, and so does softmax.
    """
    from onnxruntime.transformers import float16

    stay = [node.name for node in model.graph.node if precise in node.name]
    return float16.convert_float_to_float16(
        model, keep_io_types=True, op_block_list=["Softmax"], node_block_list=stay
    )


def store_in_float16(model: onnx.ModelProto) -> None:
    """Stores large constants in float16; arithmetic, inputs and outputs stay float32.

    ONNX Runtime casts them once, when it loads the model.
    """
    casts = []
    for constant in model.graph.initializer:
        value = numpy_helper.to_array(constant)
        if value.dtype == np.float32 and value.size >= _LARGE:
            name = constant.name
            halved = numpy_helper.from_array(value.astype(np.float16), f"{name}/float16")
            constant.CopyFrom(halved)
            casts.append(
                helper.make_node(
                    "Cast", [halved.name], [name], f"{name}/cast", to=onnx.TensorProto.FLOAT
                )
            )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def shorten_names(model: onnx.ModelProto) -> None:
    """Names everything but inputs and outputs by its position, which makes the file smaller.

    Weights are put into the same order: tf2onnx's changes from run to run.
    """
    graph = model.graph
    names = {each.name: each.name for each in (*graph.input, *graph.output)} | {"": ""}
    for node in graph.node:
        node.ClearField("name")
        for ends in (node.input, node.output):
            for index, name in enumerate(ends):
                ends[index] = names.setdefault(name, f"v{len(names)}")
    position = {name: index for index, name in enumerate(names)}
    weights = sorted(graph.initializer, key=lambda each: position[each.name])
    del graph.initializer[:]
    graph.initializer.extend(weights)
    for each in graph.initializer:
        each.name = names[each.name]
    for each in (*graph.input, *graph.output):
        for axis in each.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = "N"
