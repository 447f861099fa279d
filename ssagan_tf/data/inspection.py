"""Pictures of a prepared set: some of its clips, and how much all of them move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ssagan_tf import video
from ssagan_tf.data.spool import SpooledClip
from ssagan_tf.files import replacing_file
from ssagan_tf.options import PrepareOptions

SHEET, HISTOGRAM = "contact_sheet.png", "motion.png"
_ROWS, _LABEL, _SIDE = 24, 40, 128  # clips in the sheet; letters of a name; pixels


def draw(folder: Path, clips: Mapping[str, Sequence[SpooledClip]], options: PrepareOptions) -> None:
    """Draws both pictures.

    Args:
      folder: Where to.
      clips: Those of each split.
      options: The thresholds that are marked.

    Raises:
      DataError: They cannot be written.
    """
    every = [clip for part in clips.values() for clip in part]
    video.write_image(folder / SHEET, contact_sheet(every))
    _draw_motion(folder / HISTOGRAM, clips, options)


def contact_sheet(clips: Sequence[SpooledClip]) -> np.ndarray:
    """Frames of up to 24 clips, from the stillest to the liveliest, evenly taken.

    Returns:
      `[height, width, 3]` uint8.
    """
    ordered = sorted(clips, key=lambda clip: (clip.motion, clip.name))
    number = min(_ROWS, len(ordered))
    chosen = [ordered[i] for i in np.linspace(0, len(ordered) - 1, number).round().astype(int)]
    rows = []
    for clip in chosen:
        frames = [video.decode_image(frame) for frame in clip.load()]
        side = min(_SIDE, len(frames[0]))
        label = f"{clip.name[-_LABEL:]}\n{clip.motion:.4f}"
        rows.append((label, np.stack([video.fit(frame, side, "stretch") for frame in frames])))
    return video.contact_strip(rows)


def _draw_motion(
    path: Path, clips: Mapping[str, Sequence[SpooledClip]], options: PrepareOptions
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((7, 4), layout="constrained")
    axes = figure.add_subplot()
    every = [clip.motion for part in clips.values() for clip in part]
    low, high = max(min(every), 1e-5), max(*every, 1e-4)
    edges = np.geomspace(low * 0.9, high * 1.1, 41)
    for split, part in clips.items():
        if part:
            values = np.maximum([clip.motion for clip in part], low)
            axes.hist(values, edges, alpha=0.6, label=f"{split}: {len(part)} clips")
    median = float(np.median(every))
    axes.axvline(median, color="black", linewidth=1, label=f"median {median:.4f}")
    axes.axvline(
        options.motion_target, color="C2", linestyle="--", label=f"target {options.motion_target:g}"
    )
    if options.static_threshold:
        axes.axvline(
            options.static_threshold,
            color="C3",
            linestyle=":",
            label=f"still: {options.static_threshold:g}",
        )
    axes.set_xscale("log")
    axes.set_xlabel("mean change from frame to frame, in [0, 1], at 128×128")
    axes.set_ylabel("clips")
    axes.legend(fontsize=8)
    with replacing_file(path) as temporary:
        FigureCanvasAgg(figure).print_png(str(temporary))
