"""import_torch as a user runs it."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import ssagan_tf
from ssagan_tf import import_torch
from ssagan_tf.errors import DataError
from ssagan_tf.models import TwoStage
from ssagan_tf.options import ImportOptions, ModelOptions, OptionError

torch = pytest.importorskip("torch", reason="PyTorch is not installed: the extra `torch`")

ROOT = Path(__file__).parents[1]
SMALL = ModelOptions(network="ssagan_stage2", resolution=64, base_filters=1)
FIRST = ModelOptions(network="mdgan_stage1", resolution=64, base_filters=1)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ssagan_tf.import_torch", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def convert(**options: object) -> None:
    import_torch.import_torch(
        ImportOptions(**{name: str(value) for name, value in options.items()})
    )


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our first and second stage, and the second one's state dict."""
    folder = tmp_path_factory.mktemp("import")
    for name, options in (("second", SMALL), ("first", FIRST)):
        network = ssagan_tf.build_generator(options)
        for weight in network.trainable_weights:
            weight.assign(weight + 0.05 * np.abs(noise(*weight.shape)))
        network.save(folder / f"{name}.keras")
    convert(export=folder / "second.keras", output=folder / "second.pth")
    return folder


def test_there_and_back_as_a_program(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "again.keras"
    result = run(f"--state_dict={folder / 'second.pth'}", f"--output={output}")
    assert (result.returncode, result.stderr) == (0, "")
    assert "ssagan_stage2 64×64, 1 base filters, skips add_inner, 8 attention" in result.stdout
    assert "--stage1=FILE.keras joins it" in result.stdout
    ours, again = (keras.models.load_model(path) for path in (folder / "second.keras", output))
    assert again.options == SMALL
    for one, other in zip(ours.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_of_torch_is_weights_alone(folder: Path, tmp_path: Path) -> None:
    state = torch.load(folder / "second.pth", weights_only=True)
    assert all(torch.is_tensor(value) for value in state.values())
    # As DataParallel names them, in half precision, without counters.
    state = {f"module.{k}": v.half() for k, v in state.items() if "num_batches" not in k}
    torch.save(state, tmp_path / "parallel.pth")
    convert(state_dict=tmp_path / "parallel.pth", output=tmp_path / "parallel.keras")
    ours = keras.models.load_model(folder / "second.keras")
    again = keras.models.load_model(tmp_path / "parallel.keras")
    for one, other in zip(ours.weights, again.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(one).astype("float16"), other)


def test_two_stages_as_one_and_apart(folder: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.keras"
    convert(state_dict=folder / "second.pth", stage1=folder / "first.keras", output=both)
    joined = keras.models.load_model(both)
    assert isinstance(joined, TwoStage)
    first, second = (keras.models.load_model(folder / f"{n}.keras") for n in ("first", "second"))
    image = noise(1, 64, 64, 3)
    np.testing.assert_array_equal(joined(image), second(first(image)))

    with pytest.raises(OptionError, match="must be mdgan_stage1 or ssagan_stage2"):
        convert(export=both, output=tmp_path / "stage.pth")
    convert(export=both, network="ssagan_stage2", output=tmp_path / "stage.pth")
    ours, again = (torch.load(p) for p in (folder / "second.pth", tmp_path / "stage.pth"))
    assert ours.keys() == again.keys()
    assert all(torch.equal(ours[key], again[key]) for key in ours)

    with pytest.raises(OptionError, match=r"stage1=.*second\.keras: ssagan_stage2 takes clips"):
        convert(state_dict=folder / "second.pth", stage1=folder / "second.keras", output=both)


def test_a_discriminator(tmp_path: Path) -> None:
    ours = ssagan_tf.build_discriminator(dataclasses.replace(SMALL, network="ssagan"))
    ours.save(tmp_path / "ours.keras")
    convert(export=tmp_path / "ours.keras", output=tmp_path / "scores.pt")
    convert(state_dict=tmp_path / "scores.pt", output=tmp_path / "again.keras")
    clip = noise(1, 32, 64, 64, 3)
    again = keras.models.load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(again(clip), ours(clip))


class Anything:
    """A class whose code a checkpoint must not be able to run."""

    def __reduce__(self) -> tuple:
        return (exec, ("raise SystemExit('ran')",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"downConv1.weight": Anything()}, "damaged or contains more than weights"),
        ({"epoch": 3, "state_dict": {}}, "no state dict but a dict of epoch, state_dict; save"),
        ([torch.zeros(1)], "no state dict but a list"),
        ({"conv1.weight": torch.zeros(1)}, "not a generator or discriminator .*but conv1.weight"),
    ],
    ids=["code", "nested", "list", "other"],
)
def test_files_that_hold_something_else(content, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "file.pth")
    with pytest.raises(DataError, match=message):
        convert(state_dict=tmp_path / "file.pth", output=tmp_path / "out.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["file.pth"]


def claims(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.zeros(1).expand(shape)


CLAIMS = {
    "strides of zero": (
        {"downConv6.weight": claims((10**6, 10**6, 1, 1, 1))},
        "its tensors claim to be larger than the file",
    ),
    "filters": (
        {"downConv6.weight": torch.zeros(16 * 10**4, 1, 1, 1, 1)},
        "claims 10000 base filters .* need more weights than it holds",
    ),
    "resolution": (
        {"downConv-99.weight": torch.zeros(1, 1, 1, 1, 1)},
        "fits no existing network",
    ),
    "absurd resolution": (
        {f"downConv-{10**12}.weight": torch.zeros(1, 1, 1, 1, 1)},
        "not a generator or discriminator",
    ),
    "no values": ({"a": torch.zeros(10**9, device="meta")}, "a is not a plain tensor"),
    # PyTorch 2.14 warns of it while it loads.
    "sparse": (
        {"a": torch.eye(3).to_sparse()},
        "a is not a plain tensor|contains more than weights",
    ),
    "complex": ({"a": torch.zeros(3, dtype=torch.complex64)}, "a is not a plain tensor"),
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(("state", "message"), CLAIMS.values(), ids=CLAIMS)
def test_tensors_that_claim_what_is_not_there(
    state: dict, message: str, legacy: bool, tmp_path: Path
) -> None:
    path = tmp_path / "file.pth"
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(DataError, match=message):
        convert(state_dict=path, output=tmp_path / "out.keras", network="mdgan_stage1")
    assert [each.name for each in tmp_path.iterdir()] == ["file.pth"]


def test_code_in_a_legacy_file_and_a_compressed_file(tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    torch.save({"a": Anything()}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(DataError, match=r"more than weights \(it needs exec\)"):
        convert(state_dict=path, output=tmp_path / "out.keras")
    torch.save({"a": torch.zeros(10**6)}, path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(DataError, match="it is compressed; PyTorch writes it uncompressed"):
        convert(state_dict=path, output=tmp_path / "out.keras")


@pytest.mark.parametrize("version", ["2.4.1", "2.9.1+cpu", "1.13"])
def test_versions_that_a_file_can_get_around(version: str, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch, "__version__", version)
    (tmp_path / "a.pth").touch()
    with pytest.raises(DataError, match=rf"files can run code in PyTorch {re.escape(version)};"):
        convert(state_dict=tmp_path / "a.pth", output=tmp_path / "a.keras")


def test_a_damaged_file(folder: Path, tmp_path: Path) -> None:
    content = (folder / "second.pth").read_bytes()
    (tmp_path / "half.pth").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cannot load .*half\.pth"):
        convert(state_dict=tmp_path / "half.pth", output=tmp_path / "out.keras")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"state_dict": "a.pth"}, "output=: is required"),
        ({"output": "a.keras"}, "give either --state_dict or --export"),
        ({"state_dict": "a", "export": "b", "output": "c.keras"}, "give either"),
        ({"state_dict": "a.pth", "output": "a.h5"}, "output=a.h5: must end in .keras"),
        ({"export": "a.keras", "output": "a.keras"}, "must end in .pth or .pt"),
        (
            {"export": "a.keras", "output": "a.pth", "skips": "add"},
            "skips=add: has no effect with --export",
        ),
        (
            {"export": "a.keras", "output": "a.pth", "stage1": "b.keras"},
            "stage1=b.keras: has no effect",
        ),
    ],
)
def test_settings_that_do_not_go_together(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        convert(**options)


def test_the_model_is_asked_for_where_the_file_fits_two(folder: Path, tmp_path: Path) -> None:
    convert(export=folder / "first.keras", output=tmp_path / "first.pth")
    output = tmp_path / "out.keras"
    with pytest.raises(
        OptionError, match=r"^network=: is required: .* fits mdgan_stage1 and mdgan_"
    ):
        convert(state_dict=tmp_path / "first.pth", output=output)
    assert not output.exists()
    convert(state_dict=tmp_path / "first.pth", output=output, network="mdgan_stage1")
    assert keras.models.load_model(output).options == FIRST


def test_without_pytorch(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "a.pth").touch()
    with pytest.raises(DataError, match=r"pip install 'ssagan_tf\[torch\]'"):
        convert(state_dict=tmp_path / "a.pth", output=tmp_path / "a.keras")
