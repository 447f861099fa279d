"""Transposed convolutions of an ONNX graph as convolutions, which ONNX Runtime computes faster.

As in `layers/subpixel.py`, but channels first, for all numbers of filters, and with an interleaving
that ONNX Runtime does quickly.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import helper

from .onnx_graph import Graph, Node, attributes

_BORDER = 1.5  # limit for the positions with the border, which are computed, over the input's


def as_convolutions(model: onnx.ModelProto) -> None:
    """Replaces transposed convolutions that have a stride, where that is worth it.

    Output position s·i + p is the sum over t of input i - t times kernel element s·t + p, where s
    is the stride. So each phase p is a convolution with every s-th element of the kernel. All
    phases are computed as the filters of one convolution, and then interleaved. The weights are the
    same in another order. ONNX Runtime instead multiplies by the whole kernel at each position and
    adds up the products on one thread.
    """
    inferred = onnx.shape_inference.infer_shapes(model).graph
    sides = {
        each.name: [axis.dim_value for axis in each.type.tensor_type.shape.dim][2:]
        for each in (*inferred.input, *inferred.value_info)
    }
    graph = Graph(model)
    nodes: list[Node] = []
    for node in model.graph.node:
        nodes.extend(_convolution(graph, node, sides.get(node.input[0], [])) or [node])
    graph.replace(nodes)


def _convolution(graph: Graph, node: Node, sides: list[int]) -> list[Node]:
    """Returns the nodes for a transposed convolution of maps with these sides, or none."""
    if node.op_type != "ConvTranspose" or len(node.input) != 2 or 0 in sides:
        return []
    kernel, how = graph.constant(node.input[1]), attributes(node)
    if kernel is None or not sides:
        return []
    rank = len(sides)
    strides, pads = how.get("strides", [1] * rank), how.get("pads", [0] * 2 * rank)
    taps, rests = zip(*map(divmod, kernel.shape[2:], strides), strict=True)
    plain = (
        how.get("auto_pad", b"NOTSET") == b"NOTSET"
        and how.get("group", 1) == max(how.get("dilations", [1])) == 1
        and not {"output_padding", "output_shape"} & set(how)
    )
    wide = [side + number - 1 for side, number in zip(sides, taps, strict=True)]
    worthwhile = max(strides) > 1 and math.prod(wide) < _BORDER * math.prod(sides)
    if any(rests) or not plain or not worthwhile:
        return []

    filters, (*outer, last) = kernel.shape[1], strides
    whole = [side * stride for side, stride in zip(wide, strides, strict=True)]
    ends = [side - pad for side, pad in zip(whole, pads[rank:], strict=True)]
    # The phases of the last axis are interleaved first, number by number. Then those of the others
    # are, by whole rows.
    rows = [0, 1, *(axis for i in range(2, rank + 1) for axis in (i + rank - 1, i)), 2 * rank]
    steps = [
        (
            "Conv",
            [_by_phase(kernel, taps, strides)],
            {"kernel_shape": taps, "pads": [number - 1 for number in taps] * 2},
        ),
        ("Reshape", [_shape(last, filters * math.prod(outer) * math.prod(wide))], {}),
        ("Transpose", [], {"perm": [0, 2, 1]}),
        ("Reshape", [_shape(filters, *outer, *wide[:-1], whole[-1])], {}),
        ("Transpose", [], {"perm": rows}),
        ("Reshape", [_shape(filters, *whole)], {}),
        ("Slice", [np.array(each) for each in (pads[:rank], ends, range(2, rank + 2))], {}),
    ]
    nodes, source = [], node.input[0]
    for number, (kind, constants, settings) in enumerate(steps, 1):
        name = f"{node.name}/{number}"
        target = node.output[0] if number == len(steps) else f"{node.output[0]}/{number}"
        inputs = [source, *(graph.add_constant(value, node.name) for value in constants)]
        nodes.append(helper.make_node(kind, inputs, [target], name, **settings))
        source = target
    return nodes


def _by_phase(kernel: np.ndarray, taps: tuple[int, ...], strides: list[int]) -> np.ndarray:
    """Returns the kernel of the convolution; its filters are ordered [last stride, F, strides]."""
    rank = len(taps)
    axes = [side for pair in zip(taps, strides, strict=True) for side in pair]
    split = kernel.reshape(*kernel.shape[:2], *axes)
    *outer, last = range(3, 3 + 2 * rank, 2)
    split = split.transpose(last, 1, *outer, 0, *range(2, 2 + 2 * rank, 2))
    # A convolution in ONNX is a correlation.
    return np.flip(split, range(-rank, 0)).reshape(-1, kernel.shape[0], *taps)


def _shape(*axes: int) -> np.ndarray:
    """Returns the constant for a Reshape to these axes after the batch's."""
    return np.array([-1, *axes])
