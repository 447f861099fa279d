from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ssagan_tf.errors import DataError
from ssagan_tf.study import results
from ssagan_tf.study.design import draw_pairs
from ssagan_tf.study.store import Store, create

CASES = [("A", "B"), ("A", "real")]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    path = tmp_path / "study.sqlite"
    pairs = draw_pairs(CASES, [f"c{i}" for i in range(8)], 6, 2, seed=0)
    videos = {
        (system, pair.clip): f"{system} {pair.clip}".encode()
        for pair in pairs
        for system in (pair.first, pair.second)
    }
    create(path, {"seed": 0}, pairs, videos)
    return Store(path)


def finish(store: Store, secret: str, prefers) -> None:
    """Votes on all trials; `prefers` chooses between the names of two videos."""
    store.begin(secret)
    while (trial := store.state(secret).trial) is not None:
        left, right = (store.video(secret, key).decode() for key in (trial.left, trial.right))
        choice = "left" if prefers(left, right) == left else "right"
        assert store.vote(secret, trial.key, choice)


def test_every_pair_once_and_the_right_videos(store: Store) -> None:
    shown = []
    finish(store, "me", lambda left, right: shown.append({left, right}) or left)
    expected = [{f"{p.first} {p.clip}", f"{p.second} {p.clip}"} for p in store.pairs]
    assert sorted(map(sorted, shown)) == sorted(map(sorted, expected))
    state = store.state("me")
    assert (state.done, state.total, state.trial) == (14, 14, None)


def test_a_study_that_is_there_is_not_replaced(store: Store) -> None:
    before = store.path.read_bytes()
    with pytest.raises(DataError, match=r"study\.sqlite is there already"):
        create(store.path, {"seed": 0}, store.pairs, {})
    assert store.path.read_bytes() == before


def test_a_vote_counts_once(store: Store) -> None:
    first = store.begin("me").trial
    assert store.vote("me", first.key, "left")
    assert not store.vote("me", first.key, "left")
    assert not store.vote("me", first.key, "right")
    [vote] = store.votes()
    assert vote.choice == "left"
    assert store.state("me").done == 1
    # Neither does a trial that is not on show yet, or another's.
    later = store.state("me").next
    assert not store.vote("me", later.key, "left")
    store.begin("you")
    assert not store.vote("you", store.state("me").trial.key, "left")
    assert not store.vote("nobody", store.state("me").trial.key, "left")
    with pytest.raises(ValueError, match="left or right"):
        store.vote("me", later.key, "up")
    assert len(store.votes()) == 1


def test_begun_twice_is_one_subject(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda _: store.begin("me"), range(16)))
    assert len({state.trial.key for state in states}) == 1
    with contextlib.closing(sqlite3.connect(store.path)) as database:
        assert database.execute("SELECT COUNT(*) FROM subjects").fetchone() == (1,)


def test_videos_are_for_their_subject_only(store: Store) -> None:
    mine = store.begin("me").trial
    store.begin("you")
    assert store.video("me", mine.left)
    assert store.video("you", mine.left) is None
    assert store.video("me", "nothing") is None


def test_nothing_that_is_shown_tells_a_system(store: Store) -> None:
    state = store.begin("me")
    words = {system for case in CASES for system in case} | {"broken"}
    keys = [state.trial.key, state.trial.left, state.trial.right, state.next.left]
    assert len(set(keys)) == 4
    assert all(len(key) == 20 for key in keys)
    assert not any(word in str(state).split() for word in words)
    # The secret itself is not in the file.
    with contextlib.closing(sqlite3.connect(store.path)) as database:
        [(secret,)] = database.execute("SELECT secret FROM subjects")
    assert len(secret) == 64


def test_many_at_once(store: Store) -> None:
    """Every subject in two threads that vote on whatever is on show."""

    def clicks(secret: str) -> int:
        counted = 0
        store.begin(secret)
        while (trial := store.state(secret).trial) is not None:
            counted += store.vote(secret, trial.key, "right")
        return counted

    with ThreadPoolExecutor(12) as pool:
        counted = list(pool.map(clicks, [f"s{i // 2}" for i in range(12)]))
    assert sum(counted) == 6 * 14 == len(store.votes())
    assert len({(vote.subject, vote.pair) for vote in store.votes()}) == 6 * 14


