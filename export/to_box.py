"""`python -m export.to_box`: makes the generator of a run a bundled model of the package."""

from __future__ import annotations

import datetime
import importlib.metadata
import itertools
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import ssagan_tf
from ssagan_tf import box, cli, flags, limits
from ssagan_tf.errors import DataError
from ssagan_tf.evaluation.clip_folders import named_paths
from ssagan_tf.evaluation.metrics import METRICS
from ssagan_tf.evaluation.metrics.stability import LOOPS
from ssagan_tf.evaluation.motion_transfer import LOOP_SUFFIX, SUFFIX
from ssagan_tf.evaluation.results import STILL
from ssagan_tf.files import replacing_file, sha256_of
from ssagan_tf.options import (
    FRAMES,
    ComputeOptions,
    require,
)
from ssagan_tf.pixels import to_float
from ssagan_tf.skies.any_wind import synthetic_clip
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training import generator_source
from ssagan_tf.training.run_folder import GENERATOR_FILE, Run

from .options import BoxOptions

if TYPE_CHECKING:
    from ssagan_tf.models import Network

ABOUT = """
Adds the generator of a run to the package as a bundled model: NAME.keras, with averaged weights and
kernels in float16, and NAME.json, its model card. Only for runs on procedural skies: footage
belongs to its owner.
"""
LICENCE = "MIT, like ssagan_tf; the weights were trained on procedural skies only"
LIMITS = (
    "Clouds and water drift to the right, whatever their true direction, which no photo shows.",
    "The motion in a clip is invented; it is not a forecast.",
    "It was trained on procedural skies only; photos of anything else are out of distribution.",
)
LEAST_PSNR = 60.0
"""Lowest PSNR in dB of clips with the stored weights against clips with the run's own weights: an
error far below one grey level."""
_PATHS = ("data", "run_dir", "cache")  # settings of a run that are paths on one machine
_CONDITIONS = ("protocol", "direction", "split", "frames", "size", "batch norm", "intervals")
_NEED_NO_NETWORK = ("constant_wind", "copy_first_frame")
_STRIDES = (8, 16, 16)  # of the example's values, along frames, rows and columns


def to_box(options: BoxOptions) -> None:
    """Writes both files, or neither.

    Raises:
      OptionError: A setting is missing or invalid.
      DataError: The run is not finished or was not trained on procedural skies only, an evaluation
        cannot be read, or the files cannot be written.
    """
    require(options, "run_dir")
    source = generator_source.find(options)
    run = source.run
    _check(run, options)
    measures = {
        name: _measures(Path(path), options.name)
        for name, path in named_paths("metrics", options.metrics).items()
    }
    load_tensorflow()
    from ssagan_tf.models.float16_file import save_with_float16_kernels
    from ssagan_tf.models.loading import load_generator

    generator = source.load(ComputeOptions())
    folder = Path(options.output or str(box.FOLDER))
    file, card_file = folder / f"{options.name}.keras", folder / f"{options.name}.json"
    with replacing_file(file) as temporary, replacing_file(card_file) as card_temporary:
        try:
            save_with_float16_kernels(generator, temporary)
        except ValueError as error:
            raise DataError(f"cannot store {source.about} in float16: {error}") from error
        stored = load_generator(temporary)
        psnr = least_psnr(generator, stored)
        if not psnr >= LEAST_PSNR:
            raise DataError(
                f"float16 changes the clips of {source.about} too much: PSNR {psnr:.1f} dB, "
                f"expected at least {LEAST_PSNR:g}"
            )
        card = {
            "format": box.FORMAT,
            "name": options.name,
            "made": datetime.date.today().isoformat(),
            "sha256": sha256_of(temporary),
            "bytes": temporary.stat().st_size,
            "parameters": generator.count_params(),
            "resolution": generator.options.resolution,
            "frames": FRAMES,
            "float16_psnr": round(psnr, 1),
            "licence": LICENCE,
            "limits": [*LIMITS, *_not_better(measures, options.name)],
            "data": _data(run),
            "recipe": _recipe(run, options.checkpoint),
            "measures": measures,
            "example": example(temporary),
            "versions": {
                "ssagan_tf": ssagan_tf.__version__,
                **{name: importlib.metadata.version(name) for name in ("tensorflow", "keras")},
            },
        }
        text = json.dumps(card, indent=1, ensure_ascii=False)
        card_temporary.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {file}: {card['bytes'] / 1e6:.1f} MB, {card['parameters']:,} weights")
    print(f"wrote {card_file}: PSNR of its clips to those in float32 at least {psnr:.1f} dB")


def _check(run: Run, options: BoxOptions) -> None:
    if not (options.checkpoint or (run.folder / GENERATOR_FILE).is_file()):
        raise DataError(
            f"the run in {run.folder} is not finished; finish it, or give --checkpoint=newest"
        )
    if run.data.layout != "synthetic":
        raise DataError(
            f"the run in {run.folder} was trained on footage (layout {run.data.layout}), which "
            "belongs to its owner; only models trained on procedural skies can be bundled"
        )
    for name in ("init_from", "stage1"):
        if getattr(run.train, name):
            raise DataError(
                f"the run in {run.folder} was started with --{name}={getattr(run.train, name)}, so "
                "its settings alone do not reproduce it; train one from scratch"
            )


def _data(run: Run) -> dict[str, Any]:
    return {
        "benchmark": run.data.settings.get("benchmark") or "",
        **{name: run.data.settings.get(name) for name in ("layout", "wind", "seed")},
        "fingerprint": run.data.fingerprint,
        "clips": {name: split.clips for name, split in run.data.splits.items()},
    }


