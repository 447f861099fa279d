"""Which clips are compared: those that the data and all systems have, and what of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ssagan_tf.data.evaluation_clips import Footage
from ssagan_tf.errors import DataError
from ssagan_tf.evaluation.clip_folders import ClipFolder, check_clips, match
from ssagan_tf.evaluation.metrics.similarity import WINDOW
from ssagan_tf.evaluation.real_clips import Size

NAMED = 5  # clips named in an error


class Selection:
    """The clips that every row is made of.

    Every clip of the folders is read once, so that what is wrong is known before the work.

    Args:
      footage: The real clips.
      chosen: Indices of those to compare.
      folders: Clips of other systems.
      skip: Leave out what is missing or broken, instead of refusing.
      report: Told how far it is.

    Attributes:
      indices: Of the clips that all have.
      found: For each of the folders, the names that these clips have in it.
      left_out: What is missing, broken or unknown, a line each.

    Raises:
      DataError: Something is wrong with a clip and `skip` is not set, or no clip is left.
    """

    def __init__(
        self,
        footage: Footage,
        chosen: Sequence[int],
        folders: Sequence[ClipFolder],
        *,
        skip: bool,
        report: Callable[[str, int, int], None] = lambda *_: None,
    ):
        names = [clip.name for clip in footage.clips]
        self._footage, self._folders = footage, folders
        self.found: dict[ClipFolder, dict[str, str]] = {}
        self.left_out = [f"{footage.about['data']}: {problem}" for problem in footage.problems]
        self._sizes: dict[ClipFolder, dict[str, Size]] = {}
        incomplete: set[str] = set()
        for folder in folders:
            found = match(names, folder.names)
            strangers = set(folder.names) - set(found.values())
            if strangers:
                strangers -= set(match(footage.other_names(), folder.names).values())
            wanted = [names[index] for index in chosen]
            missing = [name for name in wanted if name not in found]
            there = {name: found[name] for name in wanted if name in found}
            broken, self._sizes[folder] = check_clips(folder, there, report)
            self.left_out += [
                *(f"{folder.path}: no {name}{folder.why_missing(name)}" for name in missing),
                *broken.values(),
                *(f"{folder.path}: {name} is no clip of the data" for name in sorted(strangers)),
            ]
            incomplete |= {*missing, *broken}
            self.found[folder] = there
        self.indices = [index for index in chosen if names[index] not in incomplete]
        self._names = [names[index] for index in self.indices]

        if self.left_out and not skip:
            raise DataError(
                f"{len(self.left_out)} clips cannot be compared: {self._first_few()}. Mend them, "
                "or leave them out for all systems with --incomplete=skip"
            )
        if not self.indices:
            raise DataError(f"there is no clip that all systems have: {self._first_few()}")

    def _first_few(self) -> str:
        more = len(self.left_out) - NAMED
        return "; ".join(self.left_out[:NAMED]) + (f"; and {more} more" if more > 0 else "")

    def size(self, networks: Mapping[str, int], side: int = 0) -> Size:
        """Height and width at which clips are compared; real ones are brought to it.

        Args:
          networks: Names of generators, and the side of their square clips.
          side: That of all clips, if generators are to be brought to it, too; folders must have it.

        Raises:
          DataError: The systems differ, or it is too small, or not square and not that of the real
            clips.
        """
        squares = {"--size": side} if side else networks
        sizes: list[tuple[str, Size]] = [(name, (side, side)) for name, side in squares.items()]
        for folder in self._folders:
            of, first = self._sizes[folder], self._names[0]
            sizes.append((folder.name, of[first]))
            odd = [name for name in self._names if of[name] != of[first]]
            if odd:
                raise DataError(
                    f"{folder.path}: clips of different sizes: {first} is {shown(of[first])}, but "
                    f"{odd[0]} {shown(of[odd[0]])} ({len(odd)} such clips); make them alike"
                )
        if len({size for _, size in sizes}) > 1:
            each = ", ".join(f"{name} {shown(size)}" for name, size in sizes)
            raise DataError(
                f"the systems make clips of different sizes: {each}; --size brings generators "
                "to one, which folders must be of"
            )
        size = sizes[0][1]
        if min(size) < WINDOW:
            raise DataError(f"the generated clips are {shown(size)}; SSIM needs {WINDOW}×{WINDOW}")
        stored = {self._footage.clips[index].size for index in self.indices}
        if size[0] != size[1] and stored != {size}:
            raise DataError(
                f"the generated clips are {shown(size)} and the real ones "
                f"{', '.join(map(shown, sorted(stored)))}; give square clips as the networks make "
                "them, or real ones of this size"
            )
        return size


def shown(size: Size) -> str:
    """Width × height, as people say it."""
    return f"{size[1]}×{size[0]}"
