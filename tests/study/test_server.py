"""The program and its requests, without a browser."""

from __future__ import annotations

import contextlib
import http.client
import re
import sqlite3
import statistics
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from ssagan_tf import video
from ssagan_tf.errors import DataError
from ssagan_tf.options import OptionError, StudyOptions
from ssagan_tf.study.__main__ import study
from ssagan_tf.study.store import Store


def votes(folder: Path) -> list:
    return Store(folder / "study.sqlite").votes()


@pytest.fixture(scope="module")
def served(systems: Path, start_study, tmp_path_factory) -> Iterator:
    """A study that several tests share: 2 pairs a case, 3 cases and a catch pair."""
    folder = tmp_path_factory.mktemp("served")
    running = start_study(systems, folder / "study.sqlite", catch_pairs=1)
    running.folder = folder
    yield running
    running.kill()


def finish(subject, state, choice="left") -> int:
    count = 0
    while state["trial"] is not None:
        state = subject.vote(state["trial"], choice)
        assert state["counted"]
        count += 1
    return count


def test_two_subjects(served, visit) -> None:
    before = len(votes(served.folder))
    me = visit(served)
    assert me.post("/api/start")["total"] == 3 * 2 + 1
    state = me.post("/api/start")  # clicked twice
    assert (state["started"], state["done"]) == (True, 0)
    assert finish(me, state) == 7
    # One browser stays one subject, whatever it asks for.
    assert me.request("POST", "/api/leave", {})[0] == 404
    cookies = dict(me.cookies)
    me.get("/")
    assert me.cookies == cookies
    assert me.post("/api/start")["done"] == 7
    you = visit(served)
    assert finish(you, you.post("/api/start")) == 7
    mine = votes(served.folder)[before:]
    assert len(mine) == 14
    assert len({vote.subject for vote in mine}) == 2


def test_nothing_reveals_the_systems(served, visit) -> None:
    """All videos have the same length and headers, and random names."""
    me = visit(served)
    state = me.post("/api/start")
    lengths, kinds, contents, texts = set(), set(), [], []
    while (trial := state["trial"]) is not None:
        for side in ("left", "right"):
            status, content, headers = me.get(f"/media/{trial[side]}")
            assert status == 200
            lengths.add(len(content))
            kinds.add(tuple(sorted((k, v) for k, v in headers.items() if k != "date")))
            contents.append(content.lower())
            texts.append(str(headers).lower().encode())
        texts.append(str(state).lower().encode())
        state = me.vote(trial, "right")
    assert len(lengths) == 1
    assert len(kinds) == 1
    [kind] = kinds
    names = {name for name, _ in kind}
    assert not names & {"etag", "last-modified", "content-disposition", "server"}
    page = me.get("/")[1].lower()
    texts.append(page.replace(b"more realistic", b"").replace(b"real time", b""))
    for text in texts:
        for name in (b"'a'", b"evening", b"broken", b"system"):
            assert name not in text, name
        # Keys are 20 random letters, which may hold so short a name by chance.
        assert b"real" not in re.sub(rb"(?<![\w-])[\w-]{20}(?![\w-])", b"", text)
    for content in contents:  # likewise for their bytes
        for name in (b"/real/", b"evening", b"broken", b"system"):
            assert name not in content, name


