from __future__ import annotations

import contextlib
import dataclasses
import shutil
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ssagan_tf.errors import DataError
from ssagan_tf.study import __main__, results  # noqa: F401  before a user who may not import it
from ssagan_tf.study.design import draw_pairs
from ssagan_tf.study.store import Store, StudyFullError, create, open_for_reading
from tests.programs import complaint, run
from tests.surroundings import read_only

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


@pytest.mark.parametrize("open_elsewhere", [False, True])
def test_a_study_in_a_read_only_folder_is_reported(
    monkeypatch: pytest.MonkeyPatch, store: Store, open_elsewhere: bool
) -> None:
    finish(store, "me", min)
    expected = results.report(store)
    # In a folder of its own, as pytest's are private.
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name) / "study"
        folder.mkdir()
        path = folder / "study.sqlite"
        shutil.copy(store.path, path)
        if open_elsewhere:  # then the last votes are in the file next to it
            there = stack.enter_context(contextlib.closing(sqlite3.connect(path)))
            there.execute("UPDATE trials SET choice = NULL WHERE position = 0")
            there.commit()
            assert {each.name for each in folder.iterdir()} > {"study.sqlite-wal", "study.sqlite"}
        Path(name).chmod(0o755)
        before = {each.name: each.read_bytes() for each in folder.iterdir()}
        monkeypatch.chdir(folder)  # a checkout may be private, too
        with read_only(folder):
            try:
                path.stat()
            except PermissionError:
                pytest.skip("only root may look into the folder of temporary files")
            with open_for_reading(path) as opened:
                assert len(opened.votes()) == 14 - open_elsewhere
                assert opened.path == path
            result = run("study.__main__", f"--store={path}", "--report", cwd=folder)
            line = complaint(result, 1)
            assert "give another folder as --output" in line
            assert "report.md: Permission denied" in line
            if not open_elsewhere:
                assert result.stdout.splitlines() == expected
        assert {each.name: each.read_bytes() for each in folder.iterdir()} == before
        monkeypatch.undo()


def test_an_existing_study_is_not_replaced(store: Store) -> None:
    before = store.path.read_bytes()
    with pytest.raises(DataError, match=r"study\.sqlite already exists"):
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
    # Neither does one on a trial that is not shown yet, or on another subject's.
    later = store.state("me").next
    assert not store.vote("me", later.key, "left")
    store.begin("you")
    assert not store.vote("you", store.state("me").trial.key, "left")
    assert not store.vote("nobody", store.state("me").trial.key, "left")
    with pytest.raises(ValueError, match="left or right"):
        store.vote("me", later.key, "up")
    assert len(store.votes()) == 1


def test_beginning_twice_makes_one_subject(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda _: store.begin("me"), range(16)))
    assert len({state.trial.key for state in states}) == 1
    with contextlib.closing(sqlite3.connect(store.path)) as database:
        assert database.execute("SELECT COUNT(*) FROM subjects").fetchone() == (1,)


def test_videos_are_only_for_their_subject(store: Store) -> None:
    mine = store.begin("me").trial
    store.begin("you")
    assert store.video("me", mine.left)
    assert store.video("you", mine.left) is None
    assert store.video("me", "nothing") is None


def test_nothing_that_a_subject_sees_reveals_a_system(store: Store) -> None:
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


def test_many_subjects_at_once(store: Store) -> None:
    """Every subject in two threads that vote on whatever is shown."""

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
    """Three subjects prefer A and recognise the broken clips; one always votes otherwise."""

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
    assert "*SSA-GAN over MD-GAN stage I* | *871*" in text
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


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE pairs SET clip = '../../etc/passwd' WHERE id = 0",
        "UPDATE pairs SET first = x'00ff' WHERE id = 0",
        "UPDATE pairs SET second = 'a' || char(27) || 'b' WHERE id = 0",
        "UPDATE settings SET value = replace(hex(zeroblob(9999)), '00', '[') WHERE name = 'seed'",
        "UPDATE settings SET value = '\"x\"' WHERE name = 'seed'",
        "UPDATE settings SET value = x'00' WHERE name = 'seed'",
        "DELETE FROM settings WHERE name = 'access'",
        "CREATE TABLE more (x)",
        "CREATE INDEX more ON trials (choice)",
        "CREATE TRIGGER t AFTER INSERT ON subjects BEGIN DELETE FROM trials; END",
        "DROP TABLE trials",
        "ALTER TABLE media ADD more",
        *(
            f"DROP TABLE {table}; CREATE VIEW {table} AS WITH RECURSIVE r(x, y, z, id) AS "
            "(SELECT 'a', '1', 'c', 1 UNION ALL SELECT * FROM r) SELECT * FROM r"
            for table in ("pairs", "settings")
        ),
    ],
)
def test_an_untrusted_study(store: Store, change: str) -> None:
    with contextlib.closing(sqlite3.connect(store.path)) as database:
        database.executescript(change)
    with pytest.raises(DataError, match=r"cannot use .* as a study") as raised:
        Store(store.path)
    assert str(raised.value).isprintable()


def test_an_untrusted_journal(store: Store) -> None:
    """SQLite would roll back by it, and delete the file that it names."""
    journal = store.path.with_name(f"{store.path.name}-journal")
    journal.write_bytes(b"x")
    link = store.path.with_name("link.sqlite")
    link.symlink_to(store.path)
    for path in (store.path, link):
        with pytest.raises(
            DataError, match=r"study\.sqlite-journal was not written by this program"
        ):
            Store(path)
    assert journal.read_bytes() == b"x"


def test_endless_tables(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssagan_tf.study.store._MAX_CHARACTERS", 100)
    with pytest.raises(DataError, match="more than 100 characters"):
        Store(store.path)


@pytest.mark.parametrize(
    "change",
    [
        "pair = 99",
        "pair = -1",
        "pair = 'x'",
        "subject = 'x'",
        "first_left = 'x'",
        "choice = CAST(x'ff' AS TEXT)",
        "voted = CAST(x'ff' AS TEXT)",
    ],
)
def test_untrusted_votes(store: Store, change: str) -> None:
    finish(store, "me", lambda left, right: left)
    with contextlib.closing(sqlite3.connect(store.path)) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute(f"UPDATE trials SET {change} WHERE position = 0")
        database.commit()
    with pytest.raises(DataError, match=r"cannot use .* as a study"):
        results.report(Store(store.path))


def test_votes_on_damaged_pages(store: Store) -> None:
    finish(store, "me", lambda left, right: left)
    with contextlib.closing(sqlite3.connect(store.path)) as database:
        [root] = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'trials'")
        [size] = database.execute("PRAGMA page_size").fetchone()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    opened = Store(store.path)
    with store.path.open("r+b") as file:
        file.seek((root[0] - 1) * size)
        file.write(b"\xff" * size)
    with pytest.raises(DataError, match=r"cannot use .* as a study"):
        opened.votes()


def test_a_study_is_full(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssagan_tf.limits.SUBJECTS", 2)
    for secret in ("me", "you", "me"):
        assert store.begin(secret).started
    with pytest.raises(StudyFullError, match="it has 2 subjects"):
        store.begin("they")
    assert not store.state("they").started
