"""`python -m ssagan_tf.evaluate`: generated clips against real ones."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ssagan_tf import cli, user_paths, video
from ssagan_tf.data.evaluation_clips import Footage, open_footage
from ssagan_tf.errors import require_extra
from ssagan_tf.evaluation import metrics, plots, results
from ssagan_tf.evaluation.baselines import OF_THE_PHOTO, baselines
from ssagan_tf.evaluation.better_direction import RULE, BetterDirection, Mirrored
from ssagan_tf.evaluation.clip_folders import ClipFolder, named_paths
from ssagan_tf.evaluation.metrics.metric import Metric
from ssagan_tf.evaluation.motion_transfer import LOOP_SUFFIX, SUFFIX, Transfer
from ssagan_tf.evaluation.protocols import PROTOCOLS
from ssagan_tf.evaluation.real_clips import RealClips, draw
from ssagan_tf.evaluation.report import FILM, REPORT, Report, table_lines
from ssagan_tf.evaluation.scoring import Keep, score
from ssagan_tf.evaluation.selection import Selection, shown
from ssagan_tf.evaluation.systems import BROUGHT, ClipsFromFolder, Generator, System
from ssagan_tf.files import replacing_folder
from ssagan_tf.options import (
    BASELINES,
    ComputeOptions,
    EvaluateOptions,
    OptionError,
    PrepareOptions,
    SourceOptions,
    refuse_without_effect,
    require,
)
from ssagan_tf.progress import Progress
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training import generator_source
from ssagan_tf.training.generator_source import Source

ABOUT = """
Compares the clips of runs (--run_dir), generators (--model) and folders of any system's clips
(--generated) with the real ones, and with --transfer photos moved by the clips of the first two;
writes tables, curves, strips and a film into --output. A still picture, the first frame copied,
always has a row.
"""
_REAL = "real"


def evaluate(options: EvaluateOptions, compute: ComputeOptions) -> None:
    """Writes the evaluation, or nothing if a clip is missing or broken.

    Raises:
      OptionError: A setting is missing or impossible.
      DataError: Clips, a run or a generator cannot be used, or the output not be written.
    """
    require(options, "data", "output")
    refuse_without_effect(options)
    sources = _Sources(options)
    require_extra("evaluate", "matplotlib")
    with replacing_folder(options.output) as output, Progress("evaluate", None) as progress:
        # What is compared, and whether all of it is there.
        networks = sources.load_networks(compute)
        positions = _positions(options, networks)
        footage = open_footage(_how(options), options.split, progress.update)
        folders = [ClipFolder(name, path) for name, path in sources.folders.items()]
        mirrored = {n: ClipFolder(f"{n}, mirrored", p) for n, p in sources.mirrored.items()}
        selection = Selection(
            footage,
            draw([clip.name for clip in footage.clips], options.max_clips, options.seed),
            [*folders, *mirrored.values()],
            skip=options.incomplete == "skip",
            report=progress.update,
        )
        sides = {name: network.options.resolution for name, network in networks.items()}
        size = selection.size(sides, options.size)
        real = RealClips(footage, selection.indices, size, sources.fit)
        systems = _systems(options, sources, networks, folders, mirrored, selection, real)
        measured = metrics.select(_available(options, real))
        conditions = _conditions(options, footage, real, sides, measured)
        for name, value in conditions.items():
            progress.print(f"{name}: {value}")

        # The numbers.
        began = time.monotonic()
        scores = score(
            real,
            systems,
            PROTOCOLS[options.protocol],
            measured,
            batch=options.batch_size,
            report=progress.update,
            keep=_keep(options, output),
        )
        pace = len(real) / (time.monotonic() - began)
        table = results.tabulate(scores, options.seed)

        # The report.
        report = Report(output, table, conditions, selection.left_out, footage.skipped)
        report.draw_clips(systems, real, options.batch_size, options.fps)
        if networks:
            _look_into(networks, positions, report, output, real)
        report.write()
    for line in table_lines(table):
        print(line)
    print(f"{len(real)} clips of {table.videos} videos, {pace:.1f} clips per second")
    print(f"wrote {options.output}: {REPORT}, metrics.json, {FILM}")


class _Sources:
    """What the settings name as systems: generators and folders of clips, by name."""

    def __init__(self, options: EvaluateOptions):
        runs = named_paths("run_dir", user_paths.split_paths(options.run_dir))
        files = named_paths("model", user_paths.split_paths(options.model))
        self.folders = named_paths("generated", options.generated)
        self.mirrored = named_paths("generated_mirrored", options.generated_mirrored)
        if not (runs or files or self.folders):
            raise OptionError("generated", "", "give --run_dir, --model or --generated")
        moved = [f"{name}{suffix}" for name in (*runs, *files) for suffix in _moved(options)]
        names = [*runs, *files, *self.folders, *moved]
        for name in names:
            if names.count(name) > 1 or name in (*BASELINES, _REAL):
                raise OptionError(
                    "generated", name, "is the name of another row; give NAME=PATH with a new NAME"
                )
        for name in self.mirrored:
            if name not in self.folders:
                raise OptionError(
                    "generated_mirrored", name, "is no row of --generated; give NAME=PATH"
                )
            if options.direction != "better":
                raise OptionError("generated_mirrored", name, "is for --direction=better")
        if options.checkpoint and not runs:
            raise OptionError("checkpoint", options.checkpoint, "is of a run; give --run_dir")
        if options.attention_at and not (runs or files):
            raise OptionError(
                "attention_at", options.attention_at, "is of a generator; give --run_dir or --model"
            )
        if options.transfer and not (runs or files):
            raise OptionError("transfer", True, "is of a generator; give --run_dir or --model")
        which = options.checkpoint
        self.generators: dict[str, Source] = {
            **{
                n: generator_source.find(SourceOptions(path, checkpoint=which))
                for n, path in runs.items()
            },
            **{n: generator_source.find(SourceOptions(model=model)) for n, model in files.items()},
        }
        self.fit = _common_fit(options.fit, self.generators.values())

    def load_networks(self, compute: ComputeOptions) -> dict:
        """The generators, by name."""
        if not self.generators:
            return {}
        load_tensorflow()
        return {name: origin.load(compute) for name, origin in self.generators.items()}


def _moved(options: EvaluateOptions) -> list[str]:
    """Suffixes of the rows of photos moved by a generator's clips."""
    if not options.transfer:
        return []
    return [SUFFIX, LOOP_SUFFIX] if options.loop_metrics else [SUFFIX]


