"""`python -m ssagan_tf.demo`: a page where a photo is dropped and moves."""

from __future__ import annotations

import secrets
import signal
from pathlib import Path

from ssagan_tf import box, cli
from ssagan_tf.demo_page.app import make_app
from ssagan_tf.demo_page.maker import Maker
from ssagan_tf.errors import DataError, Stopped, require_extra
from ssagan_tf.options import ComputeOptions, DemoOptions
from ssagan_tf.startup import load_tensorflow, without_proxies
from ssagan_tf.training import generator_source
from ssagan_tf.training.generator_source import Source
from ssagan_tf.training.run_folder import FLAGS_FILE
from ssagan_tf.web.temporary_files import scratch

ABOUT = """
Opens a page in the browser: drop a photo of a sky or a sea and see it move, at its own size; paint
what moves; download the video. Or see the frames of the network itself. The generator is the one
that comes with the package, or another one (--run_dir, --model or --runs). Nothing leaves this
machine, and no network is needed. Photos and videos are removed after an hour and at the end.
"""
KEPT = 3600  # seconds that a photo stays, and a video to be downloaded
_DISK = 2**30  # bytes of photos and videos together
_CONNECTIONS = 128
_FOLDER = "ssagan-demo-"
_RUNS = "runs"


def find_models(options: DemoOptions) -> dict[str, Source]:
    """The generators that can be chosen from, by name; that of the settings first.

    Raises:
      OptionError: The settings don't go together.
      DataError: There is none, or a run's settings cannot be read.
    """
    found: list[Source] = []
    places = options.runs
    if options.run_dir or options.model or options.checkpoint:
        found = [generator_source.find(options, otherwise=box.BOX)]
    elif not places:
        places = (*box.boxes(), *([_RUNS] if _runs_in(Path(_RUNS)) else []))
    for place in places:
        if box.is_name(place) or Path(place).is_file():
            found.append(generator_source.resolve(place))
            continue
        if not Path(place).exists():
            raise DataError(f"{place}: no such file or folder; name a run or a FILE.keras")
        runs = _runs_in(Path(place))
        if not runs:
            raise DataError(f"{place} holds no run; train one, or name others with --runs")
        found += map(generator_source.resolve, runs)
    if not found:
        found = [generator_source.find(options, otherwise=box.BOX)]  # which says what is missing
    models: dict[str, Source] = {}
    for name, each in zip(_short([each.name for each in found]), found, strict=True):
        models.setdefault(name, each)
    return models


def _runs_in(folder: Path) -> list[Path]:
    """A run, or those that a folder holds."""
    return [run for run in (folder, *sorted(folder.glob("*/"))) if (run / FLAGS_FILE).is_file()]


def _short(names: list[str]) -> list[str]:
    """Ends of paths, as long as it takes to tell them apart: visitors need not know the rest."""
    parts = [Path(name).parts for name in names]

    def end(of: tuple[str, ...], length: int) -> str:
        return "/".join(of[-length:])

    def length(of: tuple[str, ...]) -> int:
        others = [other for other in parts if other != of]
        lengths = range(1, len(of) + 1)
        alone = (n for n in lengths if all(end(other, n) != end(of, n) for other in others))
        return next(alone, len(of))

    return [end(of, length(of)) for of in parts]


def demo(options: DemoOptions, compute: ComputeOptions) -> None:
    """Serves the page until it is interrupted.

    Raises:
      OptionError: The settings don't go together.
      DataError: There is no model, gradio is not installed, or the port is taken.
      Stopped: A signal ended it.
    """
    models = find_models(options)
    require_extra("demo", "gradio")
    without_proxies()
    load_tensorflow()  # first: gradio imports it, too, where it can, and not as quietly
    from ssagan_tf.web import listening

    place = listening.listen(options.host, options.port, options.names)
    access = secrets.token_urlsafe(16) if place.is_open else ""
    for number in (signal.SIGTERM, signal.SIGHUP):  # by default they end it without clearing up
        signal.signal(number, _stop)
    with scratch(_FOLDER, KEPT, _DISK) as room:
        maker = Maker(models, compute, room, options.fps)
        app = make_app(maker, list(models), room, access=access, called=place.allowed_hosts())
        if access:
            print(
                f"warning: --host={options.host} opens the page to others on the network, without "
                "encryption; they need this link"
            )
        print(
            f"{len(models)} model(s); open {place.url(access)} and drop a photo; Ctrl-C ends it",
            flush=True,
        )
        listening.serve(app, [place.socket], connections=_CONNECTIONS)
    raise KeyboardInterrupt


def _stop(number: int, frame: object) -> None:
    raise Stopped("stopped; photos and videos are removed", number)


def main() -> None:
    cli.run("demo", ABOUT, [DemoOptions, ComputeOptions], demo)


if __name__ == "__main__":
    main()
