"""What an ONNX file holds, checked before ONNX Runtime sees it: it may be a stranger's.

A file may name other files for its tensors, and operators of other libraries. Those of
`export.to_onnx` hold all they need, and operators of ONNX alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

_INTEGER, _MESSAGE, _BYTES = 5, 11, 12  # types of fields
# The part of onnx.proto that matters here: by message, fields with their number and what they
# hold. Bytes stand for messages that are not looked into. All are repeated, so none hides another.
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
    """Raises ValueError unless the file could be one of `export.to_onnx`."""
    model = _model()
    try:
        model.ParseFromString(path.read_bytes())
    except Exception as error:  # of protobuf; its kinds differ from version to version
        raise ValueError(f"it is no ONNX file ({error})") from error
    if model.functions or model.training_info:
        raise ValueError("it holds functions or training, which no generator needs")
    for graph in model.graph:
        if graph.sparse:
            raise ValueError("it holds sparse tensors, which no generator needs")
        for node in graph.node:
            _check_node(node)
        for tensor in _tensors(graph):
            if tensor.external_data or any(tensor.data_location):
                raise ValueError("it keeps weights in other files, which to_onnx does not do")


def _check_node(node: Any) -> None:
    name = b".".join([*node.domain, *node.op_type])[:50]
    if not set(node.domain) <= _OWN_DOMAINS:
        raise ValueError(f"it wants the operator {name!r}, which is none of ONNX")
    for each in node.attribute:
        if each.g or each.graphs or each.sparse_tensor or each.sparse_tensors:
            raise ValueError(f"its operator {name!r} has a graph of its own or sparse tensors")


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from attribute.t
            yield from attribute.tensors


def _model() -> Any:
    """An empty model, by the part of the schema above. ONNX Runtime brings protobuf, not onnx."""
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