def _recipe(run: Run, checkpoint: str) -> dict[str, Any]:
    """Returns all settings of the run but paths: with --data and --run_dir, they reproduce it."""
    lines: list[str] = []
    for section in (run.model, run.compute, run.train):
        lines += flags.to_lines(section)
    kept = [line for line in lines if not line.startswith(tuple(f"--{p}=" for p in _PATHS))]
    return {"checkpoint": checkpoint or f"after {run.train.steps} steps", "flags": kept}


def _measures(path: Path, name: str) -> dict[str, Any]:
    """Returns the metrics of an evaluation, without curves.

    The rows are the network's own frames, its transfer, the baselines without a network, and any
    others.
    """
    try:
        read = limits.parse_json(
            limits.read_text(path, limits.DESCRIPTION_BYTES), limits.DESCRIPTION_VALUES
        )
        rows = {row["name"]: row for row in read["rows"]}
        generators = [row for row in rows if rows[row]["about"].startswith("generator ")]
        if len(generators) != 1:
            raise ValueError(f"expected one row of a generator, got {len(generators)}")
        renamed = {f"{generators[0]}{end}": f"{name}{end}" for end in ("", SUFFIX, LOOP_SUFFIX)}
        first = [generators[0], f"{generators[0]}{SUFFIX}", *_NEED_NO_NETWORK]
        if missing := [row for row in first if row not in rows]:
            raise DataError(
                f"{path} has no row {' and '.join(missing)}; run evaluate with --transfer "
                "--baselines=constant_wind"
            )
        conditions = {key: read["conditions"].get(key) for key in _CONDITIONS}
        return {
            "clips": read["clips"],
            "videos": read["videos"],
            **{key.replace(" ", "_"): value for key, value in conditions.items() if value},
            "rows": {
                renamed.get(row, row): _figures(rows[row]) for row in dict.fromkeys([*first, *rows])
            },
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"cannot read {path}: {error}; give a metrics.json written by evaluate, as NAME=PATH"
        ) from error


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns metrics and their intervals, rounded to four digits."""
    names = {STILL, *(measure.key for measure in METRICS)}
    kept = {key: value for key, value in row.items() if _belongs_to(key, names)}
    return {key: _rounded(value) for key, value in kept.items()}


def _belongs_to(key: str, names: set[str]) -> bool:
    return key in names or key.removesuffix("_ci95") in names or key.removesuffix("_clips") in names


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _not_better(measures: Mapping[str, Any], name: str) -> list[str]:
    """Returns sentences that say where a baseline without a network does at least as well."""
    sentences = []
    kinds = {name: "the generator's own frames", f"{name}{SUFFIX}": "the generator's transfer"}
    for data, evaluation in measures.items():
        rows = evaluation["rows"]
        for (own_row, kind), baseline in itertools.product(kinds.items(), _NEED_NO_NETWORK):
            worse = [
                measure.key
                for measure in METRICS
                if measure.section is not LOOPS  # neither row is a loop
                and _distance(measure.better, rows[baseline].get(measure.key))
                <= _distance(measure.better, rows[own_row].get(measure.key))
                < math.inf
            ]
            if worse:
                sentences.append(
                    f"On {data}, {baseline}, which needs no network, does at least as well as "
                    f"{kind} in {', '.join(worse)}."
                )
    return sentences


def _distance(better: str, value: float | None) -> float:
    """Returns how far a metric is from its ideal value; infinity if that is undefined."""
    if value is None or not math.isfinite(value):
        return math.inf
    if better in ("↑", "↓"):
        return -value if better == "↑" else value
    target = re.fullmatch(r"→ (\d+)", better)
    return abs(value - float(target[1])) if target else math.inf


def least_psnr(one: Network, other: Network) -> float:
    """Returns the lowest PSNR in dB between the clips of two generators for 8 procedural photos."""
    side = one.options.resolution
    photos = np.stack([synthetic_clip(0, index, side, frames=1)[0] for index in range(8)])
    clips = [np.asarray(each(to_float(photos), training=False)) for each in (one, other)]
    errors = np.square(clips[0] - clips[1]).mean(axis=(1, 2, 3, 4))
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(4 / errors).min())


def example(path: Path) -> dict[str, Any]:
    """Returns a few values of a clip by the generator in a file, to check the file against later.

    They are computed in float64, so that they can be reproduced up to rounding.
    """
    return {
        "photo": "ssagan_tf.skies.any_wind.synthetic_clip(0, 0, resolution, frames=1)[0]",
        "values": "clip[0, ::{}, ::{}, ::{}], in float64".format(*_STRIDES),
        "clip": example_values(_in_float64(path)).ravel().tolist(),
    }


def example_values(generator: Network) -> np.ndarray:
    """Returns the values of the example, in the precision of the generator."""
    photo = synthetic_clip(0, 0, generator.options.resolution, frames=1)
    clip = np.asarray(generator(to_float(photo), training=False))
    frames, rows, columns = _STRIDES
    return clip[0, ::frames, ::rows, ::columns]


def _in_float64(path: Path) -> Network:
    import keras

    from ssagan_tf.models.loading import load_generator

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        return load_generator(path, ComputeOptions())
    finally:
        keras.config.set_dtype_policy(before)


def main() -> None:
    cli.run("to_box", ABOUT, [BoxOptions], to_box, package=__package__)


if __name__ == "__main__":
    main()
