from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ssagan_tf.data.dataset_info import DatasetInfo, Shard, Split, open_set
from ssagan_tf.errors import DataError
from ssagan_tf.options import ComputeOptions, ModelOptions, OptionError, TrainOptions
from ssagan_tf.training import callbacks, checkpoint, run_folder

MODEL = ModelOptions(resolution=64, base_filters=2)
COMPUTE = ComputeOptions()


@pytest.fixture
def begun(tmp_path, synthetic_set) -> tuple[ModelOptions, TrainOptions, DatasetInfo]:
    train = TrainOptions(data=str(synthetic_set), run_dir=str(tmp_path / "run"), batch_size=2)
    train = run_folder.with_start_settings(train)
    data = open_set(synthetic_set).info
    run_folder.write_settings(MODEL, COMPUTE, train, data)
    return MODEL, train, data


def test_a_run_is_read_as_it_was_written(begun) -> None:
    model, train, data = begun
    opened = run_folder.open_run(train.run_dir)
    assert (opened.model, opened.compute, opened.train) == (model, COMPUTE, train)
    assert opened.data.fingerprint == data.fingerprint
    assert opened.data.fit == "stretch"


def test_the_head_of_flags_cfg_names_what_is_not_the_networks_recipe(begun) -> None:
    model, train, data = begun
    changed = dataclasses.replace(train, lambda_con=10.0, adversarial="wasserstein")
    run_folder.write_settings(model, COMPUTE, changed, data)
    path = Path(train.run_dir) / "flags.cfg"
    assert [line for line in path.read_text().splitlines() if "recipe" in line] == [
        "# adversarial=wasserstein (ssagan's recipe: minimax)",
        "# lambda_con=10 (ssagan's recipe: 1)",
    ]
    assert run_folder.open_run(train.run_dir).train == changed


def test_only_a_new_run_refuses_settings_without_effect(begun, tmp_path) -> None:
    model, train, data = begun
    idle = dataclasses.replace(train, canonical_threshold=0.1)
    run_folder.write_settings(model, COMPUTE, idle, data)  # as earlier versions let it begin
    run_folder.check_same_run(model, COMPUTE, idle, data)
    new = dataclasses.replace(idle, run_dir=str(tmp_path / "new"))
    with pytest.raises(OptionError, match=r"canonical_threshold=0.1: has no effect without"):
        run_folder.check_same_run(model, COMPUTE, new, data)


def test_the_same_settings_resume(begun) -> None:
    model, train, data = begun
    run_folder.check_same_run(model, COMPUTE, train, data)
    may_change = dataclasses.replace(train, steps=7, sample_every=3, data="moved", fps=5.0)
    run_folder.check_same_run(model, COMPUTE, may_change, data)


@pytest.mark.parametrize(
    ("model_changes", "train_changes", "message"),
    [
        (
            {"base_filters": 4},
            {},
            "base_filters=4: the run in .* was started with --base_filters=2",
        ),
        ({"ssa_gate": "none"}, {"batch_size": 9}, "ssa_gate=none: .* --ssa_gate=gamma"),
        ({}, {"batch_size": 4, "seed": 3}, "batch_size=4: .* --batch_size=2"),
        ({}, {"lambda_con": 2.0}, "lambda_con=2.0: .* --lambda_con=1.0"),
    ],
)
def test_other_settings_are_refused_by_name(begun, model_changes, train_changes, message) -> None:
    model, train, data = begun
    with pytest.raises(OptionError, match=message):
        run_folder.check_same_run(
            dataclasses.replace(model, **model_changes),
            COMPUTE,
            dataclasses.replace(train, **train_changes),
            data,
        )


