"""Results of the votes: POS in [0, 1000] per case (Table 2), intervals, agreement, CSV files."""

from __future__ import annotations

import collections
import csv
import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from ssagan_tf.evaluation import markdown
from ssagan_tf.evaluation.published_results import PREFERENCES, PREFERENCES_SOURCE
from ssagan_tf.files import replacing_file
from ssagan_tf.study.store import Store, Vote

SCALE = 1000
ATTENTIVE = 0.75  # share of catch pairs that an attentive subject gets right
_Z = 1.959963984540054  # of a 95 % interval


@dataclasses.dataclass(frozen=True)
class CaseResult:
    """Preference for the first of two systems over the second.

    Attributes:
      votes: All votes.
      wins: Votes for the first.
      subjects: How many subjects voted.
      agreement: How often two subjects who saw the same pair chose alike; None if no pair was
        seen twice.
      kappa: Fleiss' κ: that agreement corrected for chance, at most 1.
    """

    first: str
    second: str
    votes: int
    wins: int
    subjects: int
    agreement: float | None
    kappa: float | None

    @property
    def pos(self) -> float | None:
        """Preference Opinion Score: votes for the first, out of 1000."""
        return SCALE * self.wins / self.votes if self.votes else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of `pos`, as if all votes were independent."""
        if not self.votes:
            return None
        low, high = wilson(self.wins, self.votes)
        return SCALE * low, SCALE * high


@dataclasses.dataclass(frozen=True)
class SubjectResult:
    """The votes of one subject.

    Attributes:
      lefts: How often the left clip was chosen.
      caught: Catch pairs answered correctly.
      catches: Catch pairs seen.
    """

    number: int
    votes: int
    lefts: int
    caught: int
    catches: int

    @property
    def is_attentive(self) -> bool:
        """Whether enough catch pairs were answered correctly; False if none was seen."""
        return self.catches > 0 and self.caught >= ATTENTIVE * self.catches


def wilson(wins: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion."""
    share = wins / total
    centre = (share + _Z**2 / (2 * total)) / (1 + _Z**2 / total)
    half = math.sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    half *= _Z / (1 + _Z**2 / total)
    return max(0.0, centre - half), min(1.0, centre + half)


def agreement(votes: Iterable[Vote]) -> tuple[float | None, float | None]:
    """Agreement over the pairs that several subjects saw, and Fleiss' κ."""
    wins: collections.Counter[str] = collections.Counter()
    seen: collections.Counter[str] = collections.Counter()
    for vote in votes:
        seen[vote.pair.clip] += 1
        wins[vote.pair.clip] += vote.first_won
    several = [clip for clip, number in seen.items() if number > 1]
    if not several:
        return None, None

    def share_alike(clip: str) -> float:
        yes, number = wins[clip], seen[clip]
        no = number - yes
        return (yes * (yes - 1) + no * (no - 1)) / (number * (number - 1))

    observed = sum(map(share_alike, several)) / len(several)
    share = sum(wins[clip] for clip in several) / sum(seen[clip] for clip in several)
    by_chance = share**2 + (1 - share) ** 2
    kappa = (observed - by_chance) / (1 - by_chance) if by_chance < 1 else None
    return observed, kappa


def by_case(store: Store, votes: Sequence[Vote]) -> list[CaseResult]:
    """The result of every case, in the order of the study, without catch pairs."""
    results = []
    cases = dict.fromkeys((p.first, p.second) for p in store.pairs if not p.is_catch)
    for first, second in cases:
        of_case = [v for v in votes if (v.pair.first, v.pair.second) == (first, second)]
        wins = sum(vote.first_won for vote in of_case)
        subjects = len({vote.subject for vote in of_case})
        results.append(CaseResult(first, second, len(of_case), wins, subjects, *agreement(of_case)))
    return results


def by_subject(votes: Sequence[Vote]) -> list[SubjectResult]:
    """Every subject who has voted."""
    results = []
    for number in sorted({vote.subject for vote in votes}):
        of_subject = [vote for vote in votes if vote.subject == number]
        catches = [vote for vote in of_subject if vote.pair.is_catch]
        results.append(
            SubjectResult(
                number,
                len(of_subject),
                sum(vote.choice == "left" for vote in of_subject),
                sum(vote.first_won for vote in catches),
                len(catches),
            )
        )
    return results


