"""Reads the values of golden files that are compared, with the programs as a user runs them.

`make.py` stored these values once; the test computes them again. Little is imported from inside the
package, so that it can be reorganised.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.models.loading import load_network
from ssagan_tf.study.store import Store
from tests.programs import Result, run

RUNS = ("run", "second")
# A grid over the 32×64×64 pixels of a clip, not aligned with any stride of the networks.
SEEN = np.s_[:, 2::9, 5::17, 3::17]


def everything(folder: Path, steps: int) -> dict[str, Any]:
    """All values that are stored about unpacked files. Resumes the runs and continues the study."""
    values: dict[str, Any] = {
        "networks": {p.stem: network(p) for p in sorted((folder / "networks").glob("*.keras"))},
        "set": verify(folder),
        "evaluation": evaluate(folder),
        "saved_model": saved_model(folder),
        "onnx": onnx(folder),
        "report": report(folder),
    }
    votes, videos = vote(folder)
    values["study"] = {"votes": votes, "videos": videos}
    values["runs"] = {}
    for name in RUNS:
        [index] = (folder / name / "checkpoints").glob("*.index")
        state = checkpoint(index.with_suffix(""))
        step = int(index.stem.partition("-")[2])
        values["runs"][name] = {"step": step, "steps": steps, **state}
    return values


# Networks.


def inputs(axes: Iterable[int]) -> np.ndarray:
    """A pattern in [-1, 1] that is bit-identical everywhere: float32 `[1, *axes]`."""
    axes = tuple(axes)
    speeds = (3, 5, 7, 83)[-len(axes) :]  # of frames, rows, columns and colours
    levels = sum(s * i for s, i in zip(speeds, np.indices(axes), strict=True)) % 256
    return (levels[None] / 127.5 - 1).astype("float32")


def network(path: Path) -> dict[str, Any]:
    """A `.keras` file: a digest of its weights, and its output for the pattern.

    For a clip some pixels, in [-1, 1]; for a score its sigmoid, as in the papers. 16-bit outputs
    differ too much between machines to be compared.
    """
    loaded = load_network(path)
    about = {"kind": type(loaded).__name__, "compute": loaded.compute_dtype}
    weights = digest(map(_digest, loaded.get_weights()))
    about |= {"parameters": loaded.count_params(), "weights": weights}
    if loaded.compute_dtype == "float32":
        output = np.asarray(loaded(inputs(loaded.input_axes), training=False))
        is_clip = output.ndim == 5
        scores = output[SEEN] if is_clip else 1 / (1 + np.exp(-output.astype("float64")))
        about |= {"shape": list(output.shape), "output": np.round(scores, 5).ravel().tolist()}
    return about


def _digest(values: np.ndarray) -> str:
    head = f"{values.dtype} {values.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(values).tobytes()).hexdigest()


def digest(digests: Iterable[str]) -> str:
    """One digest for many, in any order: names and order may change, values may not."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


# Runs.


def checkpoint(path: Path) -> dict[str, Any]:
    """All values of a checkpoint: networks, optimizers, averages, step counters."""
    reader = tf.train.load_checkpoint(str(path))
    names = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    values = [reader.get_tensor(name) for name in names]
    return {
        "values": len(values),
        "numbers": sum(value.size for value in values),
        "state": digest(map(_digest, values)),
    }


def resume(
    folder: Path, name: str, steps: int, patch: pytest.MonkeyPatch
) -> tuple[Result, dict[str, Any]]:
    """Resumes a run whose folder and prepared set were moved, as a user does.

    Returns:
      The program's result, and the state that it resumed from: a copy of what it had read from the
      checkpoint when training started.
    """
    read, begin = tf.train.Checkpoint.read, keras.callbacks.CallbackList.on_train_begin
    seen, copies = [], []

    def note(self: tf.train.Checkpoint, *arguments: Any, **kwargs: Any) -> Any:
        seen.append(self)
        return read(self, *arguments, **kwargs)

    def copy_state(self: keras.callbacks.CallbackList, *arguments: Any, **kwargs: Any) -> None:
        copies.append(seen[-1].write(str(folder / "restored" / name)))
        begin(self, *arguments, **kwargs)

    patch.setattr(tf.train.Checkpoint, "read", note)
    patch.setattr(keras.callbacks.CallbackList, "on_train_begin", copy_state)
    # Tracing and compiling a step takes ten times as long as running it once eagerly.
    patch.setattr(tf, "function", lambda call=None, **_: call or (lambda call: call))
    done = run("train", *moved(folder, name), f"--steps={steps}")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    [copy] = copies
    return done, checkpoint(Path(copy))


def moved(folder: Path, name: str) -> list[str]:
    """Flags for a moved run and its data; a second stage has a copy of its first stage."""
    run_dir = folder / name
    places = [f"--run_dir={run_dir}", f"--data={folder / 'set'}", "--stage1="]
    return [f"--flagfile={run_dir / 'flags.cfg'}", *places]


