"""`python -m benchmarks.loop_quality`: how steady loops are, over many photos, and a sheet of them.

    python -m benchmarks.loop_quality --photos=FOLDER --model=box --output=FOLDER [--number=24]
        [--width=0]

Photos are pictures, or the first frames of videos, anywhere in the folder: so many of them, evenly
spread over their names. Each is animated with the settings of `animate` (8 s at 25 frames a
second); measured is one phase of its loop, which the rest repeats, inside the mask: where a pixel
and those beside it move entirely.

    seam       change from the last frame to the first over the median change: 1 is none
    contrast   least over greatest standard deviation of grey of a frame: 1 is steady
    sharpness  the same of the Laplacian's

`loops.png` has a row for each photo: the photo, the frames at a quarter, half and the end of the
phase, and the mask; `loops.json` the figures.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from ssagan_tf import video
from ssagan_tf.animation import Animation, make_animation, number_of_frames
from ssagan_tf.animation_jobs import limit_size
from ssagan_tf.data.layouts.folders import VIDEOS
from ssagan_tf.evaluation.metrics.stability import pumping
from ssagan_tf.motion.transfer import NothingMovesError
from ssagan_tf.options import MotionOptions
from ssagan_tf.pixels import ClipGenerator

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
MEASURES = {"seam": 1.2, "contrast": 0.97, "sharpness": 0.95}  # and the bound that is aimed at
_ROW = 180  # pixels


def photos(folder: Path, number: int) -> dict[str, np.ndarray]:
    """So many photos by name, `[H, W, 3]` uint8: pictures, or the first frames of videos."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES | set(VIDEOS))
    if not found:
        raise SystemExit(f"{folder}: no pictures and no videos in it")
    picked = np.unique(np.linspace(0, len(found) - 1, min(number, len(found))).round().astype(int))
    return {str(found[i].relative_to(folder)): _photo(found[i]) for i in picked}


def _photo(path: Path) -> np.ndarray:
    if path.suffix.lower() in PICTURES:
        return limit_size(video.read_image(path))
    frames = video.read_video(path)
    first = next(frames)
    frames.close()
    return first


def widened(photo: np.ndarray, width: int) -> np.ndarray:
    """A photo of that width; 0 leaves it."""
    if not width or width == photo.shape[1]:
        return photo
    how = cv2.INTER_CUBIC if width > photo.shape[1] else cv2.INTER_AREA
    return cv2.resize(
        photo, (width, round(photo.shape[0] * width / photo.shape[1])), interpolation=how
    )


def phase(animation: Animation) -> Iterator[np.ndarray]:
    """The frames of a loop that the rest repeats."""
    number = number_of_frames(animation.options) // animation.repeats
    return itertools.islice(animation.frames(), number)


def measured(animation: Animation) -> tuple[dict[str, float], list[np.ndarray]]:
    """The figures of a loop, and three of its frames.

    Returns:
      By the names of `MEASURES`; frames at a quarter, half and the end of a phase.
    """
    inside = cv2.erode(animation.motion.mask, np.ones((3, 3), np.uint8)) >= 1
    number = number_of_frames(animation.options) // animation.repeats
    contrasts, sharpnesses, changes, shown = [], [], [], []
    first = before = None
    for index, frame in enumerate(phase(animation)):
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
        contrasts.append(grey[inside].std())
        sharpnesses.append(cv2.Laplacian(grey, cv2.CV_32F)[inside].std())
        if before is None:
            first = grey
        else:
            changes.append(np.abs(grey - before)[inside].mean())
        before = grey
        if index in (number // 4, number // 2, number - 1):
            shown.append(frame)
    jump = float(np.abs(first - before)[inside].mean())
    return {
        "seam": jump / max(float(np.median(changes)), 1e-6),
        "contrast": float(pumping(np.array(contrasts))),
        "sharpness": float(pumping(np.array(sharpnesses))),
    }, shown


def passes(measure: str, value: float) -> bool:
    """Whether a figure keeps to its bound."""
    bound = MEASURES[measure]
    return value <= bound if measure == "seam" else value >= bound


def table(figures: Sequence[dict[str, float]]) -> str:
    """Worst, median, and how many keep to the bound."""
    lines = [f"{'':<10} {'worst':>7} {'median':>7} {'aimed at':>9} {'share':>8}"]
    for measure, bound in MEASURES.items():
        values = [each[measure] for each in figures]
        worst = max(values) if measure == "seam" else min(values)
        good = sum(passes(measure, value) for value in values)
        sign = "≤" if measure == "seam" else "≥"
        lines.append(
            f"{measure:<10} {worst:7.3f} {np.median(values):7.3f} {sign + f'{bound:g}':>9} "
            f"{good:>4}/{len(values)}"
        )
    return "\n".join(lines)


def row(name: str, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures side by side, with a name."""
    height, width = pictures[0].shape[:2]
    size = max(1, round(width * _ROW / height)), _ROW
    line = np.hstack([cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in pictures])
    return cv2.putText(line, name, (4, 14), 0, 0.45, (255, 255, 0), 1, cv2.LINE_AA)


def run(some: dict[str, np.ndarray], make_clips: ClipGenerator, side: int, output: Path) -> str:
    """Measures all, writes the sheet and the figures, and gives the table."""
    figures, rows, still = {}, [], {}
    for name, photo in some.items():
        try:
            animation = make_animation(photo, make_clips, side, MotionOptions())
        except NothingMovesError as nothing:
            still[name] = str(nothing)
            print(f"{name}: nothing would move: {nothing}", flush=True)
            continue
        figures[name], shown = measured(animation)
        mask = np.rint(255 * animation.motion.mask).astype(np.uint8)
        rows.append(row(name, [photo, *shown, cv2.cvtColor(mask, cv2.COLOR_GRAY2RGB)]))
        figure = ", ".join(
            f"{measure} {value:.3f}{'' if passes(measure, value) else ' (!)'}"
            for measure, value in figures[name].items()
        )
        print(f"{name}: {figure}", flush=True)
    if not figures:
        raise SystemExit("nothing moves in any of them")
    output.mkdir(parents=True, exist_ok=True)
    widest = max(each.shape[1] for each in rows)
    padded = [
        cv2.copyMakeBorder(x, 0, 2, 0, widest - x.shape[1], cv2.BORDER_CONSTANT) for x in rows
    ]
    video.write_image(output / "loops.png", np.vstack(padded))
    written = {"photos": figures, "nothing_moves": still}
    (output / "loops.json").write_text(json.dumps(written, indent=1) + "\n")
    return table(list(figures.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of pictures or videos")
    parser.add_argument("--model", default="box", help="box, a .keras file, or a run's folder")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for loops.png, loops.json"
    )
    parser.add_argument("--number", type=int, default=24, help="how many photos")
    parser.add_argument("--width", type=int, default=0, help="of the photos; 0: as they are")
    given = parser.parse_args()
    some = {name: widened(x, given.width) for name, x in photos(given.photos, given.number).items()}

    from ssagan_tf.startup import load_tensorflow

    load_tensorflow()
    from ssagan_tf.pixels import on_pixels
    from ssagan_tf.training.generator_source import load_generator

    generator = load_generator(given.model)
    side = generator.options.resolution
    print(run(some, on_pixels(generator), side, given.output))


if __name__ == "__main__":
    main()
