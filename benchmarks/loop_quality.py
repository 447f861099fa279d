"""`python -m benchmarks.loop_quality`: measures how steady loops of many photos are.

    python -m benchmarks.loop_quality --photos=FOLDER --model=box --output=FOLDER [--number=24]
        [--width=0]

Photos are pictures, or the first frames of videos, anywhere in the folder: --number of them, evenly
spread over the sorted names. Each is animated with the default settings of `animate` (8 s at 25
frames per second). One period of the loop is measured, where a pixel and its neighbours are fully
inside the mask of what moves:

    seam       change from the last frame to the first, divided by the median change: 1 is seamless
    contrast   lowest standard deviation of a grey frame, divided by the highest: 1 is steady
    sharpness  the same for its Laplacian

`loops.png` has a row per photo: the photo, the frames at a quarter, a half and the end of the
period, and the mask. `loops.json` has the figures.
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
from ssagan_tf.animation import Animation, ClipGenerator, animated, number_of_frames, reduced
from ssagan_tf.data.layouts.folders import VIDEOS
from ssagan_tf.evaluation.metrics.stability import pumping
from ssagan_tf.motion.transfer import NothingMovesError
from ssagan_tf.options import MotionOptions

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
BOUNDS = {"seam": 1.2, "contrast": 0.97, "sharpness": 0.95}  # measure: target
_ROW = 180  # pixels


def photos(folder: Path, number: int) -> dict[str, np.ndarray]:
    """Reads photos, or first frames of videos: `[H, W, 3]` uint8 by name, at most `number`."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES | set(VIDEOS))
    if not found:
        raise SystemExit(f"{folder}: no pictures or videos found")
    picked = np.unique(np.linspace(0, len(found) - 1, min(number, len(found))).round().astype(int))
    return {str(found[i].relative_to(folder)): _photo(found[i]) for i in picked}


def _photo(path: Path) -> np.ndarray:
    if path.suffix.lower() in PICTURES:
        return reduced(video.read_image(path))
    frames = video.read_video(path)
    first = next(frames)
    frames.close()
    return first


def scaled_to_width(photo: np.ndarray, width: int) -> np.ndarray:
    """Scales a photo to a width; 0 returns it unchanged."""
    if not width or width == photo.shape[1]:
        return photo
    how = cv2.INTER_CUBIC if width > photo.shape[1] else cv2.INTER_AREA
    return cv2.resize(
        photo, (width, round(photo.shape[0] * width / photo.shape[1])), interpolation=how
    )


def one_period(animation: Animation) -> Iterator[np.ndarray]:
    """Returns the frames of one period of a loop."""
    number = number_of_frames(animation.options) // animation.repeats
    return itertools.islice(animation.frames(), number)


def measure(animation: Animation) -> tuple[dict[str, float], list[np.ndarray]]:
    """Measures a loop.

    Returns:
      Its figures by the names in `BOUNDS`; frames at a quarter, a half and the end of a period.
    """
    inside = cv2.erode(animation.motion.mask, np.ones((3, 3), np.uint8)) >= 1
    number = number_of_frames(animation.options) // animation.repeats
    contrasts, sharpnesses, changes, shown = [], [], [], []
    first = before = None
    for index, frame in enumerate(one_period(animation)):
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


def passes(name: str, value: float) -> bool:
    """Whether a figure is within its bound."""
    bound = BOUNDS[name]
    return value <= bound if name == "seam" else value >= bound


def table(figures: Sequence[dict[str, float]]) -> str:
    """Formats the worst figure, the median, and how many are within the bound."""
    lines = [f"{'':<10} {'worst':>7} {'median':>7} {'target':>9} {'passed':>8}"]
    for name, bound in BOUNDS.items():
        values = [each[name] for each in figures]
        worst = max(values) if name == "seam" else min(values)
        good = sum(passes(name, value) for value in values)
        sign = "≤" if name == "seam" else "≥"
        lines.append(
            f"{name:<10} {worst:7.3f} {np.median(values):7.3f} {sign + f'{bound:g}':>9} "
            f"{good:>4}/{len(values)}"
        )
    return "\n".join(lines)


def row(name: str, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Draws pictures side by side, with a name."""
    height, width = pictures[0].shape[:2]
    size = max(1, round(width * _ROW / height)), _ROW
    line = np.hstack([cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in pictures])
    return cv2.putText(line, name, (4, 14), 0, 0.45, (255, 255, 0), 1, cv2.LINE_AA)


def run(photos: dict[str, np.ndarray], make_clips: ClipGenerator, side: int, output: Path) -> str:
    """Measures the loops of all photos, writes `loops.png` and `loops.json`; returns the table."""
    figures, rows, still = {}, [], {}
    for photo_name, photo in photos.items():
        try:
            animation = animated(photo, make_clips, side, MotionOptions())
        except NothingMovesError as nothing:
            still[photo_name] = str(nothing)
            print(f"{photo_name}: nothing moves: {nothing}", flush=True)
            continue
        figures[photo_name], shown = measure(animation)
        mask = np.rint(255 * animation.motion.mask).astype(np.uint8)
        rows.append(row(photo_name, [photo, *shown, cv2.cvtColor(mask, cv2.COLOR_GRAY2RGB)]))
        figure = ", ".join(
            f"{name} {value:.3f}{'' if passes(name, value) else ' (!)'}"
            for name, value in figures[photo_name].items()
        )
        print(f"{photo_name}: {figure}", flush=True)
    if not figures:
        raise SystemExit("nothing moves in any of the photos")
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
    parser.add_argument("--number", type=int, default=24, help="maximum number of photos")
    parser.add_argument(
        "--width", type=int, default=0, help="width that photos are scaled to; 0: as they are"
    )
    given = parser.parse_args()
    chosen = {
        name: scaled_to_width(x, given.width)
        for name, x in photos(given.photos, given.number).items()
    }

    from ssagan_tf.startup import load_tensorflow

    load_tensorflow()
    from ssagan_tf.pixels import on_pixels
    from ssagan_tf.training.generator_source import load_generator

    generator = load_generator(given.model)
    side = generator.options.resolution
    print(run(chosen, on_pixels(generator), side, given.output))


if __name__ == "__main__":
    main()
