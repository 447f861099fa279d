"""The table of the comparison, made from the results recorded so far."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.comparison.row import BOUNDS, RESULTS
from benchmarks.comparison.systems import SYSTEMS, row_name
from ssagan_tf.evaluation import markdown

PAGE = Path(__file__).parents[2] / "docs" / "comparison.md"
PICTURES = PAGE.with_suffix("")

Result = dict[str, Any]

BOUND_TITLES = {
    "real": "*real clips*",
    "copy_first_frame": "*copy of the photo*",
    "mean_frame": "*mean frame (needs the real clip)*",
    "constant_wind": "*constant wind*",
    "unknown_motion": "*median over other clips' winds*",
    "true_motion": "*true motion*",
    "bundled_model": "*the bundled model (its own recipe, 19,200 clips)*",
}


def _speed_error(result: Result) -> float | None:
    ratio = result["figures"].get("speed_ratio")
    return None if ratio is None else 100 * (ratio - 1)


def _figure(name: str) -> Callable[[Result], float | None]:
    return lambda result: result["figures"].get(name)


def _division(result: Result) -> float | None:
    seconds = result.get("step_seconds")
    return seconds and seconds["discriminator"] / seconds["generator"]


def _weights(result: Result) -> float | None:
    weights = result.get("weights")
    return weights and (weights["generator"] + weights["first_stage"]) / 1e6


# Heading, format, and where the number is in a result; None: the row has no such number.
COLUMNS: tuple[tuple[str, str, Callable[[Result], float | None]], ...] = (
    ("L1 ↓", ".4f", _figure("l1")),
    ("MSE ↓", ".4f", _figure("mse")),
    ("SSIM ↑", ".3f", _figure("ssim")),
    ("motion ratio → 1", ".2f", _figure("motion_ratio")),
    ("sharpness → 1", ".2f", _figure("sharpness")),
    ("angle error (°) ↓", ".1f", _figure("angle_error")),
    ("speed error (%) → 0", "+.0f", _speed_error),
    ("D:G time", ".1f", _division),
    ("weights (M)", ".2f", _weights),
    ("clips seen", ",d", lambda result: result.get("clips_seen")),
    ("by the discriminator", ",d", lambda result: result.get("clips_seen_by_discriminator")),
)


def read_results(folder: Path = RESULTS) -> dict[str, Result]:
    """Reads all results, by the names of their files."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def table_lines(results: dict[str, Result]) -> list[str]:
    """Formats the table as Markdown: a line per system, the bounds, and what is missing.

    A system with several seeds has the mean, with the lowest and highest number in brackets.
    """
    rows, missing = [], []
    for name, system in SYSTEMS.items():
        wanted = [row_name(name, seed) for seed in system.seeds]
        found = [each for each in results.values() if each.get("system") == name]
        missing += [row for row in wanted if row not in results]
        if found:
            rows.append([system.title, str(len(found)), *_cells(found)])
    if BOUNDS in results:
        of_bounds = results[BOUNDS]["figures"]
        rows += [
            [title, "", *_cells([{"figures": of_bounds[name]}])]
            for name, title in BOUND_TITLES.items()
        ]
    else:
        missing.append(BOUNDS)
    heads = ["", "seeds", *(head for head, _, _ in COLUMNS)]
    return [*markdown.table(heads, rows), "", f"Not run yet: {', '.join(missing) or 'none'}."]


def update_page(page: Path = PAGE, pictures: Path = PICTURES) -> None:
    """Replaces the table in a page, and links the strips that have been drawn."""
    text = page.read_text("utf-8")
    before, begin, rest = text.partition("<!-- table -->\n")
    _, end, after = rest.partition("<!-- end -->")
    lines = [*table_lines(read_results()), ""]
    for picture in sorted(pictures.glob("strips_*.png")):
        link = picture.relative_to(page.parent).as_posix()
        lines += [f"![A test clip of every system, five frames each]({link})", ""]
    page.write_text(f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}", "utf-8")


def _cells(results: Sequence[Result]) -> list[str]:
    cells = []
    for _, form, value_of in COLUMNS:
        values = [value for value in map(value_of, results) if value is not None]
        if not values:
            cells.append("")
        elif min(values) == max(values):
            cells.append(f"{values[0]:{form}}")
        else:
            cells.append(f"{mean(values):{form}} [{min(values):{form}}, {max(values):{form}}]")
    return cells
