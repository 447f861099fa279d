from __future__ import annotations

import numpy as np
import pytest

from export.check_parity import Finding, Subject, check_parity, compare
from export.options import ParityOptions
from ssagan_tf.errors import DataError
from ssagan_tf.options import OptionError
from tests.export.small_generators import Exports

pytestmark = pytest.mark.slow


def test_all_exports_match_keras(exports: Exports, capsys) -> None:
    options = ParityOptions(
        model=str(exports.keras_file),
        saved_model=str(exports.saved_model),
        onnx=str(exports.onnx()),
        batches=("1", "2"),
        repeats=1,
    )
    check_parity(options)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "all within tolerance"
    rows = lines[lines.index(next(x for x in lines if x.startswith("batch"))) + 1 : -1]
    assert len(rows) == 2 * 4  # batches 1 and 2; Keras, two signatures, ONNX
    assert {row.split()[0] for row in rows} == {"1", "2"}


def test_beyond_the_tolerance(exports: Exports) -> None:
    options = ParityOptions(
        model=str(exports.keras_file),
        onnx=str(exports.onnx("float16")),
        batches=("1",),
        repeats=1,
        tolerance=1e-7,
    )
    with pytest.raises(DataError, match=r"ONNX.* differs from Keras by .* at batch 1"):
        check_parity(options)


def test_export_of_another_generator(exports: Exports, tmp_path) -> None:
    weight = exports.generator.trainable_weights[0]
    before = np.asarray(weight)
    weight.assign(before + 0.1)
    exports.generator.save(tmp_path / "other.keras")
    weight.assign(before)
    options = ParityOptions(
        model=str(tmp_path / "other.keras"), saved_model=str(exports.saved_model)
    )
    with pytest.raises(DataError, match="was exported from another generator"):
        check_parity(options)


def test_no_export_is_given() -> None:
    with pytest.raises(OptionError, match="give at least one of --saved_model, --onnx"):
        check_parity(ParityOptions(model="m.keras"))


@pytest.mark.parametrize("text", ["[]", "{}", "7", "[" * 10**5, '{"weights": [1]}'])
def test_malformed_settings_of_a_saved_model(text: str, exports: Exports, tmp_path) -> None:
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "settings.json").write_text(text)
    options = ParityOptions(model=str(exports.keras_file), saved_model=str(tmp_path))
    with pytest.raises(DataError, match="cannot load the SavedModel"):
        check_parity(options)


def test_no_saved_model(exports: Exports, tmp_path) -> None:
    options = ParityOptions(model=str(exports.keras_file), saved_model=str(tmp_path))
    with pytest.raises(DataError, match="cannot load the SavedModel"):
        check_parity(options)


@pytest.mark.parametrize(
    ("clip", "holds"),
    [
        (np.full((1, 2), 0.5, "float32"), True),
        (np.full((1, 2), 0.6, "float32"), False),
        (np.full((1, 2), np.nan, "float32"), False),
        (np.zeros((1, 3), "float32"), False),
        (np.full((1, 2), 191, "uint8"), True),
        (np.full((1, 2), 180, "uint8"), False),
    ],
)
def test_tolerance_of_floats_and_pixels(clip: np.ndarray, holds: bool) -> None:
    reference = Subject("reference", lambda photos: np.full((1, 2), 0.5, "float32"), 0.0)
    subject = Subject("other", lambda photos: clip, 1 if clip.dtype == np.uint8 else 1e-3)
    first, finding = compare(reference, [subject], np.zeros((1, 4, 4, 3), "uint8"), repeats=1)
    assert isinstance(finding, Finding)
    assert first.holds
    assert finding.holds == holds
    assert ("TOO LARGE" in finding.line) != holds