def _common_fit(fit: str, generators: Iterable[Source]) -> str:
    """As the clips of the runs were made square, unless the settings say otherwise."""
    if fit != "auto":
        return fit
    fits = {origin.how() for origin in generators if origin.run}
    if len(fits) > 1:
        raise OptionError("fit", fit, f"the runs were fitted by {' and '.join(sorted(fits))}")
    return fits.pop() if fits else "stretch"


def _positions(options: EvaluateOptions, networks: dict) -> list[tuple[int, int]]:
    """Of the queries whose attention is drawn: x and y in pixels."""
    numbers = [int(number) for number in options.attention_at]
    positions = list(zip(numbers[::2], numbers[1::2], strict=True))
    for name, network in networks.items():
        side = network.options.resolution
        for x, y in positions:
            if max(x, y) >= side:
                raise OptionError(
                    "attention_at", f"{x},{y}", f"lies outside the {side}×{side} frames of {name}"
                )
    return positions


def _how(options: EvaluateOptions) -> PrepareOptions:
    if options.layout == "synthetic":
        raise OptionError("layout", "synthetic", "prepare the clouds first, and name the set")
    return PrepareOptions(
        source=options.data,
        layout=options.layout,
        list=options.list,
        clip_rule=options.clip_rule,
        clip_stride=options.clip_stride,
        frame_stride=options.frame_stride,
        motion_target=options.motion_target,
        scene_cut=options.scene_cut,
        static_threshold=options.static_threshold,
    )