# The set, and evaluation on it.


def verify(folder: Path) -> dict[str, int]:
    """Numbers of clips and shards that `verify` found intact."""
    done = run("verify", f"--data={folder / 'set'}")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    clips, shards = re.search(r"(\d+) clips in (\d+) shards", done.stdout).groups()
    return {"clips": int(clips), "shards": int(shards)}


def evaluate(folder: Path) -> dict[str, Any]:
    """Measures of a network and of both runs on the set's test clips."""
    output = folder / "evaluation"
    done = run(
        "evaluate",
        f"--data={folder / 'set'}",
        f"--model=file={folder / 'networks' / 'mdgan_stage1.keras'}",
        f"--run_dir={','.join(f'{name}={folder / name}' for name in RUNS)}",
        "--optical_flow=false",
        f"--output={output}",
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    content = json.loads((output / "metrics.json").read_text())
    rows = {row["name"]: row for row in content["rows"]}
    kept = ("mse", "psnr", "ssim", "motion_ratio", "per_frame", "gamma")
    return {
        "head": [content[name] for name in ("format", "protocol", "clips", "videos")],
        "real": content["real"]["motion"],
        **{name: {key: row[key] for key in kept if key in row} for name, row in rows.items()},
    }


# The study.


def report(folder: Path) -> dict[str, Any]:
    """The tables that `study --report` writes."""
    output, store = folder / "report", folder / "study.sqlite"
    done = run("study.__main__", f"--store={store}", "--report", f"--output={output}")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    tables = {}
    for table in ("pos", "votes"):
        with (output / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            tables[table] = list(csv.DictReader(file))
    assert (output / "report.md").is_file()
    return tables


def vote(folder: Path) -> tuple[int, list[str]]:
    """Votes as a new subject who always chooses the left clip: votes, and digests of videos."""
    store, videos = Store(folder / "study.sqlite"), []
    trial = store.begin("golden").trial
    while trial is not None:
        both = [store.video("golden", key) for key in (trial.left, trial.right)]
        videos += [hashlib.sha256(video).hexdigest() for video in both]
        assert store.vote("golden", trial.key, "left")
        trial = store.state("golden").trial
    return len(store.votes()), sorted(videos)


# Exports.


def saved_model(folder: Path) -> dict[str, Any]:
    """Signatures of the run's SavedModel, and the files next to its graph."""
    from tensorflow.core.protobuf import saved_model_pb2

    output = folder / "models" / "1"
    arguments = (f"--run_dir={folder / 'run'}", f"--output={output}", "--warm_up=")
    done = run("to_saved_model", *arguments, package="export")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    content = saved_model_pb2.SavedModel.FromString((output / "saved_model.pb").read_bytes())
    [graph] = content.meta_graphs
    signatures = {
        name: {"inputs": _tensors(each.inputs), "outputs": _tensors(each.outputs)}
        for name, each in graph.signature_def.items()
        if not name.startswith("__")
    }
    extra = output / "assets.extra"
    return {
        "signatures": signatures,
        "tags": sorted(graph.meta_info_def.tags),
        "extra": sorted(path.name for path in extra.iterdir()),
        "settings": _described(json.loads((extra / "settings.json").read_text())),
    }


def _tensors(infos: Any) -> dict[str, Any]:
    return {
        name: {
            "dtype": tf.dtypes.as_dtype(info.dtype).name,
            "shape": [dim.size for dim in info.tensor_shape.dim],
        }
        for name, info in infos.items()
    }


def onnx(folder: Path) -> dict[str, Any]:
    """Inputs, outputs and metadata of an ONNX file of a network."""
    import onnx

    output = folder / "model.onnx"
    arguments = (
        f"--model={folder / 'networks' / 'mdgan_stage1.keras'}",
        f"--output={output}",
    )
    done = run("to_onnx", *arguments, package="export")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    model = onnx.load(output)

    def told(values: Any) -> dict[str, Any]:
        return {
            value.name: {
                "dtype": onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type),
                "shape": [
                    dim.dim_value or -1  # any
                    for dim in value.type.tensor_type.shape.dim
                ],
            }
            for value in values
        }

    noted = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    return {
        "inputs": told(model.graph.input),
        "outputs": told(model.graph.output),
        "opset": {each.domain: each.version for each in model.opset_import},
        "metadata": _described(noted),
    }


def _described(settings: dict[str, Any]) -> dict[str, Any]:
    """What an export says about itself: names, and values that are the same on every machine.

    Values of settings of networks and training are left out, since programs that use exports do not
    read them.
    """
    values = {"names": sorted(settings)}
    named = {"networks", "train", "source", "versions"}
    return values | {name: settings[name] for name in settings if name not in named}
