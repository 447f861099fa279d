"""ONNX files that try to do more than make clips."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.onnx_session import OnnxGenerator
from ssagan_tf.errors import DataError
from tests.export.onnx_files import FLOAT, INT64, METADATA, STRING, of_numbers, onnx, still

pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")


def test_an_exported_model(tmp_path: Path) -> None:
    onnx.save(still(), tmp_path / "m.onnx")
    generator = OnnxGenerator(tmp_path / "m.onnx")
    assert generator.settings == METADATA
    image = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype("float32")
    np.testing.assert_array_equal(generator(image), np.repeat(image[:, None], 32, axis=1))


def elsewhere(tensor: Any, location: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location


def external(location: str) -> Callable[[Any], None]:
    return lambda model: elsewhere(model.graph.initializer[1], location)


def external_attribute(model: Any) -> None:
    tensor = of_numbers("value", 1, 32, 1, 1, 1)
    elsewhere(tensor, "../secret")
    del model.graph.initializer[1]
    model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["repeats"], value=tensor))


def external_without_a_place(model: Any) -> None:
    model.graph.initializer[1].data_location = onnx.TensorProto.EXTERNAL


def a_place_only(model: Any) -> None:
    entry = model.graph.initializer[1].external_data.add()
    entry.key, entry.value = "location", "../secret"


def operator(domain: str, name: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.graph.node.append(onnx.helper.make_node(name, ["image"], ["x"], domain=domain))
        model.opset_import.append(onnx.helper.make_opsetid(domain, 1))

    return change


def own_graph(model: Any) -> None:
    inner = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["clip"], ["y"])],
        "inner",
        [],
        [onnx.helper.make_tensor_value_info("y", FLOAT, None)],
    )
    elsewhere(inner.initializer.add(), "../secret")
    node = onnx.helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner)
    model.graph.node.append(node)


def function(model: Any) -> None:
    node = onnx.helper.make_node("Identity", ["a"], ["b"])
    opset = onnx.helper.make_opsetid("", 18)
    model.functions.append(onnx.helper.make_function("own", "f", ["a"], ["b"], [node], [opset]))


def training(model: Any) -> None:
    model.training_info.add()


def sparse(model: Any) -> None:
    model.graph.sparse_initializer.add()


REFUSED = {
    "above the folder": (external("../secret"), "its weights are in external files"),
    "absolute": (external("/etc/passwd"), "its weights are in external files"),
    "in the folder": (external("weights.bin"), "its weights are in external files"),
    "a link": (external("link"), "its weights are in external files"),
    "memory": (external("*/_ORT_MEM_ADDR_/*"), "its weights are in external files"),
    "of an attribute": (external_attribute, "its weights are in external files"),
    "nowhere": (external_without_a_place, "its weights are in external files"),
    "a place alone": (a_place_only, "its weights are in external files"),
    "a context": (operator("com.microsoft", "EPContext"), r"b'com.microsoft.EPContext' is not"),
    "an operator": (operator("own", "Run"), r"b'own.Run' is not a standard ONNX operator"),
    "a graph inside": (own_graph, "has a subgraph"),
    "a function": (function, "contains functions or training"),
    "training": (training, "contains functions or training"),
    "sparse": (sparse, "contains sparse tensors"),
}


def refused(path: Path, match: str) -> None:
    with pytest.raises(DataError, match=match) as error:
        OnnxGenerator(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(("change", "match"), REFUSED.values(), ids=REFUSED)
def test_external_files_and_operators(change: Callable, match: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(np.array([1, 32, 1, 1, 1], "int64").tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "weights.bin").write_bytes((tmp_path / "secret").read_bytes())
    model = still()
    change(model)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    refused(folder / "m.onnx", f"^cannot load .*m.onnx: .*{match}")


def test_a_tensor_hidden_behind_another(tmp_path: Path) -> None:
    """A file can repeat a field that the schema has once; parsers merge the values."""
    hidden = still()
    del hidden.graph.node[:], hidden.graph.input[:], hidden.graph.output[:]
    elsewhere(hidden.graph.initializer[1], "../secret")
    content = hidden.SerializeToString() + still().SerializeToString()
    (tmp_path / "m.onnx").write_bytes(content)
    refused(tmp_path / "m.onnx", "its weights are in external files")


def ends(image: Any = None, clip: Any = None) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for here, given in ((model.graph.input, image), (model.graph.output, clip)):
            if given:
                here[0].CopyFrom(onnx.helper.make_tensor_value_info(*given))

    return change


def noted(**changes: Any) -> Callable[[Any], None]:
    return lambda model: onnx.helper.set_model_props(
        model, {name: json.dumps(value) for name, value in (METADATA | changes).items()}
    )


def deep(model: Any) -> None:
    model.metadata_props[0].value = "[" * 100_000


def one_more_input(model: Any) -> None:
    model.graph.input.append(onnx.helper.make_tensor_value_info("more", FLOAT, [1]))


def larger(model: Any) -> None:
    """Claims a larger resolution, consistently in shapes and metadata."""
    image, clip = ["N", 2048, 2048, 3], ["N", 32, 2048, 2048, 3]
    ends(image=("image", FLOAT, image), clip=("clip", FLOAT, clip))(model)
    noted(resolution=2048)(model)


@pytest.mark.parametrize(
    "change",
    [
        ends(image=("image", FLOAT, ["N", 32, 32, 3])),
        ends(image=("image", FLOAT, None)),
        ends(clip=("clip", INT64, ["N", 32, 64, 64, 3])),
        one_more_input,
        ends(image=("image", FLOAT, [1, 64, 64, 3])),
        ends(clip=("clip", FLOAT, [2, 32, 64, 64, 3])),
        ends(clip=("frames_bytes", STRING, ["N", 32])),
        larger,
        deep,
        noted(resolution=2**40),
        noted(resolution="64"),
        noted(resolution=True),
        noted(frames=10**9),
        noted(fit="auto"),
        noted(fit=["stretch"]),
        noted(fingerprint={}),
        noted(precision=[1]),
    ],
)
def test_models_that_to_onnx_did_not_write(change: Callable, tmp_path: Path) -> None:
    model = still()
    change(model)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    refused(tmp_path / "m.onnx", r"expected a generator written by to_onnx|cannot load .*m.onnx: ")


def test_clips_of_an_unexpected_size(tmp_path: Path) -> None:
    """The number of frames depends on the image, so it is known only when the model runs."""
    model, node = still(), onnx.helper.make_node
    del model.graph.node[1]
    model.graph.node.extend(
        [
            node("Cast", ["image"], ["numbers"], to=INT64),
            node("ReduceMax", ["numbers"], ["most"], keepdims=0),
            node("Add", ["repeats", "most"], ["times"]),
            node("Tile", ["one", "times"], ["clip"]),
        ]
    )
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    generator = OnnxGenerator(tmp_path / "m.onnx")
    assert generator(np.zeros((1, 64, 64, 3), "float32")).shape == (1, 32, 64, 64, 3)
    with pytest.raises(DataError, match=r"m\.onnx gives shape \(2, 33, "):
        generator(np.ones((1, 64, 64, 3), "float32"))


def test_values_that_are_not_finite(tmp_path: Path) -> None:
    model = still()
    model.graph.node[1].output[0] = "repeated"
    model.graph.node.append(onnx.helper.make_node("Sqrt", ["repeated"], ["clip"]))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match=r"m\.onnx gives NaN or infinite values; export it in"):
        OnnxGenerator(tmp_path / "m.onnx").on_pixels(np.zeros((1, 64, 64, 3), "uint8"))


def test_more_memory_than_there_is(tmp_path: Path) -> None:
    model, node = still(), onnx.helper.make_node
    model.graph.initializer.append(of_numbers("absurd", 1, 2**40, 1, 1, 1))
    del model.graph.node[1]
    model.graph.node.append(node("Tile", ["one", "absurd"], ["many"]))
    model.graph.node.append(node("ReduceMax", ["many", "axes"], ["again"]))
    model.graph.node.append(node("Tile", ["again", "repeats"], ["clip"]))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match=r"cannot (run|load) .*m\.onnx: "):
        OnnxGenerator(tmp_path / "m.onnx")(np.zeros((1, 64, 64, 3), "float32"))


def test_other_formats(tmp_path: Path) -> None:
    (tmp_path / "m.ort").write_bytes(b"\x18\0\0\0ORTM")
    refused(tmp_path / "m.ort", r"expected a FILE\.onnx")
    (tmp_path / "m.onnx").write_bytes(b"\x18\0\0\0ORTM" + bytes(100))
    refused(tmp_path / "m.onnx", "cannot load")
    (tmp_path / "m.onnx").write_bytes(still().SerializeToString()[:-7])
    refused(tmp_path / "m.onnx", "cannot load|expected a generator")