def _systems(
    options: EvaluateOptions,
    sources: _Sources,
    networks: dict,
    folders: list[ClipFolder],
    mirrored: dict[str, ClipFolder],
    selection: Selection,
    real: RealClips,
) -> list[System]:
    moved = _moved(options)

    def rows_of(name: str) -> list[System]:
        generator = Generator(
            name,
            sources.generators[name].about,
            networks[name],
            options.batch_norm,
            options.batch_size,
            keep=bool(moved),
        )
        return [generator, *(Transfer(generator, loop=each == LOOP_SUFFIX) for each in moved)]

    def clips_in(folder: ClipFolder) -> ClipsFromFolder:
        return ClipsFromFolder(folder, selection.found[folder], real.names)

    def made() -> list[System]:
        return [row for name in networks for row in rows_of(name)]

    there = [clips_in(folder) for folder in folders]
    others = baselines(options.baselines, real)
    if options.direction == "as_given":
        return [*made(), *there, *others]
    # Generators of their own for the mirrored photos: they keep those of their first batch.
    both: list[tuple[System, System | None]] = [
        *zip(made(), map(Mirrored, made()), strict=True),
        *(
            (system, clips_in(mirrored[f.name]) if f.name in mirrored else None)
            for f, system in zip(folders, there, strict=True)
        ),
        *((system, Mirrored(system) if system.name in OF_THE_PHOTO else None) for system in others),
    ]
    return [BetterDirection(*each, PROTOCOLS[options.protocol]) for each in both]


def _available(options: EvaluateOptions, real: RealClips) -> set[str]:
    """What measures may need."""
    there = {name for name in ("optical_flow", "loop_metrics") if getattr(options, name)}
    if options.optical_flow and real.truth(0) is not None:
        there.add("truth")
    return there


def _conditions(
    options: EvaluateOptions,
    footage: Footage,
    real: RealClips,
    sides: Mapping[str, int],
    measured: Sequence[Metric],
) -> dict[str, str]:
    """All that the numbers depend on, in words."""
    about = dict(footage.about)
    others = [f"{name} {side}×{side}" for name, side in sides.items() if (side, side) != real.size]
    if options.max_clips:
        about["clips"] += f"; {len(real)} of {len(footage.clips)} drawn with seed {options.seed}"

    return {
        "protocol": options.protocol,
        **PROTOCOLS[options.protocol].rules,
        **({"direction": RULE} if options.direction == "better" else {}),
        **{measure.key: measure.words for measure in measured if measure.words},
        **about,
        "size": shown(real.size),
        "real frames": real.fitting,
        **({"generators": f"{', '.join(others)}: {BROUGHT}"} if others else {}),
        "batch norm": options.batch_norm,
        "intervals": results.INTERVALS.format(options.seed),
    }


def _keep(options: EvaluateOptions, output: Path) -> Keep | None:
    if options.save_clips == "none":
        return None

    def keep(row: str, clip: str, frames: np.ndarray) -> None:
        path = output / "clips" / row / clip
        if options.save_clips == "frames":
            video.write_frames(path, frames)
        else:
            video.write_mp4(path.with_name(f"{path.name}.mp4"), frames, options.fps)

    return keep


def _look_into(
    networks: dict,
    positions: list[tuple[int, int]],
    report: Report,
    output: Path,
    real: RealClips,
) -> None:
    """γ of the attention modules, and the maps that were asked for, of the first clip."""
    from ssagan_tf.evaluation.attention_maps import attention_maps, gammas

    for name, network in networks.items():
        photo = video.fit(real.clip(0)[0], network.options.resolution, "stretch")
        of_network = gammas(network)
        report.add_gammas(name, of_network)
        for x, y in positions:
            path = output / "attention" / f"{name}_{x}_{y}.png"
            maps = attention_maps(network, photo, x, y)
            plots.draw_attention(path, photo, x, y, maps, of_network)
            report.add_picture(f"{name}: where ({x}, {y}) of {real.names[0]} looks", path)


def main() -> None:
    cli.run("evaluate", ABOUT, [EvaluateOptions, ComputeOptions], evaluate)


if __name__ == "__main__":
    main()