def test_a_run_keeps_its_start_settings(begun, tmp_path) -> None:
    model, train, data = begun
    given = dataclasses.replace(train, ema_ramp_up="auto")
    assert run_folder.with_start_settings(given) == train
    from_other = dataclasses.replace(given, init_from="other.keras")
    with pytest.raises(
        OptionError, match=r"init_from=.*other\.keras: .* started with --init_from=;"
    ):
        run_folder.check_same_run(model, COMPUTE, run_folder.with_start_settings(from_other), data)
    new = dataclasses.replace(from_other, run_dir=str(tmp_path / "new"))
    assert run_folder.with_start_settings(new).init_from == str(Path("other.keras").resolve())
    assert run_folder.with_start_settings(new).ema_ramp_up == "on"
    # A run started before the setting existed.
    path = Path(train.run_dir) / "flags.cfg"
    path.write_text(path.read_text().replace("--ema_ramp_up=on\n", ""))
    old = run_folder.with_start_settings(given)
    assert old.ema_ramp_up == run_folder.open_run(train.run_dir).train.ema_ramp_up == "off"
    run_folder.check_same_run(model, COMPUTE, old, data)
    told = run_folder.with_start_settings(dataclasses.replace(given, ema_ramp_up="on"))
    with pytest.raises(OptionError, match=r"ema_ramp_up=on: .* started with --ema_ramp_up=off"):
        run_folder.check_same_run(model, COMPUTE, told, data)


def test_other_clips_are_refused(begun) -> None:
    model, train, data = begun
    other = dataclasses.replace(
        data,
        splits={
            "train": Split(1, 1, (Shard("train-00000-of-00001.tfrecord", 1, 1, "0"),)),
            "test": Split(0, 0, ()),
        },
    )
    with pytest.raises(OptionError, match=r"data=.*: does not hold the clips"):
        run_folder.check_same_run(model, COMPUTE, train, other)


def test_changed_drifts(begun) -> None:
    """They must not change which clips are mirrored or left out; otherwise they do not matter."""
    model, train, data = begun
    splits = {}
    for name, split in data.splits.items():
        told = [dataclasses.replace(each, drifts=(0.01,) * each.clips) for each in split.shards]
        splits[name] = dataclasses.replace(split, shards=tuple(told))
    other = dataclasses.replace(data, splits=splits)
    run_folder.check_same_run(model, COMPUTE, train, other)
    canonical = dataclasses.replace(train, canonical_motion="both")
    run_folder.write_settings(model, COMPUTE, canonical, other)
    run_folder.check_same_run(model, COMPUTE, canonical, other)
    with pytest.raises(OptionError, match=r"data=.*: has other drifts recorded"):
        run_folder.check_same_run(model, COMPUTE, canonical, data)


