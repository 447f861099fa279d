"""Exports of a bundled model, tested with a small one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.check_parity import check_parity
from export.onnx_session import OnnxGenerator
from export.options import OnnxOptions, ParityOptions, SavedModelOptions
from export.to_onnx import to_onnx
from export.to_saved_model import to_saved_model
from ssagan_tf import box
from ssagan_tf.data.dataset_info import DatasetInfo
from ssagan_tf.options import ComputeOptions
from tests.box.small_model import make_box, make_run
from tests.export.small_generators import has

pytestmark = [pytest.mark.slow, pytest.mark.long]


def test_a_bundled_model_is_exported_by_name(
    tmp_path: Path, synthetic_set: Path, monkeypatch
) -> None:
    data = DatasetInfo.from_json((synthetic_set / "dataset_info.json").read_text())
    make_run(tmp_path / "run", data)
    make_box(tmp_path / "run", tmp_path / "package")
    monkeypatch.setattr(box, "FOLDER", tmp_path / "package")
    card = box.find("box").card

    folder, file = tmp_path / "models" / "1", ""
    to_saved_model(SavedModelOptions(model="box", output=str(folder), warm_up=()), ComputeOptions())
    settings = json.loads((folder / "assets.extra" / "settings.json").read_text())
    assert settings["box"]["sha256"] == card["sha256"]
    if has("tf2onnx") and has("onnxruntime"):
        file = str(tmp_path / "box.onnx")
        to_onnx(OnnxOptions(model="box64", output=file))
        assert OnnxGenerator(file).settings["box"]["sha256"] == card["sha256"]
    how = {"batches": ("1",), "repeats": 1}
    check_parity(ParityOptions(model="box", saved_model=str(folder), onnx=file, **how))
