"""Images to inspect a prepared set: some of its clips, and a histogram of their motion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ssagan_tf import video
from ssagan_tf.data.spool import SpooledClip
from ssagan_tf.files import replacing_file
from ssagan_tf.options import PrepareOptions

SHEET, HISTOGRAM = "contact_sheet.png", "motion.png"
_ROWS, _LABEL, _SIDE = 24, 40, 128  # clips in the sheet; characters of a name; pixels


def draw(folder: Path, clips: Mapping[str, Sequence[SpooledClip]], options: PrepareOptions) -> None:
    """Writes both images.

    Args:
      folder: Where to write them.
      clips: Those of each split.
      options: Has the thresholds to mark.

    Raises:
      DataError: They cannot be written.
    """
    all_clips = [clip for split in clips.values() for clip in split]
    video.write_image(folder / SHEET, contact_sheet(all_clips))
    _draw_motion(folder / HISTOGRAM, clips, options)


def contact_sheet(clips: Sequence[SpooledClip]) -> np.ndarray:
    """Draws frames of up to 24 clips, from the least to the most motion.

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
    motions = [clip.motion for split in clips.values() for clip in split]
    low, high = max(min(motions), 1e-5), max(*motions, 1e-4)
    edges = np.geomspace(low * 0.9, high * 1.1, 41)
    for split, in_split in clips.items():
        if in_split:
            values = np.maximum([clip.motion for clip in in_split], low)
            axes.hist(values, edges, alpha=0.6, label=f"{split}: {len(in_split)} clips")
    median = float(np.median(motions))
    axes.axvline(median, color="black", linewidth=1, label=f"median {median:.4f}")
    axes.axvline(
        options.motion_target, color="C2", linestyle="--", label=f"target {options.motion_target:g}"
    )
    if options.static_threshold:
        axes.axvline(
            options.static_threshold,
            color="C3",
            linestyle=":",
            label=f"static: {options.static_threshold:g}",
        )
    axes.set_xscale("log")
    axes.set_xlabel("mean absolute difference of consecutive frames, in [0, 1], at 128×128")
    axes.set_ylabel("clips")
    axes.legend(fontsize=8)
    with replacing_file(path) as temporary:
        FigureCanvasAgg(figure).print_png(str(temporary))