def test_a_folder_of_something_else_is_refused(tmp_path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(OptionError, match=r"run_dir=.*: is not empty and not a run"):
        run_folder.check_same_run(MODEL, COMPUTE, TrainOptions(run_dir=str(tmp_path)), None)
    run_folder.check_same_run(MODEL, COMPUTE, TrainOptions(run_dir=str(tmp_path / "new")), None)


def test_a_run_killed_before_it_began_goes_on(begun) -> None:
    model, train, data = begun
    (Path(train.run_dir) / "flags.cfg").rename(Path(train.run_dir) / ".tmp-1-flags.cfg")
    run_folder.check_same_run(model, COMPUTE, train, data)


@pytest.mark.parametrize("line", ["--no_such_flag=1", "--resolution=100", "--steps=many"])
def test_damaged_settings(begun, line: str) -> None:
    _, train, _ = begun
    with open(f"{train.run_dir}/flags.cfg", "a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match="cannot read the run"):
        run_folder.open_run(train.run_dir)
    with pytest.raises(DataError, match="is not a training run"):
        run_folder.open_run("nowhere")


@pytest.mark.parametrize(
    "text",
    [
        *("--flagfile=/dev/zero\n", "  -flagfile /etc/passwd\n", "--seed=1\r--flagfile=/dev/zero"),
        "--resolution=4096\n--base_filters=32",
        *("--seed\n--flagfile=/dev/zero", "\x0b--flagfile=x", "#" * (2 << 20), "\xff\xfe"),
    ],
)
def test_untrusted_settings(begun, text: str) -> None:
    """absl would read the other file, however long."""
    _, train, _ = begun
    with open(f"{train.run_dir}/flags.cfg", "a", encoding="latin-1") as file:
        file.write(text)
    with pytest.raises(DataError, match="cannot read the run"):
        run_folder.open_run(train.run_dir)


@pytest.mark.parametrize(
    "part",
    [
        *("metrics.jsonl", "flags.cfg", "checkpoints", "samples", "samples/step_000100.mp4"),
        *("checkpoints/best.json", "whole/copies.json", "tensorboard/train/events", "whole/a"),
    ],
)
def test_a_run_is_in_its_folder(begun, part: str) -> None:
    model, train, data = begun
    elsewhere = Path(train.run_dir).with_name("elsewhere")
    elsewhere.write_text("as it was")
    (Path(train.run_dir) / part).unlink(missing_ok=True)
    (Path(train.run_dir) / part).parent.mkdir(parents=True, exist_ok=True)
    (Path(train.run_dir) / part).symlink_to(elsewhere)
    with pytest.raises(
        DataError, match=f"{part} is a symbolic link; replace it by what it points to"
    ):
        run_folder.check_same_run(model, COMPUTE, train, data)
    assert elsewhere.read_text() == "as it was"
    whole = Path(train.run_dir).with_name("linked")
    (Path(train.run_dir) / part).unlink()
    whole.symlink_to(train.run_dir)  # all of it may lie elsewhere
    run_folder.check_same_run(model, COMPUTE, dataclasses.replace(train, run_dir=str(whole)), data)


def test_settings_that_need_more_memory_than_the_checkpoints_hold(begun) -> None:
    _, train, _ = begun
    folder = Path(train.run_dir) / "checkpoints"
    folder.mkdir()
    for name in ("step-1.index", "step-1.data-00000-of-00001", "step-évil.index"):
        (folder / name).write_bytes(bytes(1000))
    (folder / "best.json").write_text('{"step": Infinity, "content_loss": 0}')
    with open(f"{train.run_dir}/flags.cfg", "a") as file:
        file.write("--base_filters=1000000\n")
    stranger = run_folder.open_run(train.run_dir)
    for which in ("", "newest", "1"):
        with pytest.raises(DataError, match="need more weights than its checkpoints have"):
            checkpoint.load_generator(stranger, which=which)
    with pytest.raises(OptionError, match="not found: the run has the steps 1"):
        checkpoint.load_generator(stranger, which="best")


def test_tensorboard_has_scalars_and_moving_pictures(tmp_path) -> None:
    log = callbacks.MetricsLog(tmp_path, 0)
    log.write(3, {"content_loss": 0.25})
    log.write_gif(3, "sample", np.zeros((4, 8, 6, 3), np.uint8), 12.0)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    [loss] = events.Tensors("loss/content loss")
    assert (loss.step, tf.make_ndarray(loss.tensor_proto)) == (3, np.float32(0.25))
    [sample] = events.Tensors("sample")
    width, height, picture = sample.tensor_proto.string_val
    assert (width, height, picture[:6]) == (b"6", b"8", b"GIF89a")
    metadata = events.SummaryMetadata("sample")
    assert metadata.plugin_data.plugin_name == "images"


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("test_content_loss", "loss/test content loss"),
        ("fake_score", "score/fake score"),
        ("seconds_per_step", "step/seconds per step"),
    ],
)
def test_tensorboard_groups_metrics_by_kind(name: str, tag: str) -> None:
    assert callbacks.tensorboard_tag(name) == tag


def test_progress_shows_losses_and_clips_per_second(monkeypatch) -> None:
    notes: list[str] = []
    progress = SimpleNamespace(advance=lambda note: notes.append(note))
    show = callbacks.ShowProgress(progress)
    show.set_model(SimpleNamespace(options=TrainOptions(batch_size=8)))
    seconds = iter([10.0, 14.0, 15.0])  # after compiling, and after two more steps
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: next(seconds))
    losses = {"discriminator_loss": 1.0, "generator_loss": 2.0, "content_loss": 0.25}
    for _ in range(3):
        show.on_train_batch_end(0, losses)
    shown = "D 1.000  G 2.000  content 0.2500"
    assert notes == [shown, f"{shown}  2 clips/s", f"{shown}  3.2 clips/s"]


def test_metrics_of_steps_that_are_made_again_are_dropped(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"step": step, "loss": 1.0}) + "\n" for step in (0, 10, 20, 30)]
    odd = ['{"step": "x"}\n', "[" * 5000 + "\n", '{"step": Infinity}\n', "\xff\n"]
    path.write_text("".join(lines + odd) + '{"step": 4')  # killed while it wrote
    log = callbacks.MetricsLog(tmp_path, 20)
    log.write(25, {"loss": 2.0})
    steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
    assert steps == [0, 10, 20, 25]
