"""The bundled models, mostly tested with a small one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import ssagan_tf
from export import model_card
from export.to_box import example_values
from ssagan_tf import box, evaluate, import_torch, video
from ssagan_tf.data.dataset_info import DatasetInfo
from ssagan_tf.demo import find_models
from ssagan_tf.errors import DataError
from ssagan_tf.evaluation.requested_systems import RequestedSystems
from ssagan_tf.files import sha256_of
from ssagan_tf.generate import generate
from ssagan_tf.models.loading import load_generator
from ssagan_tf.options import (
    ComputeOptions,
    DemoOptions,
    EvaluateOptions,
    GenerateOptions,
    OptionError,
    SourceOptions,
    TrainOptions,
)
from ssagan_tf.training import first_stage, generator_source
from ssagan_tf.training.initial_weights import load_initial
from ssagan_tf.training.run_folder import with_start_settings
from tests.box.small_model import MODEL, make_box, make_run
from tests.exactness import assert_exact, in_float64, rms

PACKAGED = box.bundled_models()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, synthetic_set: Path) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    data = DatasetInfo.from_json((synthetic_set / "dataset_info.json").read_text())
    make_run(folder, data, data="sets/sky")
    return folder


@pytest.fixture(scope="module")
def packed(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    make_box(run, folder)
    return folder


@pytest.fixture(scope="module")
def weights(run: Path) -> list[np.ndarray]:
    """The weights that the bundled model should have."""
    plain = load_generator(run / "generator.keras").get_weights()
    return [x.astype("float16").astype("float32") if x.ndim > 1 else x for x in plain]


def add(folder: Path, name: str) -> None:
    """Adds the same model under another name."""
    card = json.loads((folder / "box64.json").read_text())
    (folder / f"{name}.json").write_text(json.dumps({**card, "name": name}))
    shutil.copyfile(folder / "box64.keras", folder / f"{name}.keras")


@pytest.fixture
def place(packed: Path, tmp_path: Path, monkeypatch) -> Path:
    """A package folder with one small model; the working directory is a new, empty folder."""
    folder, work = tmp_path / "package", tmp_path / "work"
    shutil.copytree(packed, folder)
    work.mkdir()
    monkeypatch.setattr(box, "FOLDER", folder)
    monkeypatch.chdir(work)
    return folder


@pytest.fixture
def _restore_policy() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")
    keras.config.set_floatx("float32")


def assert_card_holds(one: box.BundledModel) -> None:
    """Checks the numbers in a card against its file."""
    card = one.card
    with one.file() as path:
        assert (card["bytes"], card["sha256"]) == (path.stat().st_size, sha256_of(path))
        network = load_generator(path, ComputeOptions())
    assert card["parameters"] == network.count_params()
    assert (card["resolution"], card["frames"]) == (network.options.resolution, 32)
    flags = [f"--{name}={value}" for name, value in vars(network.options).items()]
    recipe = [line.lower() for line in card["recipe"]["flags"]]
    assert [line for line in flags if line.lower() not in recipe] == []
    assert not [line for line in recipe if line.startswith(("--data=", "--run_dir="))]
    assert card["float16_psnr"] >= 60
    assert card["licence"].startswith("MIT")
    assert len(card["limits"]) >= 3
    for evaluation in card["measures"].values():
        assert list(evaluation["rows"])[:4] == [
            *(one.name, f"{one.name}_transfer", "constant_wind", "copy_first_frame")
        ]


def assert_makes_the_example(one: box.BundledModel) -> None:
    """Checks the network against the card's example: exactly in float64, closely in float32."""
    network = ssagan_tf.load_generator(one.name)
    values = example_values(network)
    exact = example_values(in_float64(network))
    expected = np.array(one.card["example"]["clip"]).reshape(exact.shape)
    assert exact.dtype == "float64"
    assert_exact([exact], [expected])
    assert 0 < rms(values - exact) < 1e-5 * rms(exact) + 1e-6


def test_the_card_describes_the_file(place: Path) -> None:
    one = box.find("box")
    assert_card_holds(one)
    assert_makes_the_example(one)
    changed = dict(one.card, parameters=one.card["parameters"] + 1)
    with pytest.raises(AssertionError):
        assert_card_holds(box.BundledModel(one.name, changed))


@pytest.mark.skipif(not PACKAGED, reason="the package has no bundled model")
def test_the_bundled_models() -> None:
    assert box.DEFAULT in PACKAGED
    for one in PACKAGED.values():
        assert_card_holds(one)
    # Only the smallest, as this is slow.
    assert_makes_the_example(min(PACKAGED.values(), key=lambda each: each.card["bytes"]))


