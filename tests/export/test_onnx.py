"""ONNX files give the same clips in ONNX Runtime, and need no TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.onnx_session import OnnxGenerator
from export.options import OnnxOptions
from export.to_onnx import to_onnx
from ssagan_tf import video
from ssagan_tf.errors import DataError
from ssagan_tf.layers import SpatialSelfAttention
from ssagan_tf.options import OptionError
from ssagan_tf.pixels import to_float, to_uint8
from tests.exactness import assert_as_good, assert_rounded, draws
from tests.export.small_generators import Exports

pytestmark = [pytest.mark.numeric, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_equals_keras(exports: Exports, precision: str) -> None:
    generator = OnnxGenerator(exports.onnx(precision))
    for size in (1, 3):
        photos = to_float(exports.photos(size))
        (expected, exact), clip = exports.expected(photos), generator(photos)
        assert (clip.dtype, clip.shape) == (np.float32, expected.shape)
        assert expected.std() > 0.05
        if precision == "float16":
            assert_rounded(clip, exact, precision)
        else:
            assert_as_good([clip], [expected], [exact])


def test_graph(exports: Exports) -> None:
    import onnx

    model = onnx.load(exports.onnx())
    assert model.opset_import[0].version == 18
    [image], [clip] = model.graph.input, model.graph.output
    assert (image.name, clip.name) == ("image", "clip")
    sizes = [dim.dim_value for dim in clip.type.tensor_type.shape.dim]
    assert sizes == [0, 32, 64, 64, 3]  # any batch
    noted = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert noted["value_range"] == [-1.0, 1.0]
    assert [network["network"] for network in noted["networks"]] == ["ssagan"]
    assert (noted["precision"], noted["frames"]) == ("float32", 32)


@pytest.mark.parametrize("memory", [2048, 1])  # MiB: in blocks for speed; in parts that fit
@pytest.mark.parametrize("frames", [3, 8])  # the latter: of a static clip
def test_attention_in_blocks(memory: int, frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tf2onnx")
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    from export import channels_first

    monkeypatch.setattr(channels_first, "_BLOCK", 64)
    monkeypatch.setattr(channels_first, "_MANY", 256)
    layer = SpatialSelfAttention(gate="none", ratio=0.5)
    clip = draws(2, 3, 16, 16, 4, dtype="float32")
    expected = layer(clip, frames=frames)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, 3, 16, 16, 4))])
    def run(clip):
        return {"attended": layer(clip, frames=frames)}

    with channels_first.channels_first_layers(memory):
        model, _ = tf2onnx.convert.from_function(run, run.input_signature, opset=18)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    [attended] = session.run(None, {session.get_inputs()[0].name: clip.numpy()})
    np.testing.assert_allclose(attended, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("sides", "kernel", "strides", "pads", "replaced"),
    [
        ((9, 10, 9), (4, 4, 4), (2, 2, 2), (1, 1, 1, 1, 1, 1), True),
        ((16, 9, 10), (3, 4, 6), (1, 2, 3), (1, 0, 2, 0, 1, 1), True),
        ((8, 9), (6, 4), (3, 2), (0, 1, 2, 0), True),
        ((8, 8), (5, 4), (2, 2), (1, 1, 1, 1), False),  # phases of different lengths
        ((2, 2), (4, 4), (2, 2), (1, 1, 1, 1), False),  # mostly border
        ((8, 8), (4, 4), (1, 1), (1, 1, 1, 1), False),
    ],
)
def test_transposed_convolutions_become_convolutions(
    sides, kernel, strides, pads, replaced: bool
) -> None:
    pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
    import onnxruntime
    from onnx import helper, numpy_helper

    from export.transposed_convolutions import as_convolutions

    weights = numpy_helper.from_array(draws(3, 5, *kernel, dtype="float32").numpy(), "weights")
    node = helper.make_node(
        "ConvTranspose", ["maps", "weights"], ["larger"], "node", strides=strides, pads=pads
    )
    maps, larger = (
        helper.make_tensor_value_info(name, 1, ["N", channels, *axes])
        for name, channels, axes in (("maps", 3, sides), ("larger", 5, [None] * len(sides)))
    )
    graph = helper.make_graph([node], "graph", [maps], [larger], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    values = draws(2, 3, *sides, seed=1, dtype="float32").numpy()

    def run() -> np.ndarray:
        return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"maps": values})[
            0
        ]

    expected = run()
    as_convolutions(model)
    assert (model.graph.node[0].op_type == "Conv") == replaced
    np.testing.assert_allclose(run(), expected, rtol=0, atol=1e-4)


def test_float16_is_half_the_size(exports: Exports) -> None:
    sizes = [exports.onnx(precision).stat().st_size for precision in ("float16", "float32")]
    assert sizes[0] < 0.75 * sizes[1]


WITHOUT = """
import sys
from export.onnx_generate import onnx_generate
from export.options import OnnxGenerateOptions
model, image, output = sys.argv[1:]
onnx_generate(OnnxGenerateOptions(model=model, image=(image,), output=output))
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"tensorflow", "keras", "tf2onnx", "torch", "jax"}, loaded
"""


def test_videos_without_tensorflow(exports: Exports, tmp_path: Path) -> None:
    photo = exports.photos(1)[0]
    Image.fromarray(photo).save(tmp_path / "photo.png")
    arguments = [exports.onnx(), tmp_path / "photo.png", tmp_path / "frames"]
    child = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    assert "by CPUExecutionProvider" in child.stdout
    frames = [video.read_image(path) for path in sorted((tmp_path / "frames").iterdir())]
    expected = to_uint8(exports.generator(to_float(photo[None])))[0]
    assert np.abs(np.stack(frames) - expected.astype(int)).max() <= 1


class Runtime:
    """An ONNX Runtime that lists a GPU provider but silently uses the CPU."""

    SessionOptions = RunOptions = type("Options", (), {})

    def __init__(self, listed: list[str]):
        self._listed = listed

    def get_available_providers(self) -> list[str]:
        return self._listed

    def InferenceSession(self, path, options, providers):
        session = type("Session", (), {})()
        session.get_providers = lambda: ["CPUExecutionProvider"]
        return session


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (["CPUExecutionProvider"], "has no GPU provider"),
        (["CUDAExecutionProvider", "CPUExecutionProvider"], "could not be loaded"),
    ],
)
def test_a_gpu_can_be_required(listed, message, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("export.onnx_session._runtime", lambda: Runtime(listed))
    (tmp_path / "m.onnx").touch()
    with pytest.raises(DataError, match=message):
        OnnxGenerator(tmp_path / "m.onnx", require_gpu=True)


def test_missing_and_damaged_files(exports: Exports, tmp_path: Path) -> None:
    import onnx

    exports.onnx()
    with pytest.raises(DataError, match="not found; give a FILE"):
        OnnxGenerator(tmp_path / "missing.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(DataError, match=r"cannot load .*broken\.onnx"):
        OnnxGenerator(tmp_path / "broken.onnx")
    model = onnx.load(exports.onnx())
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "another.onnx")
    with pytest.raises(DataError, match=r"expected a generator written by to_onnx"):
        OnnxGenerator(tmp_path / "another.onnx")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"output": "m.bin"}, OptionError, "must end in .onnx"),
        ({"output": ""}, OptionError, "output=: is required"),
        ({"model": ""}, OptionError, "either --run_dir or --model"),
        ({}, DataError, "not found"),
    ],
)
def test_wrong_settings(changes: dict, error: type, message: str, tmp_path, monkeypatch) -> None:
    pytest.importorskip("tf2onnx")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        to_onnx(OnnxOptions(**{"model": "m.keras", "output": "m.onnx", **changes}))
    assert not list(tmp_path.iterdir())
