"""`python -m export.check_parity`: do the exported models give what Keras gives, and how fast?"""

from __future__ import annotations

import dataclasses
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ssagan_tf import cli, video
from ssagan_tf.errors import DataError
from ssagan_tf.files import without_wildcards
from ssagan_tf.options import ComputeOptions, OptionError
from ssagan_tf.pixels import to_float, to_uint8
from ssagan_tf.skies.any_wind import synthetic_clip
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training import generator_source

from .options import ParityOptions

ABOUT = """
Runs a generator in Keras, as a SavedModel and as ONNX on the same photos, and compares the clips
and the time they take. The exit code is 1 where a difference is beyond the tolerance.
A SavedModel is a program: TensorFlow runs what is in it, which may read and write files. Give
--saved_model only folders that you or people you trust have exported.
"""
EXACT, SIXTEEN_BITS = 1e-5, 2e-2  # of clips in [-1, 1]
LEVELS = 1  # of pixels: where rounding falls to the other side


@dataclasses.dataclass(frozen=True)
class Subject:
    """One way to run the generator.

    Attributes:
      name: In the table.
      run: Square photos, uint8 `[B, S, S, 3]` → clips: float in [-1, 1], or uint8.
      tolerance: Of the largest difference; of uint8, in levels.
    """

    name: str
    run: Callable[[np.ndarray], np.ndarray]
    tolerance: float


@dataclasses.dataclass(frozen=True)
class Finding:
    """A line of the table; `difference` is the largest one, None for the reference itself."""

    batch: int
    subject: Subject
    difference: float | None
    seconds: float

    @property
    def holds(self) -> bool:
        # Written so that a difference that is no number does not hold.
        return self.difference is None or self.difference <= self.subject.tolerance

    @property
    def line(self) -> str:
        compared = ""
        if self.difference is not None:
            verdict = "" if self.holds else "  TOO LARGE"
            compared = f"{self.difference:.2g} of {self.subject.tolerance:g}{verdict}"
        return f"{self.batch:>5}  {self.subject.name:<34}{self.seconds:>9.3f} s  {compared}"


def check_parity(options: ParityOptions) -> None:
    """Prints the table.

    Raises:
      OptionError: A setting is missing or impossible.
      DataError: A model cannot be read, is another generator's, or differs too much.
    """
    if not (options.saved_model or options.onnx):
        raise OptionError("saved_model", "", "give --saved_model, --onnx or both")
    origin = generator_source.find(options)
    photos = [video.read_image(path) for path in options.image]

    load_tensorflow()
    from .model_card import fingerprint

    generator = origin.load(ComputeOptions())
    own = fingerprint(generator)
    subjects = []
    if options.saved_model:
        subjects += _saved_model(Path(options.saved_model), own, options.tolerance)
    if options.onnx:
        subjects.append(_onnx(options.onnx, own, options.tolerance))
    side, how = generator.options.resolution, origin.how()
    squares = [video.fit(photo, side, how) for photo in photos]
    squares = squares or [synthetic_clip(0, index, side, frames=1)[0] for index in range(5)]
    reference = Subject("Keras", lambda x: np.asarray(generator(to_float(x), training=False)), 0.0)
    print(f"batch  {'what':<34}{'time':>11}  largest difference of tolerance")
    findings = []
    for size in map(int, options.batches):
        batch = np.stack(list(itertools.islice(itertools.cycle(squares), size)))
        for finding in compare(reference, subjects, batch, options.repeats):
            print(finding.line, flush=True)
            findings.append(finding)
    if wrong := [finding for finding in findings if not finding.holds]:
        worst = wrong[0]
        raise DataError(
            f"{worst.subject.name} differs from Keras by {worst.difference:.3g} at batch "
            f"{worst.batch}; allowed are {worst.subject.tolerance:g}"
        )
    print("all within tolerance")


def compare(
    reference: Subject, subjects: list[Subject], photos: np.ndarray, repeats: int
) -> list[Finding]:
    """Runs all on the same photos, timed in turns after an untimed run each.

    Returns:
      The reference first. Times are medians.
    """
    everyone = [reference, *subjects]
    clips = [subject.run(photos) for subject in everyone]
    seconds = [[] for _ in everyone]
    for _ in range(repeats):
        for subject, own in zip(everyone, seconds, strict=True):
            start = time.perf_counter()
            subject.run(photos)
            own.append(time.perf_counter() - start)
    differences = [None, *(_difference(clips[0], clip) for clip in clips[1:])]
    return [
        Finding(len(photos), subject, difference, statistics.median(own))
        for subject, difference, own in zip(everyone, differences, seconds, strict=True)
    ]


def _difference(expected: np.ndarray, clip: np.ndarray) -> float:
    if clip.shape != expected.shape:
        return float("inf")
    if clip.dtype == np.uint8:
        expected = to_uint8(expected)
    return float(np.abs(clip.astype("float64") - expected).max())


def _saved_model(folder: Path, own: str, tolerance: float) -> list[Subject]:
    import tensorflow as tf
    from absl import logging

    from .model_card import SETTINGS_FILE

    logging.set_verbosity(logging.ERROR)  # a warning that it cannot be trained

    path = folder / "assets.extra" / SETTINGS_FILE
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        types = {str(settings["weights"]), str(settings["precision"])}
        _same_generator(folder, settings, own)  # before anything of it runs
        with without_wildcards(folder) as readable:
            loaded = tf.saved_model.load(str(readable))
    except DataError:
        raise
    except Exception as error:  # of JSON and protobuf, and TensorFlow's own
        reason = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise DataError(f"cannot load the SavedModel in {folder}: {reason}") from error

    def clip(photos):
        return loaded.signatures["tensor"](image=tf.constant(to_float(photos)))["clip"].numpy()

    def pixels(photos):
        files = tf.constant([video.encode_png(photo) for photo in photos])
        return loaded.signatures["serving_default"](image_bytes=files)["video"].numpy()

    allowed = _tolerance(tolerance, types)
    levels = LEVELS if allowed == EXACT else np.ceil(allowed * 127.5)
    return [
        Subject(f"SavedModel, tensor ({_types(types)})", clip, allowed),
        Subject("SavedModel, serving_default", pixels, levels),
    ]


def _onnx(path: str, own: str, tolerance: float) -> Subject:
    from .onnx_session import OnnxGenerator

    generator = OnnxGenerator(path)
    _same_generator(path, generator.settings, own)
    types = {generator.settings["precision"]}
    name = f"ONNX, {generator.provider.removesuffix('ExecutionProvider')} ({_types(types)})"
    return Subject(name, lambda x: generator(to_float(x)), _tolerance(tolerance, types))


def _same_generator(path: object, settings: dict[str, Any], own: str) -> None:
    if settings.get("fingerprint") != own:
        raise DataError(
            f"{path} was exported from another generator ({settings.get('fingerprint')}; "
            f"this is {own}); export it again"
        )


def _tolerance(given: float, types: set[str]) -> float:
    return given or (EXACT if types == {"float32"} else SIXTEEN_BITS)


def _types(types: set[str]) -> str:
    return ", ".join(sorted(types))


def main() -> None:
    cli.run("check_parity", ABOUT, [ParityOptions], check_parity, package=__package__)


if __name__ == "__main__":
    main()