@pytest.mark.usefixtures("_restore_policy", "place")
@pytest.mark.parametrize(
    ("policy", "floatx"),
    [
        ("float32", "float64"),
        ("float32", "float16"),
        ("float64", "float32"),
        ("float64", "float64"),
        ("mixed_bfloat16", "float32"),
        ("mixed_float16", "float16"),
    ],
)
def test_weights_are_at_least_float32_under_every_policy(
    policy: str, floatx: str, weights: list[np.ndarray]
) -> None:
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
    loaded = ssagan_tf.load_generator()
    # As in build_generator: a float64 policy counts, floatx does not.
    expected = "float64" if policy == "float64" != floatx else "float32"
    assert {each.dtype for each in loaded.weights} == {expected}
    assert loaded.compute_dtype == expected
    for got, plain in zip(loaded.weights, weights, strict=True):
        np.testing.assert_array_equal(got.numpy(), plain)


@pytest.mark.usefixtures("place")
def test_weights_stay_float32_in_mixed_precision() -> None:
    loaded = ssagan_tf.load_generator("box64", ComputeOptions(precision="mixed_bfloat16"))
    assert {each.dtype for each in loaded.weights} == {"float32"}
    assert loaded.compute_dtype == "bfloat16"


DAMAGES = {
    "another": (
        lambda path: path.write_bytes(b"x" * path.stat().st_size),
        "its SHA-256 is not the one",
    ),
    "truncated": (
        lambda path: os.truncate(path, path.stat().st_size // 2),
        "its SHA-256 is not the one",
    ),
    "one bit": (
        lambda path: path.write_bytes(b"Q" + path.read_bytes()[1:]),
        "its SHA-256 is not the one",
    ),
    "empty": (lambda path: path.write_bytes(b""), "its SHA-256 is not the one"),
    "missing": (lambda path: path.unlink(), r"box64\.keras: not found; reinstall ssagan_tf"),
}


@pytest.mark.parametrize(("damage", "match"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file(damage, match: str, place: Path) -> None:
    damage(place / "box64.keras")
    with pytest.raises(DataError, match=match):
        ssagan_tf.load_generator()


CARDS = {
    "no JSON": b"{",
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "of another": b'{"format": 1, "name": "box128", "sha256": "0", "made": "2026-01-01"}',
    "of a later version": b'{"format": 2, "name": "box64", "sha256": "0", "made": "2026-01-01"}',
    "without a checksum": b'{"format": 1, "name": "box64", "made": "2026-01-01"}',
    "a number for a checksum": b'{"format": 1, "name": "box64", "sha256": 0, "made": ""}',
}


@pytest.mark.parametrize("content", CARDS.values(), ids=CARDS)
def test_a_damaged_card(content: bytes, place: Path) -> None:
    (place / "box64.json").write_bytes(content)
    with pytest.raises(
        DataError, match=r"^cannot read the card .*box64\.json: .*; reinstall ssagan_tf$"
    ) as error:
        ssagan_tf.load_generator()
    assert "\n" not in str(error.value)


def test_no_bundled_model(place: Path, photo: Path) -> None:
    for path in place.iterdir():
        path.unlink()
    assert box.bundled_models() == {}
    options = GenerateOptions(image=(str(photo),), output="a.mp4")
    for call in (
        ssagan_tf.load_generator,
        lambda: generator_source.find(SourceOptions(model="box64")),
        lambda: generate(options, ComputeOptions()),
        lambda: find_models(DemoOptions()),
        lambda: find_models(DemoOptions(runs=("box",))),
    ):
        with pytest.raises(DataError, match="has no bundled models; give a run"):
            call()
    assert not Path("a.mp4").exists()


def test_names(place: Path) -> None:
    add(place, "box64-small")
    add(place, "box32")
    (place / "boxes.json").write_text("no card")
    assert list(box.bundled_models()) == ["box64", "box32", "box64-small"]  # the default one first
    assert box.find("box").name == "box64"
    assert box.find("box64-small").name == "box64-small"
    with pytest.raises(DataError, match=r"^box65: .* one of box64, box32, box64-small \("):
        box.find("box65")
    (place / "box64.json").unlink()
    with pytest.raises(
        DataError, match=r"^box: not a bundled model, expected one of box32, box64-small"
    ):
        box.find("box")
    for name in ("box", "box64", "box64-small", "box-2", "box65"):
        assert box.is_name(name)
    for path in (
        "./box",
        "box.keras",
        "box/",
        "runs/box",
        "boxes",
        "box_64",
        "Box",
        "box-",
        "",
        "b",
    ):
        assert not box.is_name(path)


def test_a_file_or_folder_of_the_same_name(place: Path, run: Path) -> None:
    shutil.copytree(run, "box")
    Path("box64").write_bytes(b"")
    for name in ("box", "box64"):
        assert generator_source.resolve(name).box.name == "box64"
        assert generator_source.find(SourceOptions(model=name)).about.startswith("box64 of 20")
    assert generator_source.find(SourceOptions(run_dir="box")).run.folder == Path("box")
    assert generator_source.resolve("./box").run.folder == Path("box")
    assert generator_source.resolve(Path("box")).run.folder == Path("box")
    with pytest.raises(DataError, match=r"^box64 is not a \.keras file"):
        ssagan_tf.load_generator("./box64")
    assert ssagan_tf.load_generator(str(run)).options == MODEL
    assert ssagan_tf.load_generator(run / "generator.keras").options == MODEL


@pytest.fixture
def photo(tmp_path: Path, noise) -> Path:
    path = tmp_path / "sky.png"
    Image.fromarray(noise(48, 64, 3)).save(path)
    return path


def test_generate_uses_it_by_default(place: Path, run: Path, photo: Path, capsys) -> None:
    def generate_clip(output: str, **options: str) -> np.ndarray:
        given = GenerateOptions(image=(str(photo),), output=output, **options)
        generate(given, ComputeOptions())
        return np.stack(list(video.read_video(Path(output))))

    clip = generate_clip("a.mp4")
    assert "1 photo(s), stretch to 64×64, 32 frames each, model: box64" in capsys.readouterr().out
    assert clip.shape == (32, 64, 86, 3)
    again = generate_clip("b.mp4", model="box64")
    # Sums depend on the order of threads in their last bits, and so do pixels by one level.
    assert np.abs(again.astype(int) - clip).mean() < 0.1
    with pytest.raises(OptionError, match="either --run_dir or --model"):
        generate_clip("c.mp4", model="box", run_dir=str(run))
    with pytest.raises(OptionError, match="checkpoint=best: needs --run_dir"):
        generate_clip("c.mp4", checkpoint="best")
    assert sorted(path.name for path in Path().iterdir()) == ["a.mp4", "b.mp4"]


def test_the_demo_lists_it_first(place: Path, run: Path) -> None:
    add(place, "box32")

    def names(**options: Any) -> list[str]:
        return list(find_models(DemoOptions(**options)))

    assert names() == ["box64", "box32"]
    shutil.copytree(run, "runs/mine")
    assert names() == ["box64", "box32", "mine"]
    assert names(runs=("runs", "box")) == ["mine", "box64"]
    assert names(run_dir="runs/mine") == ["mine"]
    assert names(run_dir="runs/mine", runs=("box", "runs")) == ["mine", "box64"]
    assert names(model="box32") == ["box32"]
    chosen = find_models(DemoOptions(run_dir="runs/mine", checkpoint="newest", runs=("runs",)))
    assert chosen["mine"].checkpoint == "newest"
    with pytest.raises(OptionError, match="needs --run_dir"):
        names(checkpoint="newest")
    assert find_models(DemoOptions(runs=("box",)))["box64"].load().options == MODEL


def test_all_programs_accept_it(place: Path, run: Path, tmp_path: Path) -> None:
    given = EvaluateOptions(model="box,other=box64", run_dir=str(run), data="d", output="o")
    sources = evaluate._find_generators(RequestedSystems(given), given.checkpoint)
    assert {name: each.name for name, each in sources.items()} == {
        "run": str(run),
        "box": "box64",
        "other": "box64",
    }
    assert import_torch._load("box").options == MODEL
    # Initial weights of a run: the name is not turned into a path.
    train = with_start_settings(TrainOptions(run_dir=str(tmp_path / "new"), init_from="box"))
    assert train.init_from == "box"
    assert load_initial(MODEL, ComputeOptions(), train).options == MODEL
    with pytest.raises(DataError, match=r"^box65: not a bundled model"):
        load_initial(MODEL, ComputeOptions(), TrainOptions(run_dir="r", init_from="box65"))
    second = ssagan_tf.ModelOptions(network="mdgan_stage2", resolution=64, base_filters=1)
    train = TrainOptions(run_dir=str(tmp_path / "new"), stage1="box")
    first_stage.check_first_stage(second, train)
    assert first_stage.load_first_stage(second, ComputeOptions(), train).network.options == MODEL


def test_exports_name_it(place: Path) -> None:
    origin = generator_source.find(SourceOptions(model="box"))
    described = model_card.settings(origin.load(), origin, "stretch", max_megapixels=64)
    assert described["box"]["sha256"] == sha256_of(place / "box64.keras")
    card = model_card.model_card(json.loads(json.dumps(described)))
    assert "Trained on: 10 procedural skies" in card
    assert f"box64 of {box.find('box').card['made']}" in card
