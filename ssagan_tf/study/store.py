"""The one file of a study: its videos, subjects and votes, in SQLite.

A subject is known by the hash of a secret that the browser keeps. A trial is a row made when its
subject begins; a vote fills it once and for all, so nothing that is sent twice counts twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import json
import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ssagan_tf import limits, safe_names
from ssagan_tf.errors import DataError
from ssagan_tf.files import is_writable, replacing_file
from ssagan_tf.study.design import BROKEN, Pair, order_for

FORMAT = 1
SIDES = ("left", "right")
_BUSY = 30.0  # seconds to wait for another writer
_TOKEN = 16  # letters of a token, at least
_LETTERS = 1 << 26  # of all pairs; a name may have 255
_SCHEMA = """
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
"""
_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"


@dataclasses.dataclass(frozen=True)
class Trial:
    """What a subject may know of a trial: names that say nothing."""

    key: str
    left: str
    right: str


@dataclasses.dataclass(frozen=True)
class State:
    """How far a subject is; the trials are the one to vote on and the one after it."""

    started: bool
    done: int
    total: int
    trial: Trial | None
    next: Trial | None


@dataclasses.dataclass(frozen=True)
class Vote:
    """A vote, as the report needs it."""

    subject: int
    pair: Pair
    first_left: bool
    choice: str
    voted: str

    @property
    def first_won(self) -> bool:
        return (self.choice == "left") == self.first_left


def create(
    path: Path,
    settings: Mapping[str, Any],
    pairs: Sequence[Pair],
    videos: Mapping[tuple[str, str], bytes],
) -> None:
    """Writes the file of a new study.

    Args:
      path: Of the file.
      settings: What the study was made with; `seed` is needed.
      pairs: All pairs.
      videos: mp4s by system and clip.

    Raises:
      DataError: It cannot be written, or is there already.
    """
    with replacing_file(path) as temporary:
        try:
            with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as database:
                database.execute("PRAGMA journal_mode = WAL")  # stays in the file
                database.executescript(_SCHEMA)
                database.execute("BEGIN")
                every = {**settings, "format": FORMAT, "access": secrets.token_urlsafe(16)}
                database.executemany(
                    "INSERT INTO settings VALUES (?, ?)",
                    [(name, json.dumps(value)) for name, value in every.items()],
                )
                database.executemany(
                    "INSERT INTO media VALUES (?, ?, ?)",
                    [(system, clip, data) for (system, clip), data in videos.items()],
                )
                database.executemany(
                    "INSERT INTO pairs VALUES (?, ?, ?, ?)",
                    [(i, pair.first, pair.second, pair.clip) for i, pair in enumerate(pairs)],
                )
                database.execute("COMMIT")
        except sqlite3.Error as error:
            raise DataError(f"cannot write {path}: {error}") from error
        if path.exists():  # begun by another process meanwhile, perhaps with votes
            raise DataError(f"{path} is there already; the same command goes on with it")


class Full(DataError):
    """A study has as many subjects as it may have."""


@contextlib.contextmanager
def to_read(path: Path) -> Iterator[Store]:
    """A study that is only read, and may lie where nothing can be written.

    SQLite writes beside a file that it reads; where it may not, a copy is read.

    Raises:
      DataError: As `Store`, or it cannot be copied.
    """
    file = path.resolve()
    if not file.is_file() or (is_writable(file) and is_writable(file.parent)):
        yield Store(path)
        return
    with tempfile.TemporaryDirectory(prefix="ssagan_tf-") as folder:
        try:
            for suffix in ("", "-wal", "-journal"):  # votes that are not in the file yet
                if os.path.lexists(f"{file}{suffix}"):
                    shutil.copyfile(f"{file}{suffix}", Path(folder, f"copy{suffix}"))
        except OSError as error:
            raise DataError(f"cannot copy {path} to read it: {error.strerror}") from error
        yield Store(path, Path(folder, "copy"))


class Store:
    """A study on disk; safe for many threads and processes at once.

    Args:
      path: What it is called.
      file: Where it is read and written, if elsewhere.

    Raises:
      DataError: The file is none of a study, or of another format version.
    """

    def __init__(self, path: Path, file: Path | None = None):
        self.path, self._file = path, file or path
        if not path.is_file():
            raise DataError(f"{path}: no such file; begin a study with --systems")
        # SQLite undoes what it says, and deletes the file that it names. With WAL there is none.
        if os.path.lexists(journal := f"{self._file.resolve()}-journal"):
            raise DataError(
                f"cannot use {path} as a study: {journal} is none of ours; move it away"
            )
        try:
            with self._open() as database:
                _check_schema(database)
                rows = _few(database, "SELECT name, value FROM settings")
                self.settings = {name: limits.parse_json(value) for name, value in rows}
                rows = _few(database, "SELECT first, second, clip FROM pairs ORDER BY id")
                self._pairs = [_pair(*row) for row in rows]
                database.execute("PRAGMA journal_mode = WAL")  # of earlier versions' files
        except (sqlite3.Error, TypeError, ValueError) as error:  # or another program's settings
            raise self._unusable(error) from error
        if self.settings.get("format") != FORMAT:
            raise DataError(f"{path} is of another version of this program")
        kinds = {"seed": int, "access": str}
        if not all(isinstance(self.settings.get(name), kind) for name, kind in kinds.items()):
            raise DataError(f"cannot use {path} as a study: it lacks {' or '.join(kinds)}")

    @property
    def identity(self) -> str:
        """What tells this study from others, the access token being part of it: a secret."""
        return json.dumps(self.settings, sort_keys=True)

    @property
    def access(self) -> str:
        """The token that visitors from other machines must bring.

        Raises:
          DataError: The file has none that could not be guessed.
        """
        token = self.settings.get("access")
        if not isinstance(token, str) or len(token) < _TOKEN:
            raise DataError(f"{self.path} has no access token; serve it on this machine only")
        return token

    def invitation(self, number: int) -> str:
        """The secret of a subject who is invited by a link; the same whenever it is asked for."""
        proof = hmac.digest(self.access.encode(), f"subject {number}".encode(), "sha256")
        return f"{number}.{proof.hex()[:32]}"

    @property
    def pairs(self) -> list[Pair]:
        """All pairs of the study."""
        return self._pairs

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self._file, timeout=_BUSY, isolation_level=None)
        with contextlib.closing(database):
            # Written through to the disk before a vote is confirmed.
            database.execute("PRAGMA synchronous = FULL")
            # What somebody else's file would have done beside what it is asked for is not done.
            database.execute("PRAGMA trusted_schema = OFF")
            yield database

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    # What subjects do.

    def begin(self, secret: str) -> State:
        """Makes the trials of a subject; of one who has begun already, nothing changes.

        Raises:
          Full: There are too many subjects.
        """
        with self._writing() as database:
            if _number(database, secret) is None:
                [begun] = database.execute("SELECT COUNT(*) FROM subjects").fetchone()
                if begun >= limits.SUBJECTS:
                    raise Full(f"this study is full: it has {limits.SUBJECTS:,} subjects")
                subject = database.execute(
                    f"INSERT INTO subjects (secret, began) VALUES (?, {_NOW})", [_hash(secret)]
                ).lastrowid
                order = order_for(subject, self._pairs, self.settings["seed"])
                database.executemany(
                    "INSERT INTO trials (subject, position, pair, first_left, key, left_key, "
                    "right_key) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (subject, position, pair, left, *(secrets.token_urlsafe(15) for _ in "123"))
                        for position, (pair, left) in enumerate(order)
                    ],
                )
        return self.state(secret)

    def state(self, secret: str) -> State:
        """How far the subject is."""
        with self._open() as database:
            subject = _number(database, secret)
            if subject is None:
                return State(False, 0, len(self._pairs), None, None)
            [done] = database.execute(
                "SELECT COUNT(choice) FROM trials WHERE subject = ?", [subject]
            ).fetchone()
            ahead = [Trial(*row) for row in _ahead(database, subject)]
        return State(True, done, len(self._pairs), *[*ahead, None, None][:2])

    def vote(self, secret: str, trial: str, choice: str) -> bool:
        """Takes a vote on the subject's current trial, once.

        Returns:
          Whether it was taken. It is not where the trial has its vote already, is not the
          subject's current one, or not the subject's at all.

        Raises:
          ValueError: `choice` is neither `left` nor `right`.
        """
        if choice not in SIDES:
            raise ValueError(f"choice={choice}: must be left or right")
        with self._writing() as database:
            subject = _number(database, secret)
            current = next(iter(_ahead(database, subject)), None)
            if current is None or current[0] != trial:
                return False
            database.execute(
                f"UPDATE trials SET choice = ?, voted = {_NOW} WHERE key = ? AND choice IS NULL",
                [choice, trial],
            )
        return True

    def video(self, secret: str, key: str) -> bytes | None:
        """The video of a trial of this subject, or None."""
        with self._open() as database:
            row = database.execute(
                """
                SELECT video FROM trials JOIN subjects ON subjects.id = subject
                JOIN pairs ON pairs.id = pair
                JOIN media ON media.clip = pairs.clip AND media.system =
                    CASE WHEN first_left = (left_key = :key) THEN first ELSE second END
                WHERE secret = :secret AND :key IN (left_key, right_key)
                """,
                {"key": key, "secret": _hash(secret)},
            ).fetchone()
        return row and row[0]

    # What the report needs.

    def votes(self) -> list[Vote]:
        """All votes, by subject and in the order in which they were asked for.

        Raises:
          DataError: The file is damaged, or not as this program writes it.
        """
        try:
            with self._open() as database:
                rows = database.execute(
                    "SELECT subject, pair, first_left, choice, voted FROM trials "
                    "WHERE choice IS NOT NULL ORDER BY subject, position"
                )
                return [self._vote(*row) for row in rows]
        except (sqlite3.Error, ValueError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> DataError:
        return DataError(f"cannot use {self.path} as a study: {safe_names.escaped(str(error))}")

    def _vote(
        self, subject: object, pair: object, left: object, choice: object, voted: object
    ) -> Vote:
        if not (isinstance(subject, int) and isinstance(pair, int) and left in (0, 1)):
            raise ValueError("a vote has a subject, a pair or a side that is none")
        if not 0 <= pair < len(self._pairs):
            raise ValueError(f"a vote is on pair {pair} of {len(self._pairs)}")
        return Vote(
            subject, self._pairs[pair], bool(left), _side(choice), safe_names.escaped(str(voted))
        )


def _check_schema(database: sqlite3.Connection) -> None:
    """Raises ValueError unless the tables are ours: a view may be a program without an end."""
    with contextlib.closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(_SCHEMA)
        if _schema(database) != _schema(ours):
            raise ValueError("it has other tables than a study")


def _schema(database: sqlite3.Connection) -> list[list[str]]:
    rows = _few(database, "SELECT type, name, tbl_name, sql FROM sqlite_master")
    return sorted([" ".join(str(value).split()) for value in row] for row in rows)


def _few(database: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query that takes them as they lie. Damaged tables may have no end."""
    rows, letters = [], 0
    for row in database.execute(query):
        letters += sum(1 + len(str(value)) for value in row)
        if letters > _LETTERS:
            raise ValueError(f"its tables have more than {_LETTERS:,} letters")
        rows.append(row)
    return rows


def _pair(first: object, second: object, clip: object) -> Pair:
    if second != BROKEN:
        safe_names.checked(second, "system")
    return Pair(safe_names.checked(first, "system"), str(second), safe_names.checked(clip, "clip"))


def _side(choice: object) -> str:
    if choice not in SIDES:
        raise ValueError(f"a vote is for {safe_names.shown(choice)}")
    return str(choice)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _number(database: sqlite3.Connection, secret: str) -> int | None:
    row = database.execute("SELECT id FROM subjects WHERE secret = ?", [_hash(secret)]).fetchone()
    return row and row[0]


def _ahead(database: sqlite3.Connection, subject: int | None) -> list[tuple[str, str, str]]:
    """The current trial and the one after it."""
    return database.execute(
        "SELECT key, left_key, right_key FROM trials WHERE subject = ? AND choice IS NULL "
        "ORDER BY position LIMIT 2",
        [subject],
    ).fetchall()
