"""The file of a study: its videos, subjects and votes, in SQLite.

A subject is identified by the hash of a secret that the browser keeps. The trials of a subject are
created when they begin; a vote completes a trial for good, so a vote sent twice counts once.
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
_MIN_TOKEN = 16  # characters
_MAX_CHARACTERS = 1 << 26  # of all pairs; a name may have 255
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
    """What a subject may know of a trial: random keys of the trial and its two videos."""

    key: str
    left: str
    right: str


@dataclasses.dataclass(frozen=True)
class State:
    """Progress of a subject: the trial to vote on and the one after it."""

    started: bool
    done: int
    total: int
    trial: Trial | None
    next: Trial | None


@dataclasses.dataclass(frozen=True)
class Vote:
    """A vote, for the report."""

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
      path: The file.
      settings: Settings of the study; must include `seed`.
      pairs: All pairs.
      videos: mp4s by system and clip.

    Raises:
      DataError: It cannot be written, or already exists.
    """
    with replacing_file(path) as temporary:
        try:
            with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as database:
                database.execute("PRAGMA journal_mode = WAL")  # is stored in the file
                database.executescript(_SCHEMA)
                database.execute("BEGIN")
                all_settings = {**settings, "format": FORMAT, "access": secrets.token_urlsafe(16)}
                database.executemany(
                    "INSERT INTO settings VALUES (?, ?)",
                    [(name, json.dumps(value)) for name, value in all_settings.items()],
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
        if path.exists():  # another process has created it meanwhile; it may have votes
            raise DataError(f"{path} already exists; run the same command again to resume it")


class StudyFullError(DataError):
    """A study has its maximum number of subjects."""


@contextlib.contextmanager
def open_for_reading(path: Path) -> Iterator[Store]:
    """Opens a study that is only read, and may be in a folder without write permission.

    SQLite writes files next to the one that it reads; where it cannot, a copy is read.

    Raises:
      DataError: As for `Store`, or it cannot be copied.
    """
    file = path.resolve()
    if not file.is_file() or (is_writable(file) and is_writable(file.parent)):
        yield Store(path)
        return
    with tempfile.TemporaryDirectory(prefix="ssagan_tf-") as folder:
        try:
            for suffix in ("", "-wal", "-journal"):  # recent votes may be there
                if os.path.lexists(f"{file}{suffix}"):
                    shutil.copyfile(f"{file}{suffix}", Path(folder, f"copy{suffix}"))
        except OSError as error:
            raise DataError(f"cannot copy {path} to read it: {error.strerror}") from error
        yield Store(path, Path(folder, "copy"))


class Store:
    """A study on disk; safe for many threads and processes at once.

    Args:
      path: The path by which messages name it.
      file: The file to read and write, if it is another one.

    Raises:
      DataError: The file is not a study, or is of another format version.
    """

    def __init__(self, path: Path, file: Path | None = None):
        self.path, self._file = path, file or path
        if not path.is_file():
            raise DataError(f"{path}: file not found; create a study with --systems")
        # SQLite would roll back by it, and delete the file that it names. In WAL mode, as here,
        # there is none.
        if os.path.lexists(journal := f"{self._file.resolve()}-journal"):
            raise DataError(
                f"cannot use {path} as a study: {journal} was not written by this program; "
                "move it away"
            )
        try:
            with self._open() as database:
                _check_schema(database)
                rows = _all_rows(database, "SELECT name, value FROM settings")
                self.settings = {name: limits.parse_json(value) for name, value in rows}
                rows = _all_rows(database, "SELECT first, second, clip FROM pairs ORDER BY id")
                self._pairs = [_pair(*row) for row in rows]
                database.execute("PRAGMA journal_mode = WAL")  # files of earlier versions are not
        except (sqlite3.Error, TypeError, ValueError) as error:  # or settings of another program
            raise self._unusable(error) from error
        if self.settings.get("format") != FORMAT:
            raise DataError(f"{path} was written by another version of this program")
        kinds = {"seed": int, "access": str}
        if not all(isinstance(self.settings.get(name), kind) for name, kind in kinds.items()):
            raise DataError(f"cannot use {path} as a study: it lacks {' or '.join(kinds)}")

    @property
    def identity(self) -> str:
        """Identifies this study. Secret, as it includes the access token."""
        return json.dumps(self.settings, sort_keys=True)

    @property
    def access(self) -> str:
        """The token that visitors from other machines must present.

        Raises:
          DataError: The file has none, or one that is too short.
        """
        token = self.settings.get("access")
        if not isinstance(token, str) or len(token) < _MIN_TOKEN:
            raise DataError(
                f"{self.path} has no access token; it can be served on this machine only"
            )
        return token

    def invitation(self, number: int) -> str:
        """The secret in the personal link of a subject; always the same for the same number."""
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
            # A vote is on disk before it is confirmed.
            database.execute("PRAGMA synchronous = FULL")
            # Do not run code of an untrusted file's schema.
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

    # For subjects.

    def begin(self, secret: str) -> State:
        """Creates the trials of a subject, unless they exist.

        Raises:
          StudyFullError: The study has its maximum number of subjects.
        """
        with self._writing() as database:
            if _number(database, secret) is None:
                [count] = database.execute("SELECT COUNT(*) FROM subjects").fetchone()
                if count >= limits.SUBJECTS:
                    raise StudyFullError(f"this study is full: it has {limits.SUBJECTS:,} subjects")
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
        """The progress of a subject."""
        with self._open() as database:
            subject = _number(database, secret)
            if subject is None:
                return State(False, 0, len(self._pairs), None, None)
            [done] = database.execute(
                "SELECT COUNT(choice) FROM trials WHERE subject = ?", [subject]
            ).fetchone()
            upcoming = [Trial(*row) for row in _upcoming(database, subject)]
        return State(True, done, len(self._pairs), *[*upcoming, None, None][:2])

    def vote(self, secret: str, trial: str, choice: str) -> bool:
        """Records a vote on the subject's current trial, once.

        Returns:
          Whether it was recorded. It is not if the trial already has a vote, or is not the current
          trial of this subject.

        Raises:
          ValueError: `choice` is neither `left` nor `right`.
        """
        if choice not in SIDES:
            raise ValueError(f"choice={choice}: must be left or right")
        with self._writing() as database:
            subject = _number(database, secret)
            current = next(iter(_upcoming(database, subject)), None)
            if current is None or current[0] != trial:
                return False
            database.execute(
                f"UPDATE trials SET choice = ?, voted = {_NOW} WHERE key = ? AND choice IS NULL",
                [choice, trial],
            )
        return True

    def video(self, secret: str, key: str) -> bytes | None:
        """The video with this key in a trial of this subject, or None."""
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

    # For the report.

    def votes(self) -> list[Vote]:
        """All votes, by subject and in the order of their trials.

        Raises:
          DataError: The file is damaged, or was not written by this program.
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
            raise ValueError("a vote has an invalid subject, pair or side")
        if not 0 <= pair < len(self._pairs):
            raise ValueError(f"a vote is on pair {pair}, but there are {len(self._pairs)}")
        return Vote(
            subject, self._pairs[pair], bool(left), _side(choice), safe_names.escaped(str(voted))
        )


def _check_schema(database: sqlite3.Connection) -> None:
    """Raises ValueError unless the tables are those of a study: a view could run forever."""
    with contextlib.closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(_SCHEMA)
        if _schema(database) != _schema(ours):
            raise ValueError("its tables are not those of a study")


def _schema(database: sqlite3.Connection) -> list[list[str]]:
    rows = _all_rows(database, "SELECT type, name, tbl_name, sql FROM sqlite_master")
    return sorted([" ".join(str(value).split()) for value in row] for row in rows)


def _all_rows(database: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """All rows of a query. Bounded, as a damaged table may have no end."""
    rows, characters = [], 0
    for row in database.execute(query):
        characters += sum(1 + len(str(value)) for value in row)
        if characters > _MAX_CHARACTERS:
            raise ValueError(f"its tables have more than {_MAX_CHARACTERS:,} characters")
        rows.append(row)
    return rows


def _pair(first: object, second: object, clip: object) -> Pair:
    if second != BROKEN:
        safe_names.checked(second, "system")
    return Pair(safe_names.checked(first, "system"), str(second), safe_names.checked(clip, "clip"))


def _side(choice: object) -> str:
    if choice not in SIDES:
        raise ValueError(f"a vote is for {safe_names.shown(choice)}, expected left or right")
    return str(choice)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _number(database: sqlite3.Connection, secret: str) -> int | None:
    row = database.execute("SELECT id FROM subjects WHERE secret = ?", [_hash(secret)]).fetchone()
    return row and row[0]


def _upcoming(database: sqlite3.Connection, subject: int | None) -> list[tuple[str, str, str]]:
    """The current trial and the one after it."""
    return database.execute(
        "SELECT key, left_key, right_key FROM trials WHERE subject = ? AND choice IS NULL "
        "ORDER BY position LIMIT 2",
        [subject],
    ).fetchall()