def test_results_of_scripted_votes(store: Store, tmp_path: Path) -> None:
    """Four subjects: three always prefer A, one always the other; all see the broken clips."""

    def prefer_a(left: str, right: str) -> str:
        if "(broken)" in left + right:
            return right if "(broken)" in left else left
        return left if left.startswith("A ") else right

    def prefer_other(left: str, right: str) -> str:
        return right if left == prefer_a(left, right) else left

    for number in range(3):
        finish(store, f"s{number}", prefer_a)
    finish(store, "contrary", prefer_other)
    a_b, a_real = results.by_case(store, store.votes())
    assert (a_b.first, a_b.second, a_b.votes, a_b.wins, a_b.pos) == ("A", "B", 24, 18, 750)
    assert (a_real.pos, a_real.subjects) == (750, 4)
    # Of the 6 pairs of subjects 3 agree; by chance 0.75² + 0.25² would.
    assert a_b.agreement == pytest.approx(0.5)
    assert a_b.kappa == pytest.approx((0.5 - 0.625) / 0.375)
    low, high = a_b.interval
    assert low == pytest.approx(551.0, abs=0.5)  # Wilson, 18 of 24, from a table
    assert high == pytest.approx(880.0, abs=0.5)
    subjects = results.by_subject(store.votes())
    assert [s.is_attentive for s in subjects] == [True, True, True, False]
    assert not dataclasses.replace(subjects[0], catches=0, caught=0).is_attentive
    assert all(s.lefts in range(5, 10) for s in subjects)  # half of each case, and the catches

    results.write(store, tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| A over B | 750 | 551 – 880 | 24 | 4 | 0.50 | -0.33 |" in text
    assert "Attentive subjects only (3 of 4)" in text
    assert "| A over B | 1000 |" in text
    assert "*SSA-GAN (a) over MD-GAN stage I* | *871*" in text
    votes = (tmp_path / "out" / "votes.csv").read_text().splitlines()
    assert len(votes) == 1 + 4 * 14
    assert votes[0] == "subject,first,second,clip,left,chosen,catch,time"
    assert (tmp_path / "out" / "pos.csv").read_text().splitlines()[1].startswith("A,B,750.0,")


def test_a_study_without_votes(store: Store) -> None:
    assert "| A over B | – | – | 0 | 0 | – | – |" in results.report(store)


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_other_files_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "s.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"s\.sqlite"):
        Store(path)
    assert content is None or path.read_bytes() == content


GOLDEN = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE media (
    system TEXT NOT NULL, clip TEXT NOT NULL, video BLOB NOT NULL, PRIMARY KEY (system, clip));
CREATE TABLE pairs (
    id INTEGER PRIMARY KEY, first TEXT NOT NULL, second TEXT NOT NULL, clip TEXT NOT NULL);
CREATE TABLE subjects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, secret TEXT NOT NULL UNIQUE, began TEXT NOT NULL);
CREATE TABLE trials (
    key TEXT PRIMARY KEY,
    subject INTEGER NOT NULL REFERENCES subjects,
    position INTEGER NOT NULL,
    pair INTEGER NOT NULL REFERENCES pairs,
    first_left INTEGER NOT NULL,
    left_key TEXT NOT NULL UNIQUE,
    right_key TEXT NOT NULL UNIQUE,
    choice TEXT CHECK (choice IN ('left', 'right')),
    voted TEXT,
    UNIQUE (subject, position),
    UNIQUE (subject, pair));
INSERT INTO settings VALUES
    ('systems', '["A", "real"]'), ('cases', '["A:real"]'), ('pairs', '2'), ('catch_pairs', '0'),
    ('seed', '0'), ('fps', '12.0'), ('format', '1'), ('access', '"RGZ0uD0Zyn1vXzKy3T0gWA"');
INSERT INTO media VALUES ('A', 'a', 'A a'), ('real', 'a', 'real a'), ('A', 'b', 'A b'),
    ('real', 'b', 'real b');
INSERT INTO pairs VALUES (0, 'A', 'real', 'b'), (1, 'A', 'real', 'a');
INSERT INTO subjects VALUES (1, '2744ccd10c7533bd736ad890f9dd5cab2adb27b07d500b9493f29cdc420cb2e0',
    '2025-01-01T00:00:00.000Z');
INSERT INTO trials VALUES
    ('k1', 1, 0, 1, 1, 'l1', 'r1', 'left', '2025-01-01T00:00:01.000Z'),
    ('k2', 1, 1, 0, 0, 'l2', 'r2', NULL, NULL);
"""


def test_a_study_that_was_begun_with_the_first_format(tmp_path: Path) -> None:
    """Goes on as it was: the subject (whose secret is "me"), the votes and the videos."""
    path = tmp_path / "old.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(GOLDEN)
    store = Store(path)
    assert store.access == "RGZ0uD0Zyn1vXzKy3T0gWA"
    state = store.state("me")
    assert (state.done, state.total, state.trial.key) == (1, 2, "k2")
    assert store.video("me", "l2") == "real b"  # first_left is false
    [case] = results.by_case(store, store.votes())
    assert (case.wins, case.votes) == (1, 1)
    assert store.vote("me", "k2", "left")
    assert [vote.first_won for vote in store.votes()] == [True, False]
    # A subject who comes new has the draws of old.
    store.begin("you")
    with contextlib.closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            "SELECT pair, first_left FROM trials WHERE subject = 2 ORDER BY position"
        ).fetchall()
    assert rows == [(1, 1), (0, 0)]


@pytest.mark.parametrize("token", [None, "", "short", 5, ["x" * 22]])
def test_others_are_let_in_with_a_token_only(store: Store, token: object) -> None:
    assert len(store.access) >= 16
    store.settings["access"] = token
    with pytest.raises(DataError, match="has no access token; serve it on this machine only"):
        _ = store.access


def test_names_begin_no_html(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>|\n"
    pairs = draw_pairs([(name, "real")], ["c0"], 1, 0, seed=0)
    videos = {(system, "c0"): b"." for system in (name, "real")}
    create(tmp_path / "study.sqlite", {"seed": 0}, pairs, videos)
    store = Store(tmp_path / "study.sqlite")
    finish_first = store.begin("me").trial
    assert store.vote("me", finish_first.key, "left")
    results.write(store, tmp_path / "report")
    report = (tmp_path / "report/report.md").read_text()
    assert "<img" not in report
    assert "| &lt;img src=x onerror=alert(1)>&#124;  over real |" in report
