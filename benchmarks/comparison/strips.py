"""Clips of all rows side by side, as strips: with names, or without for blind readings."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.comparison.clips import clips_in, read_clip
from benchmarks.comparison.row import BASELINES, BOUNDS, EVALUATION, SHOWN
from benchmarks.comparison.systems import SYSTEMS, row_name
from ssagan_tf import video

FRAMES_SHOWN = 5
LARGEST_BYTES = 300_000


def draw_strips(runs: str, output: str, blind_seed: int | None = None) -> list[Path]:
    """Draws a picture per clip: the real one, then a strip per system that has been evaluated.

    Args:
      runs: Folder of the runs.
      output: Folder for the pictures.
      blind_seed: Instead of names, letters in an order drawn by this seed; `names.json` tells
        which is which.

    Returns:
      Paths of the pictures, each at most 300 kB.
    """
    folders = _folders(Path(runs))
    if not folders:
        raise SystemExit(f"{runs}: no evaluated rows found; run some first")
    rows = list(folders)
    labels = {row: row for row in rows}
    target = Path(output)
    target.mkdir(parents=True, exist_ok=True)
    if blind_seed is not None:
        random.Random(blind_seed).shuffle(rows)
        labels = {row: chr(ord("A") + number) for number, row in enumerate(rows)}
        names = {label: row for row, label in labels.items()}
        (target / "names.json").write_text(json.dumps(names, indent=1, ensure_ascii=False) + "\n")
    real = next(iter(folders.values())).parent / "real"
    paths = []
    for number, clip in enumerate(clips_in(real), 1):
        clips = [(labels[row], read_clip(folders[row] / clip)) for row in rows]
        picture = video.contact_strip([("real", read_clip(real / clip)), *clips], FRAMES_SHOWN)
        paths.append(target / f"strips_{number}.png")
        _write_small(picture, paths[-1])
    return paths


def _folders(runs: Path) -> dict[str, Path]:
    """Where the drawn clips of each row are: of several seeds the first, then the bounds."""
    found = {}
    for name, system in SYSTEMS.items():
        for seed in system.seeds:
            folder = runs / row_name(name, seed) / EVALUATION / SHOWN / name
            if folder.is_dir():
                found.setdefault(system.title, folder)
    for name in BASELINES:
        if (folder := runs / BOUNDS / SHOWN / name).is_dir():
            found[name.replace("_", " ")] = folder
    return found


def _write_small(picture: np.ndarray, path: Path) -> None:
    """Writes a PNG of as many colours as fit into the size."""
    image = Image.fromarray(picture)
    image.save(path, optimize=True)
    for colours in (256, 64):
        if path.stat().st_size > LARGEST_BYTES:
            image.quantize(colours).save(path, optimize=True)
