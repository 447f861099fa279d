from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import models
from ssagan_tf.errors import DataError
from ssagan_tf.options import ModelOptions, TrainOptions
from ssagan_tf.training import checkpoint
from ssagan_tf.training.checkpoint import Checkpoints
from ssagan_tf.training.gan import GAN
from tests.training import tiny

MODEL = ModelOptions(resolution=64, base_filters=2, ssa_layers="conv4", spectral_norm=True)
OPTIONS = TrainOptions(batch_size=1, discriminator_updates=1)


def make(model: ModelOptions = MODEL) -> GAN:
    return GAN(models.build_generator(model), models.build_discriminator(model), OPTIONS)


def state(gan: GAN) -> dict[str, np.ndarray]:
    variables = (
        *gan.generator.weights,
        *gan.discriminator.weights,
        *gan.generator_optimizer.variables,
        *gan.discriminator_optimizer.variables,
    )
    return {f"{index} {v.path}": np.array(v) for index, v in enumerate(variables)}


@pytest.fixture(scope="module")
def trained() -> GAN:
    gan = make()
    clips = np.random.default_rng(0).integers(0, 256, (1, 1, 32, 64, 64, 3), np.uint8)
    for _ in range(2):
        gan.train_step(tf.constant(clips))
    return gan


@pytest.mark.slow
def test_everything_comes_back(trained: GAN, tmp_path: Path) -> None:
    Checkpoints(trained, tmp_path, keep=2).save()
    fresh = make()
    assert Checkpoints(fresh, tmp_path, keep=2).restore_latest()
    assert fresh.step == trained.step == 2
    before, after = state(trained), state(fresh)
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)


@pytest.mark.parametrize(
    "name",
    ["[ab]", "wh*t?", "back\\slash", "a{b,c}", "%d", "~", "a,b", "[!x]-räume", "-r", "$HOME"],
)
def test_folders_of_any_name(tmp_path: Path, monkeypatch, name: str) -> None:
    """Files are found in folders named like patterns, and not in folders that match them."""
    monkeypatch.chdir(tmp_path)
    networks = (tiny.build(kind)(MODEL) for kind in (tiny.TinyGenerator, tiny.TinyDiscriminator))
    gan = GAN(*networks, OPTIONS)
    for other in ("a", "wht", "ab"):
        Checkpoints(gan, Path(other, "checkpoints"), keep=1).save()
    gan.generator_optimizer.iterations.assign(7)
    checkpoints = Checkpoints(gan, Path(name, "checkpoints"), keep=1)
    checkpoints.save_if_best(1.0)
    gan.generator_optimizer.iterations.assign(9)
    assert checkpoints.restore_latest()
    assert gan.step == checkpoints.latest_step == 7
    for step in (8, 9):  # only the newest and the best remain
        gan.generator_optimizer.iterations.assign(step)
        checkpoints.save()
    files = {path.name.split(".")[0] for path in Path(name, "checkpoints").iterdir()}
    assert files == {"step-7", "step-9", "best"}
    assert Path("ab", "checkpoints", "step-0.index").exists()


@pytest.mark.parametrize(
    "text",
    [
        *('{"step": Infinity, "content_loss": 1}', '{"step": 3, "content_loss": []}', "[" * 9999),
        *('{"step": "../../3", "content_loss": 1}', "[]", " " * (2 << 20), '{"step": 1e999}'),
        '{"step": 1%s, "content_loss": 1}' % ("0" * 4000),
    ],
    ids=range(8),
)
def test_the_best_of_strangers(tmp_path: Path, text: str) -> None:
    (tmp_path / checkpoint.BEST_FILE).write_text(text)
    assert checkpoint._best(tmp_path) is None


def test_names_of_checkpoints(tmp_path: Path) -> None:
    for name in ("step-12", "step-", "step-x", "step-1_0", "step--5", "step-³", "step-" + "9" * 30):
        (tmp_path / f"{name}.index").touch()
    assert checkpoint._paths(tmp_path) == [tmp_path / "step-12"]


def test_only_the_newest_are_kept(trained: GAN, tmp_path: Path) -> None:
    checkpoints = Checkpoints(trained, tmp_path, keep=2)
    for _ in range(10):  # step 9 is older than step 10
        trained.generator_optimizer.iterations.assign_add(1)
        checkpoints.save()
    assert checkpoints.latest_step == 12
    trained.generator_optimizer.iterations.assign_add(-10)
    names = {path.name.split(".")[0] for path in tmp_path.iterdir()}
    assert names == {"step-11", "step-12"}


def test_a_damaged_one_of_a_later_step_does_not_push_out_the_saved(
    trained: GAN, tmp_path: Path
) -> None:
    for step in (4, 3):
        (tmp_path / f"step-{step}.index").write_bytes(b"damaged")
    checkpoints = Checkpoints(trained, tmp_path, keep=1)
    checkpoints.save()
    assert {path.stem for path in tmp_path.glob("*.index")} == {"step-2", "step-4"}


def test_a_full_disk_leaves_the_checkpoints_before(
    trained: GAN, tmp_path: Path, monkeypatch
) -> None:
    checkpoints = Checkpoints(trained, tmp_path, keep=1)
    checkpoints.save()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def write(self, path: str) -> None:
        Path(f"{path}.data-00000-of-00001").write_bytes(b"half of it")
        Path(f"{path}_temp").mkdir()
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.train.Checkpoint, "write", write)
    trained.generator_optimizer.iterations.assign_add(1)
    with pytest.raises(DataError, match=r"cannot save a checkpoint .*No space left"):
        checkpoints.save()
    trained.generator_optimizer.iterations.assign_add(-1)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_nothing_to_restore(trained: GAN, tmp_path: Path) -> None:
    assert not Checkpoints(trained, tmp_path, keep=2).restore_latest()


def test_a_checkpoint_of_other_networks(trained: GAN, tmp_path: Path) -> None:
    Checkpoints(trained, tmp_path, keep=2).save()
    other = make(ModelOptions(resolution=64, base_filters=2, ssa_layers="all"))
    with pytest.raises(DataError, match="belongs to other networks"):
        Checkpoints(other, tmp_path, keep=2).restore_latest()


def test_a_damaged_checkpoint(trained: GAN, tmp_path: Path) -> None:
    Checkpoints(trained, tmp_path, keep=2).save()
    [data] = tmp_path.glob("*.data-*")
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0xFF
    data.write_bytes(bytes(content))
    with pytest.raises(DataError, match="cannot restore the checkpoint"):
        Checkpoints(make(), tmp_path, keep=2).restore_latest()


def test_an_older_checkpoint_stands_in_for_a_damaged_one(
    trained: GAN, tmp_path: Path, capsys
) -> None:
    checkpoints = Checkpoints(trained, tmp_path, keep=2)
    checkpoints.save()
    before = state(trained)
    trained.generator_optimizer.iterations.assign_add(1)
    checkpoints.save()
    trained.generator_optimizer.iterations.assign_add(-1)
    next(tmp_path.glob("step-3.data-*")).write_bytes(b"damaged")
    fresh = make()
    assert Checkpoints(fresh, tmp_path, keep=2).restore_latest()
    assert "step-3" in capsys.readouterr().out
    assert fresh.step == 2
    for name, value in state(fresh).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