def test_another_subject_can_neither_see_nor_change_anything(served, visit) -> None:
    before = votes(served.folder)
    me, you = visit(served), visit(served)
    mine = me.post("/api/start")["trial"]
    yours = you.post("/api/start")["trial"]
    assert {mine["key"], mine["left"]}.isdisjoint(yours.values())
    assert you.get(f"/media/{mine['left']}")[0] == 404
    answer = you.vote(mine, "left")
    assert answer["counted"] is False
    assert answer["trial"] == yours
    outsider = visit(served)
    outsider.cookies.clear()
    assert outsider.get("/api/state")[0] == 401
    assert outsider.get(f"/media/{mine['left']}")[0] == 401
    assert votes(served.folder) == before
    for path in ("/docs", "/openapi.json", "/study.sqlite", "/../study.sqlite", "/api/votes"):
        assert me.get(path)[0] in (404, 405)
    assert me.request("POST", "/api/vote", {"trial": mine["key"], "choice": "both"})[0] == 422
    for trial in (5, None, ["x"], "x" * 100, "\ud800"):
        status, content, _ = me.request("POST", "/api/vote", {"trial": trial, "choice": "left"})
        assert (status, content) == (422, b"not a valid vote\n")
    for trial in ("\0", "' OR 1=1 --", "../x", "é"):
        assert me.post("/api/vote", {"trial": trial, "choice": "left"})["counted"] is False
        assert me.get(f"/media/{quote(trial, safe='')}")[0] == 404
    assert me.request("POST", "/api/vote", {"trial": "x" * 5000, "choice": "left"})[0] == 413
    assert me.get("/", Host="elsewhere.example")[0] == 421
    assert me.request("POST", "/api/start", {}, Origin="http://elsewhere.example")[0] == 403
    assert votes(served.folder) == before


@pytest.mark.slow
def test_killed_and_restarted(serve, visit, tmp_path: Path) -> None:
    """SIGKILL while votes arrive: confirmed votes are kept, once, and the study continues."""
    served = serve()
    subjects = [visit(served) for _ in range(4)]
    confirmed: dict[str, str] = {}
    stop = threading.Event()

    def keep_voting(subject) -> None:
        state = None
        while state is None or state["trial"] is not None:
            try:
                if state is None:
                    state = subject.post("/api/start")
                    continue
                key = state["trial"]["key"]
                state = subject.vote(state["trial"], "right")
                confirmed[key] = "right"
            except (OSError, http.client.HTTPException):  # the server is away
                if stop.wait(0.05):
                    return

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(keep_voting, subject) for subject in subjects]
        try:
            for _ in range(2):
                before = len(confirmed)
                while len(confirmed) < min(before + 3, 20):
                    stop.wait(0.005)
                served.kill()
                served.start()
            for future in running:
                future.result(timeout=60)
        finally:
            stop.set()
    with contextlib.closing(sqlite3.connect(tmp_path / "study.sqlite")) as database:
        stored = dict(database.execute("SELECT key, choice FROM trials WHERE choice IS NOT NULL"))
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(stored) == 4 * 6
    assert confirmed.items() <= stored.items()
    assert "resuming the study" in served.output
    said = served.interrupt()
    assert (
        f"24 votes are saved in {tmp_path / 'study.sqlite'}; run the same command to resume" in said
    )
    assert served.process.returncode == 130


@pytest.mark.long
def test_fifty_subjects_at_once(serve, visit, tmp_path: Path, capsys) -> None:
    served = serve(pairs=1)

    def take_part(_: int) -> tuple[int, list[float]]:
        subject = visit(served)
        state = subject.post("/api/start")
        count = 0
        while (trial := state["trial"]) is not None and count < 50:
            for side in ("left", "right"):
                assert subject.get(f"/media/{trial[side]}")[0] == 200
            with ThreadPoolExecutor(2) as both:  # a double click
                first, second = both.map(lambda _, t=trial: subject.vote(t, "left"), "12")
            assert first["counted"] + second["counted"] == 1
            state = first if first["done"] >= second["done"] else second
            count += 1
        return count, subject.seconds

    with ThreadPoolExecutor(50) as pool:
        taken = list(pool.map(take_part, range(50)))
    assert [count for count, _ in taken] == [3] * 50
    every = votes(tmp_path)
    assert len(every) == 50 * 3
    assert len({(vote.subject, vote.pair) for vote in every}) == 50 * 3
    seconds = sorted(second for _, some in taken for second in some)
    with capsys.disabled():
        print(
            f"\n{len(seconds)} requests of 50 subjects: median {statistics.median(seconds):.3f} s, "
            f"95 % {seconds[int(0.95 * len(seconds))]:.3f} s, longest {seconds[-1]:.3f} s"
        )


