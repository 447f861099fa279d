"""Changes to an ONNX graph that leave what it computes as it is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Node = onnx.NodeProto


class Graph:
    """A model's graph with its constants by name."""

    def __init__(self, model: onnx.ModelProto):
        self._proto = model.graph
        self._constants = {each.name: each for each in model.graph.initializer}
        self._number = itertools.count()

    def constant(self, name: str) -> np.ndarray | None:
        """The value of a constant."""
        found = self._constants.get(name)
        return None if found is None else numpy_helper.to_array(found)

    def add_constant(self, value: np.ndarray, like: str) -> str:
        name = f"{like}/c{next(self._number)}"
        proto = numpy_helper.from_array(np.ascontiguousarray(value), name)
        self._proto.initializer.append(proto)
        self._constants[name] = self._proto.initializer[-1]
        return name

    def replace(self, nodes: list[Node]) -> None:
        """Sets the nodes, in an order in which they can run, and drops what nobody reads."""
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
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


_UNARY = {"Cast", "Clip", "Identity", "LeakyRelu", "Neg", "Relu", "Sigmoid", "Tanh"}
_BINARY = {"Add", "Div", "Max", "Min", "Mul", "Sub"}
_ALONG_AN_AXIS = {"Concat", "Split", "Tile"}

Turn = tuple[str, tuple[int, ...]]
"""A tensor, and the order of its axes that gives another one."""


def drop_transposes(model: onnx.ModelProto) -> None:
    """Puts transposes off until an operation needs its input turned; most then cancel out.

    tf2onnx leaves some where it cannot see past what takes a map apart along an axis and puts it
    together again.
    """
    graph = Graph(model)
    turned: dict[str, Turn] = {}  # tensors that are there as another's transpose only
    nodes: list[Node] = []

    def needed(name: str) -> str:
        """The tensor itself, or the one that it equals."""
        if name not in turned:
            return name
        source, perm = turned[name]
        if perm == tuple(range(len(perm))) and name not in outputs:
            return source
        del turned[name]
        nodes.append(helper.make_node("Transpose", [source], [name], f"{name}/turned", perm=perm))
        return name

    outputs = {output.name for output in model.graph.output}
    for node in model.graph.node:
        if node.op_type == "Transpose":
            own = tuple(attributes(node)["perm"])
            source, before = turned.get(node.input[0], (node.input[0], tuple(range(len(own)))))
            turned[node.output[0]] = source, tuple(before[axis] for axis in own)
        elif perm := _turn(graph, node, turned):
            nodes.append(_unturned(graph, node, perm, turned))
        else:
            inputs = [needed(name) for name in node.input]
            del node.input[:]
            node.input.extend(inputs)
            nodes.append(node)
    for name in outputs:
        needed(name)
    graph.replace(nodes)


def _turn(graph: Graph, node: Node, turned: dict[str, Turn]) -> tuple[int, ...] | None:
    """How all maps that a node takes are turned, if it can as well take them unturned."""
    if node.op_type not in _UNARY | _BINARY | _ALONG_AN_AXIS:
        return None
    maps = node.input if node.op_type in _BINARY | {"Concat"} else node.input[:1]
    if node.op_type not in _BINARY or all(graph.constant(name) is None for name in maps):
        perms = {turned[name][1] if name in turned else None for name in maps}
    else:
        perms = {turned[n][1] if n in turned else None for n in maps if graph.constant(n) is None}
    perm = perms.pop() if len(perms) == 1 else None
    if node.op_type == "Tile" and graph.constant(node.input[1]) is None:
        return None
    return perm


def _unturned(graph: Graph, node: Node, perm: tuple[int, ...], turned: dict[str, Turn]) -> Node:
    """The node on maps as they are; its outputs are turned in its place."""
    new = Node()
    new.CopyFrom(node)
    inverse = np.argsort(perm)
    for index, name in enumerate(node.input):
        if name in turned:
            new.input[index] = turned[name][0]
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
        turned[name] = new.output[index], perm
    return new


def in_float16(model: onnx.ModelProto, precise: str) -> onnx.ModelProto:
    """The model with weights and arithmetic in float16; inputs and outputs stay float32.

    Args:
      model: In float32. Not to be used any more.
      precise: Nodes with this in their name, and softmax, stay in float32.
    """
    from onnxruntime.transformers import float16

    stay = [node.name for node in model.graph.node if precise in node.name]
    return float16.convert_float_to_float16(
        model, keep_io_types=True, op_block_list=["Softmax"], node_block_list=stay
    )
