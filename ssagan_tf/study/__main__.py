"""`python -m ssagan_tf.study`: the preference study (Sec. 5.2), and its report."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ssagan_tf import cli
from ssagan_tf.errors import DataError, require_extra
from ssagan_tf.evaluation.clip_folders import clips_in_all, open_folders
from ssagan_tf.options import OptionError, StudyOptions, require
from ssagan_tf.progress import Progress
from ssagan_tf.study import design, media, results, store

ABOUT = """
Serves a web page that shows pairs of clips and asks which one is more realistic; with --report,
prints the results of the votes in --store. Running the same command again resumes the study.
"""
_FIXED = ("pairs", "catch_pairs", "seed", "fps")  # settings that cannot change later


def study(options: StudyOptions) -> None:
    """Serves the study until it is interrupted, or writes its report.

    Raises:
      OptionError: A setting is missing, invalid, or differs from that of the study.
      DataError: Clips cannot be read, or the store or the port cannot be used.
    """
    require(options, "store")
    path = Path(options.store)
    if options.report:
        with store.open_for_reading(path) as opened:
            _report(opened, options.output)
        return
    require_extra("study", "fastapi", "uvicorn")
    if path.exists():
        opened = store.Store(path)
        _check_same(options, opened)
        print(f"resuming the study in {path}: {len(opened.votes())} votes so far")
    else:
        require(options, "systems")
        _create(options, path)
        opened = store.Store(path)
    _serve(options, opened)


def _report(opened: store.Store, output: str) -> None:
    folder = Path(output or f"{opened.path.with_suffix('')}_report")
    print("\n".join(results.report(opened)))
    try:
        results.write(opened, folder)
    except DataError as error:
        advice = "" if output else "; give another folder as --output"
        raise DataError(f"{error}{advice}") from error
    print(f"\nwrote {folder}: report.md, pos.csv, votes.csv")


def _check_same(options: StudyOptions, opened: store.Store) -> None:
    """Refuses settings that differ from those with which the study was created."""
    if not options.systems:
        return
    given = _settings(options, [f.name for f in open_folders("systems", options.systems)])
    for name, was in opened.settings.items():
        if name in given and given[name] != was:
            shown = ",".join(map(str, was)) if isinstance(was, list) else was
            raise OptionError(
                name,
                ",".join(given[name]) if isinstance(given[name], list) else given[name],
                f"the study in {opened.path} was created with {shown}; give that value, only "
                "--store, or another --store",
            )


def _settings(options: StudyOptions, systems: list[str]) -> dict[str, object]:
    cases = design.read_cases(options.cases, systems)
    return {
        "systems": systems,
        "cases": [f"{first}:{second}" for first, second in cases],
        **{name: getattr(options, name) for name in _FIXED},
    }


def _create(options: StudyOptions, path: Path) -> None:
    folders = {folder.name: folder for folder in open_folders("systems", options.systems)}
    if design.BROKEN in folders or any(":" in name for name in folders):
        raise OptionError("systems", ",".join(folders), "names must not contain a colon")
    cases = design.read_cases(options.cases, list(folders))
    clips = clips_in_all(list(folders.values()))
    pairs = design.draw_pairs(cases, list(clips), options.pairs, options.catch_pairs, options.seed)
    shown = sorted({(s, pair.clip) for pair in pairs for s in (pair.first, pair.second)})
    print(f"{len(cases)} cases, {len(pairs)} pairs per subject, {len(clips)} clips in common")

    def read(system: str, clip: str) -> np.ndarray:
        if system == design.BROKEN:
            intact = next(pair.first for pair in pairs if pair.is_catch)
            return media.break_clip(folders[intact].read(clips[clip][intact]), options.seed)
        return folders[system].read(clips[clip][system])

    videos: list[bytes] = []
    sizes: dict[str, tuple[int, ...]] = {}

    def make(system_and_clip: tuple[str, str]) -> tuple[tuple[int, ...], bytes]:
        frames = read(*system_and_clip)
        return frames.shape, media.encode(frames, options.fps)

    with Progress("videos", len(shown)) as progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        for (system, clip), (shape, data) in zip(shown, pool.map(make, shown), strict=True):
            sizes[f"{system} {clip}"] = shape
            videos.append(data)
            progress.advance()
    if len(set(sizes.values())) > 1:
        [a, b] = list({shape: name for name, shape in sizes.items()}.items())[:2]
        raise DataError(
            f"subjects would tell clips of different sizes apart: {a[1]} is {a[0][2]}×{a[0][1]}, "
            f"{b[1]} is {b[0][2]}×{b[0][1]}; resize them"
        )
    store.create(
        path,
        _settings(options, list(folders)),
        pairs,
        dict(zip(shown, media.pad_to_same_length(videos), strict=True)),
    )


def _serve(options: StudyOptions, opened: store.Store) -> None:
    from ssagan_tf.study.server import SUBJECT, make_app
    from ssagan_tf.web import listening

    address = listening.listen(options.host, options.port, options.names)
    access = opened.access if address.is_open else ""
    if access:
        print(
            f"warning: --host={options.host} opens the study to others on the network, without "
            "encryption; they need this link"
        )
    print(f"study: {address.url(access)}")
    for number in range(1, options.subjects + 1):
        invitation = {SUBJECT: opened.invitation(number)}
        print(f"subject {number}: {address.url(access, **invitation)}")
    print("Ctrl-C stops the server; every vote is saved. Results: --report", flush=True)
    app = make_app(opened, access=access, subjects=options.subjects, called=address.allowed_hosts())
    listening.serve(app, [address.socket])
    saved = f"{len(opened.votes())} votes are saved in {opened.path}"
    raise KeyboardInterrupt(f"{saved}; run the same command to resume")


def main() -> None:
    cli.run("study", ABOUT, [StudyOptions], study)


if __name__ == "__main__":
    main()