def report(store: Store) -> list[str]:
    """Returns the report, as lines of Markdown."""
    votes = store.votes()
    subjects = by_subject(votes)
    total = len(store.pairs)
    lines = [
        "# Preference study",
        "",
        f"{len(votes)} votes of {len(subjects)} subjects; "
        f"finished all {total} pairs: {sum(s.votes == total for s in subjects)}. "
        "Question: which is more realistic?",
        "",
        *_table(by_case(store, votes)),
        "",
        "POS: Preference Opinion Score, votes for the first system out of 1000 (500: no "
        "preference). 95 %: Wilson's interval, as if votes were independent; votes of one subject, "
        "or on one pair, are not, so it tends to be too narrow. Agreement: how often two subjects "
        "chose alike on the same pair; κ: Fleiss' κ, the agreement corrected for chance.",
    ]
    if any(subject.catches for subject in subjects):
        attentive = {s.number for s in subjects if s.is_attentive}
        lines += [
            "",
            f"## Attentive subjects only ({len(attentive)} of {len(subjects)})",
            "",
            f"Those who answered at least {ATTENTIVE:.0%} of their catch pairs correctly.",
            "",
            *_table(by_case(store, [vote for vote in votes if vote.subject in attentive])),
        ]
    if votes:
        lefts = sum(vote.choice == "left" for vote in votes)
        low, high = wilson(lefts, len(votes))
        lines += [
            "",
            "## Subjects",
            "",
            f"The left clip was chosen in {lefts / len(votes):.1%} of all votes "
            f"[{low:.1%}, {high:.1%}].",
            "",
            *markdown.table(
                ("subject", "votes", "left", "catch pairs correct"),
                [
                    (
                        s.number,
                        s.votes,
                        f"{s.lefts / s.votes:.0%}",
                        f"{s.caught} of {s.catches}" if s.catches else "–",
                    )
                    for s in subjects
                ],
            ),
        ]
    lines += [
        "",
        "## Reported in the paper",
        "",
        PREFERENCES_SOURCE,
        "",
        *markdown.table(
            ("case", "POS"),
            [(f"*{a} over {b}*", f"*{pos}*") for (a, b), pos in PREFERENCES.items()],
        ),
    ]
    return lines


def _table(results: Sequence[CaseResult]) -> list[str]:
    rows = []
    for result in results:
        pos = interval = "–"
        if result.interval:
            low, high = result.interval
            pos, interval = f"{result.pos:.0f}", f"{low:.0f} – {high:.0f}"
        alike = "–" if result.agreement is None else f"{result.agreement:.2f}"
        kappa = "–" if result.kappa is None else f"{result.kappa:.2f}"
        case = f"{result.first} over {result.second}"
        rows.append((case, pos, interval, result.votes, result.subjects, alike, kappa))
    return markdown.table(("case", "POS", "95 %", "votes", "subjects", "agreement", "κ"), rows)


def write(store: Store, folder: Path) -> None:
    """Writes report.md, pos.csv (one line per case) and votes.csv (one line per vote).

    Raises:
      DataError: They cannot be written.
    """
    with replacing_file(folder / "report.md") as temporary:
        temporary.write_text("\n".join(report(store)) + "\n", encoding="utf-8")
    votes = store.votes()
    cases = [
        (
            *(case.first, case.second, case.pos, *(case.interval or ("", ""))),
            *(case.votes, case.wins, case.subjects, case.agreement, case.kappa),
        )
        for case in by_case(store, votes)
    ]
    header = ("first", "second", "pos", "pos_low", "pos_high", "votes", "first_won", "subjects")
    _write_csv(folder / "pos.csv", (*header, "agreement", "kappa"), cases)
    _write_csv(
        folder / "votes.csv",
        ("subject", "first", "second", "clip", "left", "chosen", "catch", "time"),
        [
            (
                vote.subject,
                vote.pair.first,
                vote.pair.second,
                vote.pair.clip,
                vote.pair.first if vote.first_left else vote.pair.second,
                vote.pair.first if vote.first_won else vote.pair.second,
                int(vote.pair.is_catch),
                vote.voted,
            )
            for vote in votes
        ],
    )


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (
        replacing_file(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file).writerows([header, *rows])
