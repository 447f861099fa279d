"""Sequences of pictures in a folder, by the numbers or times in their names.

Names that differ only in one number or time are a sequence. A missing number is a gap, and so is
an interval of more than 1.5 times the usual one.
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

MAX_NUMBER = (1 << 63) - 1  # that a record can store
_MAX_INTERVAL = 1.5  # times the usual one; a missing picture makes it 2
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
    """A picture in a sequence.

    Attributes:
      number: The number in its name. A time counts as a number: 20240501121105.
      position: The number again, or the time in seconds.
      name: Name of the file.
    """

    number: int
    position: float
    name: str


@dataclasses.dataclass(frozen=True)
class FileSequence:
    """A sequence of pictures.

    Attributes:
      affixes: What comes before and after the number in their names.
      files: All of them in order.
      precision: Precision of the times in their names, in seconds; 0 if they are numbers.
    """

    affixes: tuple[str, str]
    files: tuple[NumberedFile, ...]
    precision: float = 0.0

    def runs(self) -> Iterator[tuple[NumberedFile, ...]]:
        """Yields the parts between gaps."""
        steps = [b.position - a.position for a, b in itertools.pairwise(self.files)]
        usual = self._usual(steps) if steps else 0.0
        if self.precision:
            # Times are truncated, not rounded.
            longest = max(_MAX_INTERVAL * usual, usual + 0.9 * self.precision)
            gaps = [step > longest for step in steps]
        else:
            gaps = [step != usual for step in steps]
        ends = [index for index, gap in enumerate(gaps, 1) if gap]
        for begin, end in itertools.pairwise([0, *ends, len(self.files)]):
            yield self.files[begin:end]

    def _usual(self, steps: Sequence[float]) -> float:
        if self.precision:
            median = statistics.median(steps)
            return statistics.fmean(step for step in steps if step <= 2 * median)
        # The most frequent step; the smallest of several, as with very few pictures.
        counted = collections.Counter(sorted(steps))
        return max(counted, key=counted.__getitem__)


def find_sequences(files: Iterable[str]) -> tuple[list[FileSequence], dict[str, str]]:
    """Sorts pictures into sequences.

    Names that differ only in digits are sorted by time if all of them have one, else by the last
    number.

    Args:
      files: Names of the pictures in a folder.

    Returns:
      The sequences, and why other pictures are skipped, by name.
    """
    skipped: dict[str, str] = {}
    alike = collections.defaultdict(list)
    for file in sorted(files):
        stem = os.path.splitext(file)[0]
        if _DIGITS.search(stem):
            alike[_DIGITS.sub("0", stem)].append(file)
        else:
            skipped[file] = "no number in its name"
    found = []
    for group in alike.values():
        for affixes, numbered, precision in _by_time(group) or _by_number(group):
            kept: dict[int, NumberedFile] = {}
            for file in sorted(numbered, key=lambda file: (file.position, file.name)):
                if file.number > MAX_NUMBER:
                    skipped[file.name] = "its number is too large"
                elif other := kept.get(file.number):
                    what = "time" if precision else "number"
                    skipped[file.name] = f"duplicate {what}: the same as {other.name}"
                else:
                    kept[file.number] = file
            if kept:
                found.append(FileSequence(affixes, tuple(kept.values()), precision))
    return found, skipped


def sequence_labels(sequences: Sequence[FileSequence]) -> list[str]:
    """Returns unique names for the sequences of a folder; empty if there is only one."""
    if len(sequences) < 2:
        return [""] * len(sequences)
    for kind in (
        [prefix or suffix for prefix, suffix in (each.affixes for each in sequences)],
        ["".join(each.affixes) for each in sequences],
    ):
        stripped = [text.strip(" _-.") for text in kind]
        if len(set(stripped)) == len(sequences) and not any(map(safe_names.fault, stripped)):
            return stripped
    return [each.files[0].name for each in sequences]


_Found = list[tuple[tuple[str, str], list[NumberedFile], float]]
"""Affixes, files and precision of each sequence."""


def _by_number(files: Sequence[str]) -> _Found:
    """By the last number, among names that are the same otherwise."""
    parts = {file: re.split(r"([0-9]+)", os.path.splitext(file)[0]) for file in files}
    column = len(parts[files[0]]) - 2
    if len({"".join(part[:column]) for part in parts.values()}) == len(files) > 1:
        # All names differ in that; but numbers that increase together count the same pictures.
        numbers = sorted([int(digits) for digits in part[1::2]] for part in parts.values())
        if all(a[0] < b[0] and a[1:] < b[1:] for a, b in itertools.pairwise(numbers)):
            numbered = [_numbered_file(part[1], file) for file, part in parts.items()]
            return [((parts[files[0]][0], ""), numbered, 0.0)]
    sequences = collections.defaultdict(list)
    for file, part in parts.items():
        sequences["".join(part[:column]), part[-1]].append(_numbered_file(part[column], file))
    return [(affixes, numbered, 0.0) for affixes, numbered in sequences.items()]


def _numbered_file(digits: str | int, name: str) -> NumberedFile:
    return NumberedFile(int(digits), int(digits), name)


def _by_time(files: Sequence[str]) -> _Found | None:
    """By the time in the name; None if a name has no time."""
    sequences, counted = collections.defaultdict(list), []
    precision = 0.0
    for file in files:
        stem = os.path.splitext(file)[0]
        found = _TIME.search(stem)
        time = _parse_time(found) if found else None
        if not time:
            return None
        number, seconds, precision = time
        affixes = stem[: found.start()], stem[found.end() :]
        sequences[affixes].append(NumberedFile(number, seconds, file))
        counter = [found["part"]] if found["joint"] else _DIGITS.findall("".join(affixes))[-1:]
        counted.append((seconds, [int(digits) for digits in counter], file))
    first = next(iter(sequences))
    if len(files) > 1 and all(counter for _, counter, _ in counted):
        # A counter next to the time, or after its seconds, is more reliable.
        numbered = [_numbered_file(counter[0], file) for _, counter, file in sorted(counted)]
        if all(a.number < b.number for a, b in itertools.pairwise(numbered)):
            return [((first[0], ""), numbered, 0.0)]
    if len(sequences) == len(files):  # ignore other numbers if all of them differ
        return [(first, [file for numbered in sequences.values() for file in numbered], precision)]
    return [(affixes, numbered, precision) for affixes, numbered in sequences.items()]


def _parse_time(found: re.Match[str]) -> tuple[int, float, float] | None:
    """Returns number, seconds and precision of a time; None if it is not valid."""
    parts = found.groupdict()
    if parts["unix"]:
        rest = parts["rest"] or ""
        digits = parts["unix"] + rest
        return int(digits), int(digits) / 10 ** len(rest), 10.0 ** -len(rest)
    clock = parts["clock"] or parts["minutes"] or parts["hours"] or ""
    digits = "".join(_DIGITS.findall(f"{parts['date'] or ''} {clock}"))
    padded = f"{'' if parts['date'] else '20000101'}{digits}".ljust(14, "0")
    try:
        time = datetime.datetime.strptime(padded, "%Y%m%d%H%M%S")
    except ValueError:
        return None
    seconds = (time - datetime.datetime(1970, 1, 1)).total_seconds()
    if part := parts["part"]:
        return int(digits + part[:3]), seconds + int(part) / 10 ** len(part), 10.0 ** -len(part)
    return int(digits), seconds, 1.0 if len(digits) in (6, 14) else 60.0 if clock else 86400.0
