"""`python -m ssagan_tf.evaluate`: compares generated clips with real ones."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from ssagan_tf import cli, video
from ssagan_tf.data.evaluation_clips import open_footage
from ssagan_tf.errors import require_extra
from ssagan_tf.evaluation import metrics, plots, results
from ssagan_tf.evaluation.baselines import BASELINES
from ssagan_tf.evaluation.conditions import conditions
from ssagan_tf.evaluation.protocols import PROTOCOLS
from ssagan_tf.evaluation.real_clips import RealClips, sample_indices
from ssagan_tf.evaluation.report import METRICS_FILE, REPORT_FILE, VIDEO_FILE, Report
from ssagan_tf.evaluation.report_tables import terminal_lines
from ssagan_tf.evaluation.requested_systems import RequestedSystems
from ssagan_tf.evaluation.saved_clips import ClipWriter
from ssagan_tf.evaluation.scoring import score
from ssagan_tf.evaluation.selection import Selection
from ssagan_tf.files import replacing_folder
from ssagan_tf.options import (
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
from ssagan_tf.training.learning_curve import LearningCurve, learning_curve

_BASELINES = "\n".join(
    textwrap.fill(f"{baseline.name}: {baseline.description}", 96, subsequent_indent="    ")
    for baseline in BASELINES.values()
)
ABOUT = f"""
Compares the clips of runs (--run_dir), generators (--model) and folders of any system's clips
(--generated) with the real ones, and with --transfer also photos moved by the motion of the first
two. Writes tables, curves, strips and a video into --output. copy_first_frame always has a row.