@pytest.mark.slow
def test_others_on_the_network_need_a_token(serve, visit) -> None:
    served = serve(host="0.0.0.0", subjects=1)
    assert "warning: --host=0.0.0.0 opens the study to others" in served.output
    token = served.url.partition("access=")[2]
    assert len(token) > 15
    subject = visit(served, admitted=False)
    for path in ("/", "/api/state", "/page.js", "/media/x", "/?access=wrong"):
        assert subject.get(path)[0] == 403
    assert subject.request("POST", "/api/start")[0] == 403
    status, _, headers = subject.get(f"/?access={token}")
    assert (status, headers["location"]) == (303, "/")
    assert subject.get("/")[0] == 403  # this study has personal links
    link = re.search(r"^subject 1: http://[^/]+(/\S+)$", served.output, re.MULTILINE)[1]
    assert link.startswith(f"/?access={token}&subject=")
    subject = visit(served, admitted=False)
    for path in (link, None, None):
        status, _, headers = subject.get(path or headers["location"])
    assert status == 200
    assert subject.post("/api/start")["started"]
    assert token not in served.interrupt()  # what came after the links


@pytest.mark.parametrize(
    ("more", "kind", "message"),
    [
        ({"store": ""}, OptionError, "store=: "),
        ({"systems": ()}, OptionError, "systems=: "),
        ({"systems": ("A=nowhere", "B=nowhere")}, DataError, "nowhere: folder not found"),
        ({"pairs": 5}, OptionError, "pairs=5: the folders have only 4 clips in common"),
        ({"cases": ("A:C",)}, OptionError, "cases=A:C: must be A:B"),
        ({"report": True, "store": "nowhere.sqlite"}, DataError, "nowhere.sqlite: file not found"),
    ],
)
def test_bad_settings(more, kind, message, systems: Path, tmp_path: Path) -> None:
    settings = {
        "systems": tuple(f"{name}={systems / name}" for name in ("A", "real")),
        "store": str(tmp_path / "study.sqlite"),
        **more,
    }
    with pytest.raises(kind, match=message):
        study(StudyOptions(**settings))
    assert not list(tmp_path.iterdir())


def test_clips_of_different_sizes(systems: Path, tmp_path: Path, noise) -> None:
    for number in range(4):
        video.write_mp4(tmp_path / "B" / f"evening{number}.mp4", noise(32, 48, 48, 3), 12)
    with pytest.raises(DataError, match=r"tell clips of different sizes apart: .* 32×32, .* 48×48"):
        study(
            StudyOptions(
                systems=(f"A={systems}/A", f"B={tmp_path}/B"),
                pairs=2,
                store=str(tmp_path / "study.sqlite"),
            )
        )


def test_other_settings_and_a_used_port_are_refused(served, systems: Path) -> None:
    settings = {
        "systems": tuple(f"{name}={systems / name}" for name in ("A", "B", "real")),
        "store": str(served.folder / "study.sqlite"),
        "pairs": 2,
        "catch_pairs": 1,
    }
    with pytest.raises(OptionError, match=r"pairs=3: the study in .* was created with 2"):
        study(StudyOptions(**{**settings, "pairs": 3}))
    with pytest.raises(DataError, match=f"cannot listen on 127.0.0.1:{served.port}"):
        study(StudyOptions(**settings, port=served.port))


def test_report_while_the_study_is_served(served, visit, capsys) -> None:
    finish(me := visit(served), me.post("/api/start"))
    study(StudyOptions(report=True, store=str(served.folder / "study.sqlite")))
    assert f"{len(votes(served.folder))} votes of" in capsys.readouterr().out
    assert {p.name for p in (served.folder / "study_report").iterdir()} == {
        *("report.md", "pos.csv", "votes.csv"),
    }
