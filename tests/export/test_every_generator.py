"""What holds for the exports of every registered generator."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import ssagan_tf
from export.channels_first import PRECISE
from export.onnx_session import OnnxGenerator
from export.options import OnnxOptions, SavedModelOptions
from export.to_onnx import to_onnx
from export.to_saved_model import to_saved_model
from ssagan_tf import models
from ssagan_tf.errors import DataError
from ssagan_tf.options import ComputeOptions
from ssagan_tf.pixels import to_float
from tests.exactness import assert_as_good, assert_rounded
from tests.export.made import FIRST, SMALL, Exports, made, of_photos

pytestmark = [pytest.mark.numeric, pytest.mark.slow]

CONTROL_FLOW = {"If", "Loop", "Scan"}
BATCHES = (1, 2)


@pytest.fixture(scope="module", params=models.REGISTRY)
def each(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exports:
    if request.param == SMALL.network:
        return request.getfixturevalue("exports")  # made for the other tests anyway
    return made(tmp_path_factory.mktemp(request.param), of_photos(request.param))


@pytest.fixture(scope="module")
def clips(each: Exports) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What Keras makes of the photos of each batch, and the exact clips. Each photo by itself."""
    both = each.expected(to_float(each.photos(max(BATCHES))))
    assert both[0].std() > 0.05
    return tuple([clips[:size] for size in BATCHES] for clips in both)


def runs(each: Exports, run) -> list[np.ndarray]:
    return [run(to_float(each.photos(max(BATCHES))[:size])) for size in BATCHES]


def test_onnx(each: Exports, clips: tuple, tmp_path: Path) -> None:
    import onnx

    from export.onnx_graph import in_float16

    model = onnx.load(each.onnx())
    onnx.checker.check_model(model, full_check=True)
    assert not CONTROL_FLOW & {node.op_type for node in model.graph.node}
    assert_as_good(runs(each, OnnxGenerator(each.onnx())), *clips)
    onnx.save(in_float16(model, PRECISE), tmp_path / "half.onnx")
    for half, exact in zip(
        runs(each, OnnxGenerator(tmp_path / "half.onnx")), clips[1], strict=True
    ):
        assert_rounded(half, exact, "float16")


def test_saved_model(each: Exports, clips: tuple) -> None:
    run = tf.saved_model.load(str(each.saved_model)).signatures["tensor"]
    assert_as_good(runs(each, lambda x: run(image=tf.constant(x))["clip"].numpy()), *clips)


def test_a_second_stage_alone_is_refused(tmp_path) -> None:
    path = tmp_path / "second.keras"
    ssagan_tf.build_generator(dataclasses.replace(FIRST, network="mdgan_stage2")).save(path)
    onnx = OnnxOptions(model=str(path), output=str(tmp_path / "second.onnx"))
    saved_model = SavedModelOptions(model=str(path), output=str(tmp_path / "1"), warm_up=())
    message = r"takes clips.*--stage1 of import_torch joins"
    with pytest.raises(DataError, match=message):
        to_onnx(onnx)
    with pytest.raises(DataError, match=message):
        to_saved_model(saved_model, ComputeOptions())
    assert list(tmp_path.iterdir()) == [path]
