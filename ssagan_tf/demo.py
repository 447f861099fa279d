"""`python -m ssagan_tf.demo`: a web page on which a visitor's photo starts to move."""

from __future__ import annotations

import secrets
from pathlib import Path

from ssagan_tf import box, cli
from ssagan_tf.errors import DataError, require_extra
from ssagan_tf.options import ComputeOptions, DemoOptions
from ssagan_tf.safe_names import escaped
from ssagan_tf.startup import load_tensorflow, without_proxies
from ssagan_tf.training import generator_source
from ssagan_tf.training.generator_source import Source
from ssagan_tf.training.run_folder import FLAGS_FILE
from ssagan_tf.web.temporary_files import temporary_files

ABOUT = """
Serves a web page: drop a photo of a sky or a sea and see it move, at its own size; paint what
should move; download the video. A second tab has the raw output of the network. The generator is
the bundled model, or another one (--run_dir, --model or --runs). Nothing leaves this machine, and
no internet connection is needed. Photos and videos are deleted after an hour and at the end.
"""
KEEP_SECONDS = 3600  # for which photos and videos are kept
_MAX_BYTES = 2**30  # of photos and videos together
_MAX_CONNECTIONS = 128
_FOLDER_PREFIX = "ssagan-demo-"
_RUNS = "runs"


def find_models(options: DemoOptions) -> dict[str, Source]:
    """Finds the generators that visitors can choose.

    Damaged runs among others in a folder are skipped, with a line on standard output.

    Returns:
      Generators by name; the one that the settings name comes first.

    Raises:
      OptionError: The settings contradict each other.
      DataError: There is no generator, or a run that was named cannot be read.
    """
    found: list[Source] = []
    names = options.runs
    if options.run_dir or options.model or options.checkpoint:
        found = [generator_source.find(options, otherwise=box.BOX)]
    elif not names:
        names = (*box.bundled_models(), *([_RUNS] if _runs_in(Path(_RUNS)) else []))
    for name in names:
        folder = Path(name)
        if box.is_name(name) or folder.is_file():
            found.append(generator_source.resolve(name))
        elif not folder.exists():
            raise DataError(f"{name}: not found; expected a run, a folder of runs or a FILE.keras")
        elif not (runs := _runs_in(folder)):
            raise DataError(f"{name}: no run found in this folder; train one, or change --runs")
        elif runs == [folder]:
            found.append(generator_source.resolve(folder))
        else:
            found += _readable(runs)
    if not found and options.runs:
        raise DataError(f"--runs={','.join(options.runs)}: none of these runs can be read")
    if not found:
        found = [generator_source.find(options, otherwise=box.BOX)]  # its error says what to do
    models: dict[str, Source] = {}
    for name, source in zip(_short_names([each.name for each in found]), found, strict=True):
        models.setdefault(name, source)
    return models


def _runs_in(folder: Path) -> list[Path]:
    """Returns the folder itself if it is a run, and the runs directly in it."""
    return [run for run in (folder, *sorted(folder.glob("*/"))) if (run / FLAGS_FILE).is_file()]


def _readable(runs: list[Path]) -> list[Source]:
    """Returns those of the runs that can be read, and prints a line about each of the others."""
    sources = []
    for run in runs:
        try:
            sources.append(generator_source.resolve(run))
        except DataError as error:
            print(f"skipped: {escaped(str(error))}", flush=True)
    return sources


def _short_names(paths: list[str]) -> list[str]:
    """Returns the shortest ends of paths that distinguish them; visitors need not see the rest."""
    all_parts = [Path(path).parts for path in paths]

    def end(parts: tuple[str, ...], length: int) -> str:
        return "/".join(parts[-length:])

    def short_name(parts: tuple[str, ...]) -> str:
        others = [other for other in all_parts if other != parts]
        for length in range(1, len(parts)):
            if all(end(other, length) != end(parts, length) for other in others):
                return end(parts, length)
        return end(parts, len(parts))

    return [short_name(parts) for parts in all_parts]


def demo(options: DemoOptions, compute: ComputeOptions) -> None:
    """Serves the page until it is interrupted.

    Raises:
      OptionError: The settings contradict each other.
      DataError: There is no model, gradio is not installed, or the port is in use.
      Stopped: A signal ended it.
    """
    models = find_models(options)
    require_extra("demo", "gradio")
    without_proxies()
    load_tensorflow()  # before gradio, which imports it too if it can, and less quietly
    from ssagan_tf.demo_page.app import make_app
    from ssagan_tf.demo_page.maker import Maker
    from ssagan_tf.web import listening

    listener = listening.listen(options.host, options.port, options.names)
    token = secrets.token_urlsafe(16) if listener.is_open else ""
    with (
        cli.stopped_by_signals("stopped; all photos and videos were deleted"),
        temporary_files(_FOLDER_PREFIX, KEEP_SECONDS, _MAX_BYTES) as files,
    ):
        maker = Maker(models, compute, files, options.fps)
        hosts = listener.allowed_hosts()
        app = make_app(maker, list(models), files, token=token, allowed_hosts=hosts)
        if token:
            print(
                f"warning: --host={options.host} opens the page to the network without encryption; "
                "only people with this link can use it"
            )
        print(
            f"{len(models)} model(s); open {listener.url(token)} and drop a photo; Ctrl-C stops "
            "the server",
            flush=True,
        )
        listening.serve(app, [listener.socket], max_connections=_MAX_CONNECTIONS)
    raise KeyboardInterrupt


def main() -> None:
    cli.run("demo", ABOUT, [DemoOptions, ComputeOptions], demo)


if __name__ == "__main__":
    main()