Baselines, made without a network:
{textwrap.indent(_BASELINES, "  ")}
"""


def evaluate(options: EvaluateOptions, compute: ComputeOptions) -> None:
    """Writes the evaluation, or nothing if a clip is missing or broken.

    Raises:
      OptionError: A setting is missing or invalid.
      DataError: Clips, a run or a generator cannot be used, or the output cannot be written.
    """
    require(options, "data", "output")
    refuse_without_effect(options)
    requested = RequestedSystems(options)
    sources = _find_generators(requested, options.checkpoint)
    fit = _common_fit(options.fit, sources.values())
    curves = {name: learning_curve(source.run) for name, source in sources.items() if source.run}
    require_extra("evaluate", "matplotlib")
    with replacing_folder(options.output) as output, Progress("evaluate", None) as progress:
        # What is compared, and whether all of it can be used.
        networks = _load(sources, compute)
        queries = _attention_queries(options, networks)
        footage = open_footage(_reading_options(options), options.split, progress.update)
        folders, mirrored = requested.open_folders()
        selection = Selection(
            footage,
            sample_indices(len(footage.clips), options.max_clips, options.seed),
            [*folders, *mirrored.values()],
            skip=options.incomplete == "skip",
            report=progress.update,
        )
        sides = {name: network.options.resolution for name, network in networks.items()}
        size = selection.size(sides, options.size)
        real = RealClips(footage, selection.indices, size, fit)
        descriptions = {name: source.about for name, source in sources.items()}
        systems = requested.make(networks, descriptions, folders, mirrored, selection, real)
        selected = metrics.select(_available(options, real))
        about = conditions(options, footage, real, sides, selected)
        for name, value in about.items():
            progress.print(f"{name}: {value}")
        save = None
        if options.save_clips != "none":
            save = ClipWriter(output / "clips", options.save_clips, options.fps, real.names)

        # The numbers.
        began = time.monotonic()
        scores = score(
            real,
            systems,
            PROTOCOLS[options.protocol],
            selected,
            batch=options.batch_size,
            report=progress.update,
            save=save,
        )
        clips_per_second = len(real) / (time.monotonic() - began)
        table = results.tabulate(scores, options.seed)

        # The report.
        report = Report(output, table, about, size[1], selection.left_out, footage.skipped)
        report.draw_clips(systems, real, options.batch_size, options.fps)
        if networks:
            _report_attention(networks, queries, report, output, real)
        _report_learning_curves(curves, report, output)
        report.write()
    for line in terminal_lines(table):
        print(line)
    print(f"{len(real)} clips of {table.videos} videos, {clips_per_second:.1f} clips per second")
    print(f"wrote {options.output}: {REPORT_FILE}, {METRICS_FILE}, {VIDEO_FILE}")


def _find_generators(requested: RequestedSystems, checkpoint: str) -> dict[str, Source]:
    """Where the generators are, by the names of their rows."""
    options = {
        **{
            name: SourceOptions(path, checkpoint=checkpoint)
            for name, path in requested.runs.items()
        },
        **{name: SourceOptions(model=path) for name, path in requested.models.items()},
    }
    return {name: generator_source.find(each) for name, each in options.items()}


def _common_fit(fit: str, sources: Iterable[Source]) -> str:
    """How real clips are made square: as those of the runs, unless the setting says otherwise."""
    if fit != "auto":
        return fit
    fits = {source.how() for source in sources if source.run}
    if len(fits) > 1:
        raise OptionError(
            "fit", fit, f"the runs use {' and '.join(sorted(fits))}; give one of them"
        )
    return fits.pop() if fits else "stretch"


def _load(sources: dict[str, Source], compute: ComputeOptions) -> dict:
    """The generators, by name; imports TensorFlow if there are any."""
    if not sources:
        return {}
    load_tensorflow()
    return {name: source.load(compute) for name, source in sources.items()}


def _attention_queries(options: EvaluateOptions, networks: dict) -> list[tuple[int, int]]:
    """Positions whose attention is drawn: x and y in pixels."""
    numbers = [int(number) for number in options.attention_at]
    positions = list(zip(numbers[::2], numbers[1::2], strict=True))
    for name, network in networks.items():
        side = network.options.resolution
        for x, y in positions:
            if max(x, y) >= side:
                raise OptionError(
                    "attention_at", f"{x},{y}", f"is outside the {side}×{side} frames of {name}"
                )
    return positions


def _reading_options(options: EvaluateOptions) -> PrepareOptions:
    """How the real clips are read from a folder."""
    if options.layout == "synthetic":
        raise OptionError(
            "layout", "synthetic", "run prepare first, and give the prepared set as --data"
        )
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


def _available(options: EvaluateOptions, real: RealClips) -> set[str]:
    """What metrics may need (`Metric.needs`)."""
    available = {name for name in ("optical_flow", "loop_metrics") if getattr(options, name)}
    if options.optical_flow and real.truth(0) is not None:
        available.add("truth")
    return available


def _report_attention(
    networks: dict,
    queries: list[tuple[int, int]],
    report: Report,
    output: Path,
    real: RealClips,
) -> None:
    """Adds γ of the attention modules, and attention maps of the first clip's photo."""
    from ssagan_tf.evaluation.attention_maps import attention_maps, gammas

    for name, network in networks.items():
        photo = video.fit(real.clip(0)[0], network.options.resolution, "stretch")
        gamma = gammas(network)
        report.add_gammas(name, gamma)
        for x, y in queries:
            path = output / "attention" / f"{name}_{x}_{y}.png"
            maps = attention_maps(network, photo, x, y)
            plots.draw_attention(path, photo, x, y, maps, gamma)
            report.add_picture(f"{name}: what ({x}, {y}) of {real.names[0]} attends to", path)


def _report_learning_curves(
    curves: Mapping[str, LearningCurve], report: Report, output: Path
) -> None:
    """Adds a plot with the learning curves of all runs."""
    losses = {name: curve.loss for name, curve in curves.items() if curve.loss}
    if losses:
        stills = {curve.still for curve in curves.values()}
        path = output / "learning_curves.png"
        plots.draw_learning_curves(path, losses, stills.pop() if len(stills) == 1 else None)
        report.add_picture("Learning curves of the runs", path)


def main() -> None:
    cli.run("evaluate", ABOUT, [EvaluateOptions, ComputeOptions], evaluate)


if __name__ == "__main__":
    main()
