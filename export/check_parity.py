"""`check_parity`: do exported models give what Keras gives, and how fast are they?"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ssagan_tf import cli, video
from ssagan_tf.errors import DataError
from ssagan_tf.options import ComputeOptions, OptionError
from ssagan_tf.pixels import to_float, to_uint8
from ssagan_tf.skies.any_wind import synthetic_clip
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training import generator_source

from .options import ParityOptions
from .parity import TARGETS
from .parity.target import Exported

ABOUT = """
Runs a generator in Keras and its exports on the same photos, and compares the clips and the time
they take. Exits with 1 if a difference is above the tolerance.
A SavedModel is a program: TensorFlow runs what is in it, which can read and write files. Give
--saved_model only folders that you or people you trust have exported.
"""
EXACT, SIXTEEN_BITS = 1e-5, 2e-2
"""Default tolerances of clips in [-1, 1]: in float32, and with 16-bit weights or arithmetic."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """One way to run the generator.

    Attributes:
      name: Label of its row in the table.
      run: Maps square photos, uint8 `[B, S, S, 3]`, to clips: floats in [-1, 1], or uint8.
      tolerance: Largest difference allowed; in grey levels for uint8 clips.
    """

    name: str
    run: Callable[[np.ndarray], np.ndarray]
    tolerance: float


@dataclasses.dataclass(frozen=True)
class Finding:
    """A row of the table.

    Attributes:
      batch: Batch size.
      subject: What was run.
      difference: Largest difference from the reference; None for the reference itself.
      seconds: Median time of a run.
    """

    batch: int
    subject: Subject
    difference: float | None
    seconds: float

    @property
    def holds(self) -> bool:
        # Written so that NaN does not hold.
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
      OptionError: A setting is missing or invalid.
      DataError: A model cannot be read, was exported from another generator, or differs too much.
    """
    paths = {target: Path(path) for target in TARGETS if (path := getattr(options, target.flag))}
    if not paths:
        flags = ", ".join(f"--{target.flag}" for target in TARGETS)
        raise OptionError(TARGETS[0].flag, "", f"give at least one of {flags}")
    source = generator_source.find(options)
    photos = [video.read_image(path) for path in options.image]

    load_tensorflow()
    from ssagan_tf.models.loading import fingerprint

    generator = source.load(ComputeOptions())
    expected = fingerprint(generator)
    subjects = []
    for target, path in paths.items():
        subjects += _subjects(path, target.open(path), expected, options.tolerance)
    side, how = generator.options.resolution, source.how()
    squares = [video.fit(photo, side, how) for photo in photos]
    squares = squares or [synthetic_clip(0, index, side, frames=1)[0] for index in range(5)]
    reference = Subject("Keras", lambda x: np.asarray(generator(to_float(x), training=False)), 0.0)
    print(f"batch  {'model':<34}{'time':>11}  largest difference of tolerance")
    findings = []
    for size in map(int, options.batches):
        batch = np.stack(list(itertools.islice(itertools.cycle(squares), size)))
        for finding in compare(reference, subjects, batch, options.repeats):
            print(finding.line, flush=True)
            findings.append(finding)
    if failed := [finding for finding in findings if not finding.holds]:
        first = failed[0]
        raise DataError(
            f"{first.subject.name} differs from Keras by {first.difference:.3g} at batch "
            f"{first.batch}; the tolerance is {first.subject.tolerance:g}"
        )
    print("all within tolerance")


def _subjects(path: Path, exported: Exported, expected: str, tolerance: float) -> list[Subject]:
    """Loads an export, after checking that it was made from the generator with this fingerprint."""
    if exported.fingerprint != expected:
        raise DataError(
            f"{path} was exported from another generator (fingerprint {exported.fingerprint}, "
            f"expected {expected}); export it again"
        )
    tolerance = tolerance or (EXACT if exported.types == {"float32"} else SIXTEEN_BITS)
    # Rounding to pixels can turn the smallest difference into one grey level.
    levels = 1 if tolerance == EXACT else float(np.ceil(tolerance * 127.5))
    return [
        Subject(runner.name, runner.run, levels if runner.gives_pixels else tolerance)
        for runner in exported.load()
    ]


def compare(
    reference: Subject, subjects: list[Subject], photos: np.ndarray, repeats: int
) -> list[Finding]:
    """Runs all subjects on the same photos, and times them in turn after one untimed run each.

    Returns:
      One finding for each subject, the reference first.
    """
    everyone = [reference, *subjects]
    clips = [subject.run(photos) for subject in everyone]
    seconds = [[] for _ in everyone]
    for _ in range(repeats):
        for subject, times in zip(everyone, seconds, strict=True):
            start = time.perf_counter()
            subject.run(photos)
            times.append(time.perf_counter() - start)
    differences = [None, *(_difference(clips[0], clip) for clip in clips[1:])]
    return [
        Finding(len(photos), subject, difference, statistics.median(times))
        for subject, difference, times in zip(everyone, differences, seconds, strict=True)
    ]


def _difference(expected: np.ndarray, clip: np.ndarray) -> float:
    if clip.shape != expected.shape:
        return float("inf")
    if clip.dtype == np.uint8:
        expected = to_uint8(expected)
    return float(np.abs(clip.astype("float64") - expected).max())


def main() -> None:
    cli.run("check_parity", ABOUT, [ParityOptions], check_parity, package=__package__)


if __name__ == "__main__":
    main()
