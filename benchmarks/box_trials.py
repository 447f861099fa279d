"""`python -m benchmarks.box_trials`: short training runs to choose the bundled model's recipe.

    python -m benchmarks.box_trials --trial=NAME --data=SET --runs=FOLDER    trains or resumes one
    python -m benchmarks.box_trials --table                                  all results so far

A trial is `configs/box64.cfg` with a few settings changed. All have the same number of steps, which
ends before the learning rate is lowered. Results are `benchmarks/box_trials/NAME.json`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).parents[1] / "configs" / "box64.cfg"
RESULTS = Path(__file__).with_suffix("")
GPU_RESULTS = RESULTS.with_name("box_trials_jax")
STEPS, TEST_CLIPS, EVALUATED_CLIPS = 2400, 128, 64

TRIALS: dict[str, str] = {
    "base": "",
    "no_adversary": "--lambda_adv=0",
    "weak_adversary": "--lambda_adv=0.3",
    "no_attention": "--ssa_layers=none",
    "filters_4": "--base_filters=4",
    "filters_12": "--base_filters=12 --learning_rate=5e-4",
    "filters_16": "--base_filters=16 --learning_rate=5e-4",
    "rate_2e-3": "--learning_rate=2e-3",
    "rate_3e-4": "--learning_rate=3e-4",
    "beta_2": "--beta_2=0.999",
    "ssim": "--lambda_ssim=2",
    "squared": "--lambda_con=5 --lambda_mse=20",
    "augmented": "--zoom=0.3 --colour=0.2",
    "mirrored": "--flip",  # the control: clouds have no common direction to learn
}
_FIGURES = ("mse", "ssim", "motion_ratio", "moving_auc", "ground_leak", "sharpness")
_TRUE_FIGURES = ("angle_error", "speed_ratio")
_MOTION = ("moving_auc", "ground_leak", "sharpness", *_TRUE_FIGURES)  # of evaluated trials


def command(trial: str, data: str, runs: str) -> list[str]:
    """The command that trains a trial."""
    settings = [
        *("--data", data, "--run_dir", f"{runs}/{trial}", f"--steps={STEPS}"),
        *(f"--test_clips={TEST_CLIPS}", "--sample_every=400", "--checkpoint_every=400"),
        *shlex.split(TRIALS[trial]),
    ]
    config = f"--flagfile={CONFIG}"
    return [sys.executable, "-m", "ssagan_tf.train", config, *settings]


def run(trial: str, data: str, runs: str) -> None:
    """Trains a trial, evaluates it, and writes its result."""
    subprocess.run(command(trial, data, runs), check=True)
    folder = Path(runs) / trial
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    losses = {x["step"]: x["test_content_loss"] for x in lines if "test_content_loss" in x}
    [still] = {x["still_content_loss"] for x in lines if "still_content_loss" in x}
    paces = sorted(x["seconds_per_step"] for x in lines if "seconds_per_step" in x)
    result: dict[str, Any] = {
        "settings": TRIALS[trial],
        "steps": STEPS,
        "seconds_per_step": round(paces[len(paces) // 2], 3),
        "test_l1": round(losses[STEPS], 5),
        "best_test_l1": round(min(losses.values()), 5),
        "still_l1": round(still, 5),
        **_scores(folder, data),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{trial}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {path}")


def _scores(folder: Path, data: str) -> dict[str, float]:
    """Figures of `evaluate`."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "evaluation"
        subprocess.run(
            [
                *(sys.executable, "-m", "ssagan_tf.evaluate", f"--data={data}"),
                *(
                    f"--run_dir=trial={folder}",
                    f"--max_clips={EVALUATED_CLIPS}",
                    f"--output={output}",
                ),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        rows = json.loads((output / "metrics.json").read_text())["rows"]
    [row] = [row for row in rows if row["name"] == "trial"]
    return {name: round(row[name], 4) for name in (*_FIGURES, *_TRUE_FIGURES)}


def tables() -> list[str]:
    """Formats the results as Markdown, lowest L1 first, and lists those that are missing."""
    results = {path.stem: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}
    heads = ("test L1", *(name.replace("_", " ") for name in (*_FIGURES, *_TRUE_FIGURES)), "s/step")
    lines = [f"| trial | settings | {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|"]
    for name in sorted(results, key=lambda name: results[name]["test_l1"]):
        row = results[name]
        values = [row[key] for key in ("test_l1", *_FIGURES, *_TRUE_FIGURES, "seconds_per_step")]
        cells = " | ".join(f"{value:.4g}" for value in values)
        lines.append(f"| {name} | `{row['settings'] or '–'}` | {cells} |")
    missing = sorted(set(TRIALS) - set(results))
    lines += ["", f"Not run on CPUs yet: {', '.join(missing) or 'none'}.", ""]
    on_gpu = {path.stem: json.loads(path.read_text()) for path in GPU_RESULTS.glob("*.json")}
    steps = [test["step"] for test in on_gpu["base"]["tests"]]
    heads = [f"L1, {step} steps" for step in steps] + [f"MSE, {steps[-1]} steps", *_MOTION]
    lines += [f"| trial | settings | {' | '.join(heads)} |".replace("_", " ")]
    lines += ["|---" * (len(heads) + 2) + "|"]
    for name in sorted(on_gpu, key=lambda name: on_gpu[name]["tests"][-1]["test_l1"]):
        row = on_gpu[name]
        values = [*(test["test_l1"] for test in row["tests"]), row["tests"][-1]["test_mse"]]
        cells = [f"{value:.4f}" for value in values]
        cells += [f"{row[figure]:.3g}" if figure in row else "" for figure in _MOTION]
        lines.append(f"| {name} | `{row['settings'] or '–'}` | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trial", choices=TRIALS)
    parser.add_argument("--data", help="the prepared procedural-skies-64 v1")
    parser.add_argument("--runs", default="runs/trials")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if given.trial and not given.data:
        parser.error("--trial needs --data")
    if given.trial:
        run(given.trial, given.data, given.runs)
    print("\n".join(tables()))


if __name__ == "__main__":
    main()
