"""Made the golden files, once, with the code at commit 82db51e: `python -m tests.golden.make NAME`.

They represent the files that users have, which every later version must be able to read. A golden
test that fails means that a format has changed and that code to read the old one (a migration) is
missing. NEVER make files again to get a test to pass, and never change a value in a NAME.json.

When a format changes on purpose, the old files stay and files of the new format are added: commit
the code that writes it, run this program with a new NAME (it refuses an existing one), and commit
NAME.tar.xz and NAME.json. The test uses every NAME it finds. Otherwise this program is not run, so
what it imports may have moved since.

The programs make everything, as a user would run them. Three measures keep the files small and free
of traces of the machine:
- weights are rounded to four significant bits, which compress well: those of networks before they
  are saved, those of runs just before a run saves its checkpoint;
- files of runs that no program reads are left out: samples, and TensorBoard's events, which contain
  the host's name;
- it works in /tmp/ssagan_tf_golden, the only path that occurs in the files.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import ssagan_tf  # isort: skip  # before Keras loads TensorFlow: it turns oneDNN on

import keras
import numpy as np
import pytest

from ssagan_tf import models, video
from ssagan_tf.options import ComputeOptions, ModelOptions
from ssagan_tf.skies.any_wind import synthetic_clip
from ssagan_tf.training import callbacks
from ssagan_tf.training.checkpoint import Checkpoints
from tests.golden import observe
from tests.programs import ROOT, run
from tests.study.conftest import Served, Subject

HERE = Path(__file__).parent
WORK = Path("/tmp/ssagan_tf_golden")
KEPT = ("networks", "set", "run", "second", "study.sqlite")
SIDE = 64  # as small as networks go
STOPPED, STEPS = 2, 3  # the step at which runs were interrupted, and the number of all

# Together they change every setting of the networks from its default.
RELEASED = {"ssa_gate": "projected", "spectral_norm": True, "bn_gamma_stddev": 0.02}
GENERATORS: dict[str, dict[str, Any]] = {
    "ssagan": {},
    "ssagan_stage2": {**RELEASED, "ssa_ratio": 0.125, "skips": "add"},
    "mdgan_stage1": {"bn_gamma_stddev": 0.02},
    "mdgan_stage2": {"skips": "add_inner", "ssa_layers": "conv4,deconv3", "ssa_gate": "none"},
    "vgan": {},
    "rnngan": {},
}
PREPARE = (
    "--source=footage --output=set --layout=frames --resolution=64 --fit=crop --clip_rule=all "
    "--clip_stride=32 --frame_stride=1 --scene_cut=6 --static_threshold=0.0004 "
    "--near_duplicates=report --test_fraction=0.34 --seed=5 --workers=1"
)
EVERY_RUN = (
    f"--data=set --resolution={SIDE} --base_filters=1 --batch_size=1 --steps={STEPS} "
    "--checkpoint_every=2 --keep_checkpoints=1 --sample_every=2 --samples=1 --test_clips=1 "
    "--log_every=1 --fps=10 --strategy=one_device --rollbacks=1 --shuffle_window=8 --ema_decay=0.6 "
    "--attention_memory=64"
)
FIRST = (
    "--run_dir=run --network=ssagan --skips=add --ssa_layers=conv4,deconv2 "
    "--ssa_gate=projected --ssa_ratio=0.5 --spectral_norm --bn_gamma_stddev=0.02 "
    "--adversarial=wasserstein --lambda_penalty=10 --lambda_adv=0.9 --lambda_con=1.1 "
    "--lambda_ssim=1 --lambda_mse=0.1 --lambda_first_frame=0.2 --discriminator_updates=2 "
    "--learning_rate=0.0003 --learning_rate_milestones=2,5 --beta_1=0.4 --beta_2=0.95 --flip "
    "--zoom=0.1 --slow_motion=0.2 --colour=0.1 --seed=7"
)
SECOND = (
    "--run_dir=second --stage1=networks/mdgan_stage1.keras --network=ssagan_stage2 "
    "--skips=add_inner --ssa_layers=conv4 --ssa_gate=gamma --ssa_ratio=0.125 "
    "--bn_gamma_stddev=0.03 --adversarial=minimax --lambda_con=0.7 --lambda_rank=0.5 "
    "--ranking=generator --discriminator_updates=1 --beta_2=0.99 --seed=8"
)


def few_bits(values: Any) -> np.ndarray:
    """Rounds floats to four significant bits."""
    values = np.asarray(values)
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(mantissa * 16) / 16, exponent).astype(values.dtype)


def round_weights(variables: Iterable[keras.Variable]) -> None:
    for variable in variables:
        if variable.dtype == "float32" and "learning_rate" not in variable.path:
            variable.assign(few_bits(variable))


# Networks.


def randomized(network: keras.Model) -> keras.Model:
    """Changes a network so that every weight matters, including γ and moving statistics."""
    random = np.random.default_rng(1)
    for weight in network.trainable_weights:
        noise = random.standard_normal(weight.shape)
        weight.assign(
            0.5 if weight.name == "gamma" and weight.shape == () else weight + 0.1 * noise
        )
    batch = random.uniform(-1, 1, (2, *network.input_axes)).astype("float32")
    for _ in range(30):  # until the moving statistics have reached those of the batch
        network(batch, training=True)
    round_weights(network.weights)
    return network


def write_networks(folder: Path) -> None:
    folder.mkdir()
    made: dict[str, keras.Model] = {}
    for name in models.REGISTRY:
        options = ModelOptions(
            network=name, resolution=SIDE, base_filters=1, **GENERATORS.get(name, {})
        )
        made[name] = randomized(models.build_generator(options))
        made[f"{name}_discriminator"] = randomized(models.build_discriminator(options))
    for name in ("ssagan", "mdgan"):
        both = models.TwoStage(made["mdgan_stage1"], made[f"{name}_stage2"], name="generator")
        both.build_variables()
        made[f"{name}_both"] = both
    made["ssagan_bfloat16"] = made["ssagan"].computed(ComputeOptions(precision="mixed_bfloat16"))
    for name, network in made.items():
        network.save(folder / f"{name}.keras")


# The set and the runs.


def write_footage(folder: Path) -> None:
    """Four skies, one of them twice, and a static one. Soft ones, which make small JPEGs."""
    for number, name in enumerate(("dawn", "noon", "dusk", "noon_again", "still")):
        clip = synthetic_clip(4, 1 if name == "noon_again" else number, 16)
        video.write_frames(folder / name, clip[:1].repeat(32, 0) if name == "still" else clip)


@contextlib.contextmanager
def interrupted_at(step: int) -> Iterator[None]:
    """Sends SIGTERM in the second to last step, so that `step` is the last one."""
    advance, save = callbacks.ShowProgress.on_train_batch_end, Checkpoints.save

    def interrupt(self: Any, batch: int, logs: Any = None) -> None:
        advance(self, batch, logs)
        if self.model.step == step - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def round_and_save(self: Any) -> None:
        gan = self._gan
        for owner in (gan.generator, gan.discriminator):
            round_weights(owner.weights)
        for owner in (gan.generator_optimizer, gan.discriminator_optimizer):
            round_weights(owner.variables)
        save(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.ShowProgress, "on_train_batch_end", interrupt)
        patch.setattr(Checkpoints, "save", round_and_save)
        yield


def done(result: subprocess.CompletedProcess[str], code: int = 0) -> None:
    print(result.stdout, result.stderr)
    if result.returncode != code:
        raise SystemExit(f"expected exit code {code}, got {result.returncode}")


# The study.


def write_study(folder: Path) -> None:
    """Makes a study with two subjects who have finished, and one who has not."""
    for number in range(2):
        clip = synthetic_clip(3, number, 16)
        for name, frames in {"real": clip, "A": clip // 2, "B": clip[:1].repeat(32, 0)}.items():
            video.write_frames(folder / "systems" / name / f"evening{number}", frames)
    systems = ",".join(f"{name}={folder / 'systems' / name}" for name in ("A", "B", "real"))
    settings = ("--pairs=2", "--cases=A:B,A:real", "--catch_pairs=1", "--seed=2", "--fps=10")
    served = Served(f"--systems={systems}", f"--store={folder / 'study.sqlite'}", *settings)
    try:
        for number, choices in enumerate(("left", "right", "left")):
            subject = Subject(served.port)
            subject.get("/")
            state = subject.post("/api/start")
            for vote in range(5 if number < 2 else 2):
                choice = choices if vote % 2 else "right"
                state = subject.vote(state["trial"], choice)
    finally:
        print(served.interrupt())


def main() -> None:
    [name] = sys.argv[1:]
    archive, expected = HERE / f"{name}.tar.xz", HERE / f"{name}.json"
    if archive.exists() or expected.exists():
        raise SystemExit(
            f"{name} already exists: golden files are made once; see the head of this file"
        )
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    changed = subprocess.check_output([*git, "status", "--porcelain", "ssagan_tf", "export"])
    if changed or not Path(ssagan_tf.__file__).is_relative_to(ROOT):
        raise SystemExit("ssagan_tf/ and export/ have uncommitted changes")
    keras.utils.set_random_seed(0)

    # The files.
    WORK.mkdir()
    write_networks(WORK / "networks")
    write_footage(WORK / "footage")
    done(run("prepare", *PREPARE.split(), cwd=WORK))
    for arguments in (f"{EVERY_RUN} {FIRST}", f"{EVERY_RUN} {SECOND}"):
        with interrupted_at(STOPPED):
            done(run("train", *arguments.split(), cwd=WORK), 128 + signal.SIGTERM)
    for run_name in observe.RUNS:
        for unread in ("samples", "tensorboard"):
            shutil.rmtree(WORK / run_name / unread)
    write_study(WORK)
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for each in KEPT:
            tar.add(WORK / each, each, filter=anonymous)

    # Expected values, read as the test reads them: from files unpacked somewhere else.
    copy = WORK / "copy"
    with tarfile.open(archive) as tar:
        tar.extractall(copy, filter="data")
    values = {"commit": commit, **observe.everything(copy, STEPS)}
    expected.write_text(lines(values) + "\n", encoding="utf-8")
    shutil.rmtree(WORK)


def lines(values: dict[str, Any], depth: int = 1) -> str:
    """JSON with a line for each value of the two outer levels."""
    inside = [
        f"{json.dumps(name)}: "
        + (lines(value, depth - 1) if depth and isinstance(value, dict) else json.dumps(value))
        for name, value in values.items()
    ]
    return "{\n" + ",\n".join(inside) + "\n}"


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main()
