"""`python -m ssagan_tf.compare`: a video of several systems' clips side by side."""

from __future__ import annotations

from pathlib import Path

from ssagan_tf import cli, video
from ssagan_tf.errors import DataError
from ssagan_tf.evaluation import comparison_video
from ssagan_tf.evaluation.clip_folders import clips_in_all, match, open_folders
from ssagan_tf.evaluation.real_clips import sample_indices
from ssagan_tf.options import CompareOptions, OptionError, require

ABOUT = """
Makes one looping video of the same clips of several systems: a column per system, a row per clip.
"""


def compare(options: CompareOptions) -> None:
    """Writes the video.

    Raises:
      OptionError: A setting is missing or invalid.
      DataError: A clip cannot be read, or the video cannot be written.
    """
    require(options, "systems", "output")
    if Path(options.output).suffix.lower() not in video.SUFFIXES:
        raise OptionError("output", options.output, f"must end in {' or '.join(video.SUFFIXES)}")
    video.check_encoder(options.output)
    folders = open_folders("systems", options.systems)
    common = clips_in_all(folders)
    rows = []
    for clip in _choose(options, list(common)):
        clips = {folder.name: folder.read(common[clip][folder.name]) for folder in folders}
        rows.append((clip, clips))
    if len({clip.shape for _, clips in rows for clip in clips.values()}) > 1:
        sizes = dict.fromkeys(
            f"{name} {clip.shape[2]}×{clip.shape[1]}"
            for _, clips in rows
            for name, clip in clips.items()
        )
        raise DataError(f"the systems' clips are of different sizes: {', '.join(sizes)}")
    frames = comparison_video.side_by_side(rows)
    video.write_video(options.output, frames, options.fps, options.loops)
    print(f"wrote {options.output}: {', '.join(clip for clip, _ in rows)}")


def _choose(options: CompareOptions, names: list[str]) -> list[str]:
    if not options.clips:
        return [names[i] for i in sample_indices(len(names), options.rows, options.seed)]
    found = match(options.clips, names)
    if missing := [clip for clip in options.clips if clip not in found]:
        raise OptionError(
            "clips",
            ",".join(options.clips),
            f"{missing[0]} is not in all folders, or is ambiguous",
        )
    return [found[clip] for clip in options.clips]


def main() -> None:
    cli.run("compare", ABOUT, [CompareOptions], compare)


if __name__ == "__main__":
    main()
