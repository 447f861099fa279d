"""Checks untrusted ONNX files before ONNX Runtime loads them.

An ONNX file can refer to other files for its tensors and to operators of other libraries. Files
written by `to_onnx` contain all their tensors and use only standard operators.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

_INTEGER, _MESSAGE, _BYTES = 5, 11, 12  # field types of protocol buffers
# The part of onnx.proto that matters here: for each message, its fields with their number and type.
# Messages that need not be parsed have type bytes. All fields are repeated, so that a file cannot
# hide a value by giving another one after it.
_SCHEMA: dict[str, dict[str, tuple[int, int | str]]] = {
    "Model": {"graph": (7, "Graph"), "training_info": (20, _BYTES), "functions": (25, _BYTES)},
    "Graph": {"node": (1, "Node"), "initializer": (5, "Tensor"), "sparse": (15, _BYTES)},
    "Node": {"op_type": (4, _BYTES), "attribute": (5, "Attribute"), "domain": (7, _BYTES)},
    "Attribute": {
        "t": (5, "Tensor"),
        "tensors": (10, "Tensor"),
        "g": (6, _BYTES),
        "graphs": (11, _BYTES),
        "sparse_tensor": (22, _BYTES),
        "sparse_tensors": (23, _BYTES),
    },
    "Tensor": {"external_data": (13, _BYTES), "data_location": (14, _INTEGER)},
}
_OWN_DOMAINS = {b"", b"ai.onnx"}


def check(path: Path) -> None:
    """Raises ValueError if the file cannot have been written by `to_onnx`."""
    model = _model()
    try:
        model.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's exceptions differ between versions
        raise ValueError(f"not an ONNX file ({error})") from error
    if model.functions or model.training_info:
        raise ValueError("it contains functions or training, which no generator needs")
    for graph in model.graph:
        if graph.sparse:
            raise ValueError("it contains sparse tensors, which no generator needs")
        for node in graph.node:
            _check_node(node)
        for tensor in _tensors(graph):
            if tensor.external_data or any(tensor.data_location):
                raise ValueError("its weights are in external files, which to_onnx never writes")


def _check_node(node: Any) -> None:
    name = b".".join([*node.domain, *node.op_type])[:50]
    if not set(node.domain) <= _OWN_DOMAINS:
        raise ValueError(f"{name!r} is not a standard ONNX operator")
    for each in node.attribute:
        if each.g or each.graphs or each.sparse_tensor or each.sparse_tensors:
            raise ValueError(f"its operator {name!r} has a subgraph or sparse tensors")


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from attribute.t
            yield from attribute.tensors


def _model() -> Any:
    """Returns an empty message of the schema above. ONNX Runtime comes with protobuf, not onnx."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="onnx_part", package="onnx_part")
    for message, fields in _SCHEMA.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            field = described.field.add(name=name, number=number, label=3)  # repeated
            if isinstance(kind, str):
                field.type, field.type_name = _MESSAGE, f".onnx_part.{kind}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("onnx_part.Model"))()
