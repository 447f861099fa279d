"""Pictures of a folder in their order, by the numbers or times in their names.

Pictures whose names differ in one number or time alone are a sequence. A missing number is a gap,
and so is a step in time of more than one and a half times the usual one.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import itertools
import os
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence

from ssagan_tf import safe_names

LARGEST = (1 << 63) - 1  # number that a record can hold
_WIDE = 1.5  # times the usual step in time: a gap. A picture that is missing makes 2
_DIGITS = re.compile(r"[0-9]+")
_TIME = re.compile(
    r"""(?<![0-9])
    (?:(?P<date>(?:19|20)[0-9]{2}(?P<a>[-_.:]?)[0-9]{2}(?P=a)[0-9]{2})
        (?:(?:[-_.,\ T]|\ at\ )?(?P<clock>[0-9]{2}(?P<b>[-_.:]?)[0-9]{2}(?P=b)[0-9]{2})
            (?:(?:(?P<joint>[-_])|[.,])?(?P<part>[0-9]{3}|[0-9]{6}))?
        |[-_.,\ T](?P<minutes>[0-9]{2}[-.:][0-9]{2}))?
    |(?P<hours>[0-9]{2}(?P<c>[-.:])[0-9]{2}(?P=c)[0-9]{2})
    |(?P<unix>1[0-9]{9})(?:\.?(?P<rest>[0-9]{3}|[0-9]{6}|[0-9]{9}))?
    )(?![0-9])""",
    re.VERBOSE,
)


@dataclasses.dataclass(frozen=True)
class NumberedFile:
    """A picture's place in its sequence.

    Attributes:
      number: Of its name. A time is one, too: 20240501121105.
      at: The number again, or seconds.
      file: Its name.
    """

    number: int
    at: float
    file: str


@dataclasses.dataclass(frozen=True)
class Row:
    """A sequence of pictures.

    Attributes:
      text: What stands before and behind the number in their names.
      places: All of them, in order.
      precision: Seconds that times are told to; 0: they are numbers.
    """

    text: tuple[str, str]
    places: tuple[NumberedFile, ...]
    precision: float = 0.0

    def runs(self) -> Iterator[tuple[NumberedFile, ...]]:
        """From gap to gap."""
        steps = [after.at - before.at for before, after in itertools.pairwise(self.places)]
        usual = self._usual(steps) if steps else 0.0
        if self.precision:
            most = max(_WIDE * usual, usual + 0.9 * self.precision)  # times are cut off
            gaps = [step > most for step in steps]
        else:
            gaps = [step != usual for step in steps]
        ends = [index for index, gap in enumerate(gaps, 1) if gap]
        for begin, end in itertools.pairwise([0, *ends, len(self.places)]):
            yield self.places[begin:end]

    def _usual(self, steps: Sequence[float]) -> float:
        if self.precision:
            middle = statistics.median(steps)
            return statistics.fmean(step for step in steps if step <= 2 * middle)
        # The most frequent one; of several the smallest, as few pictures tell nothing.
        counted = collections.Counter(sorted(steps))
        return max(counted, key=counted.__getitem__)


def rows(files: Iterable[str]) -> tuple[list[Row], dict[str, str]]:
    """Sorts pictures into sequences.

    A name is read as a time or, where not all of its kind have one, by its last number.

    Args:
      files: Names of the pictures of a folder.

    Returns:
      The sequences; and why the other pictures are passed over.
    """
    passed_over: dict[str, str] = {}
    alike = collections.defaultdict(list)
    for file in sorted(files):
        stem = os.path.splitext(file)[0]
        if _DIGITS.search(stem):
            alike[_DIGITS.sub("0", stem)].append(file)
        else:
            passed_over[file] = "no number in its name"
    found = []
    for group in alike.values():
        for text, places, precision in _timed(group) or _numbered(group):
            kept: dict[int, NumberedFile] = {}
            for place in sorted(places, key=lambda place: (place.at, place.file)):
                if place.number > LARGEST:
                    passed_over[place.file] = "its number is too large"
                elif other := kept.get(place.number):
                    what = "time" if precision else "number"
                    passed_over[place.file] = f"a {what} twice: as {other.file}"
                else:
                    kept[place.number] = place
            if kept:
                found.append(Row(text, tuple(kept.values()), precision))
    return found, passed_over


def labels(of: Sequence[Row]) -> list[str]:
    """Names that tell the sequences of a folder apart; empty if there is one only."""
    if len(of) < 2:
        return [""] * len(of)
    for kind in (
        [before or behind for before, behind in (row.text for row in of)],
        ["".join(row.text) for row in of],
    ):
        plain = [text.strip(" _-.") for text in kind]
        if len(set(plain)) == len(of) and not any(map(safe_names.fault, plain)):
            return plain
    return [row.places[0].file for row in of]


_Found = list[tuple[tuple[str, str], list[NumberedFile], float]]


def _numbered(files: Sequence[str]) -> _Found:
    """By the last number in the name, among those whose names are otherwise the same."""
    parts = {file: re.split(r"([0-9]+)", os.path.splitext(file)[0]) for file in files}
    column = len(parts[files[0]]) - 2
    if len({"".join(part[:column]) for part in parts.values()}) == len(files) > 1:
        # No two are: numbers that rise together count the same pictures.
        rising = sorted([int(one) for one in part[1::2]] for part in parts.values())
        if all(a[0] < b[0] and a[1:] < b[1:] for a, b in itertools.pairwise(rising)):
            places = [_numbered_file(part[1], file) for file, part in parts.items()]
            return [((parts[files[0]][0], ""), places, 0.0)]
    sequences = collections.defaultdict(list)
    for file, part in parts.items():
        sequences["".join(part[:column]), part[-1]].append(_numbered_file(part[column], file))
    return [(text, places, 0.0) for text, places in sequences.items()]


def _numbered_file(digits: str | int, file: str) -> NumberedFile:
    return NumberedFile(int(digits), int(digits), file)


def _timed(files: Sequence[str]) -> _Found | None:
    """By the time in the name, unless one has none."""
    sequences, counted = collections.defaultdict(list), []
    precision = 0.0
    for file in files:
        stem = os.path.splitext(file)[0]
        found = _TIME.search(stem)
        read = _read(found) if found else None
        if not read:
            return None
        number, at, precision = read
        text = stem[: found.start()], stem[found.end() :]
        sequences[text].append(NumberedFile(number, at, file))
        counter = [found["part"]] if found["joint"] else _DIGITS.findall("".join(text))[-1:]
        counted.append((at, [int(one) for one in counter], file))
    text = next(iter(sequences))
    if len(files) > 1 and all(counter for _, counter, _ in counted):
        # A counter beside the time, or behind its seconds, says more than the time.
        places = [_numbered_file(counter[0], file) for _, counter, file in sorted(counted)]
        if all(a.number < b.number for a, b in itertools.pairwise(places)):
            return [((text[0], ""), places, 0.0)]
    if len(sequences) == len(files):  # other numbers that no two have say nothing
        return [(text, [place for one in sequences.values() for place in one], precision)]
    return [(text, places, precision) for text, places in sequences.items()]


def _read(found: re.Match[str]) -> tuple[int, float, float] | None:
    """Number, seconds and precision of a time; None if it is none."""
    parts = found.groupdict()
    if parts["unix"]:
        rest = parts["rest"] or ""
        digits = parts["unix"] + rest
        return int(digits), int(digits) / 10 ** len(rest), 10.0 ** -len(rest)
    clock = parts["clock"] or parts["minutes"] or parts["hours"] or ""
    digits = "".join(_DIGITS.findall(f"{parts['date'] or ''} {clock}"))
    whole = f"{'' if parts['date'] else '20000101'}{digits}".ljust(14, "0")
    try:
        time = datetime.datetime.strptime(whole, "%Y%m%d%H%M%S")
    except ValueError:
        return None
    seconds = (time - datetime.datetime(1970, 1, 1)).total_seconds()
    if part := parts["part"]:
        return int(digits + part[:3]), seconds + int(part) / 10 ** len(part), 10.0 ** -len(part)
    return int(digits), seconds, 1.0 if len(digits) in (6, 14) else 60.0 if clock else 86400.0
