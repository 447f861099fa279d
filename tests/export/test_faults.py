"""A failure while an export is written gives one line and leaves no files."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from export.options import OnnxOptions, SavedModelOptions
from export.to_onnx import to_onnx
from export.to_saved_model import to_saved_model
from ssagan_tf.errors import DataError
from ssagan_tf.models.loading import load_generator
from ssagan_tf.options import ComputeOptions, ModelOptions
from ssagan_tf.training.generator_source import Source
from tests.training import tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "generator.keras"
    generator = tiny.TinyGenerator(ModelOptions(resolution=64))
    generator.build_variables()
    generator.save(path)
    return str(path)


@pytest.fixture
def loaded(model: str, monkeypatch) -> None:
    """Makes the temporary folder full: loading needs space for a copy of the weights there."""
    generator = load_generator(Path(model))
    monkeypatch.setattr(Source, "load", lambda self, compute=None: generator)


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limits the size of files, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def as_saved_model(model: str, folder: Path, **more: object) -> None:
    to_saved_model(
        SavedModelOptions(model=model, output=str(folder / "1"), **more), ComputeOptions()
    )


def as_onnx(model: str, folder: Path) -> None:
    pytest.importorskip("tf2onnx")
    to_onnx(OnnxOptions(model=model, output=str(folder / "model.onnx")))


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("size", [2_000, 40_000])  # of the graph; of the warm-up records
def test_full_disk(model: str, tmp_path: Path, size: int) -> None:
    with largest_file(size), pytest.raises(DataError, match=r"cannot write .*1: .*File too large"):
        as_saved_model(model, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("loaded")
def test_full_disk_for_onnx(model: str, tmp_path: Path) -> None:
    with largest_file(500), pytest.raises(DataError, match=r"cannot write .*onnx: File too large"):
        as_onnx(model, tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_room_to_load(model: str) -> None:
    with largest_file(500), pytest.raises(DataError, match=r"too large in .* \(set TMPDIR"):
        load_generator(Path(model))


@pytest.mark.parametrize("export", [as_saved_model, as_onnx])
def test_a_file_in_the_folders_place(
    model: str, tmp_path: Path, export: Callable[[str, Path], None]
) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(DataError, match=r"cannot write .*models.*: (Not a directory|File exists)"):
        export(model, tmp_path / "models")
    assert (tmp_path / "models").read_text() == "a file"
