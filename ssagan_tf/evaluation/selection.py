"""Selects the clips to compare: those that the data and all systems have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ssagan_tf.data.evaluation_clips import Footage
from ssagan_tf.errors import DataError
from ssagan_tf.evaluation.clip_folders import ClipFolder, check_clips, match
from ssagan_tf.evaluation.metrics.similarity import WINDOW
from ssagan_tf.evaluation.real_clips import Size
from ssagan_tf.progress import ProgressCallback

_NAMED = 5  # clips named in an error


class Selection:
    """The clips that every row is computed on.

    Every clip of the folders is read once, so that problems show before the work begins.

    Args:
      footage: The real clips.
      chosen: Indices of those to compare.
      folders: Clips of other systems.
      skip: Whether to leave out clips that are missing or broken, instead of raising an error.
      report: Called with the progress.

    Attributes:
      indices: Indices of the clips that all systems have.
      found: For each folder, the names of these clips in it.
      left_out: What is missing, broken or not in the data, one line each.

    Raises:
      DataError: A clip is missing, broken or unknown and `skip` is not set, or no clip is left.
    """

    def __init__(
        self,
        footage: Footage,
        chosen: Sequence[int],
        folders: Sequence[ClipFolder],
        *,
        skip: bool,
        report: ProgressCallback = lambda *_: None,
    ):
        names = [clip.name for clip in footage.clips]
        self._footage, self._folders = footage, folders
        self.found: dict[ClipFolder, dict[str, str]] = {}
        self.left_out = [f"{footage.about['data']}: {problem}" for problem in footage.problems]
        self._sizes: dict[ClipFolder, dict[str, Size]] = {}
        incomplete: set[str] = set()
        for folder in folders:
            found = match(names, folder.names)
            unknown = set(folder.names) - set(found.values())
            if unknown:
                unknown -= set(match(footage.other_names(), folder.names).values())
            wanted = [names[index] for index in chosen]
            missing = [name for name in wanted if name not in found]
            present = {name: found[name] for name in wanted if name in found}
            broken, self._sizes[folder] = check_clips(folder, present, report)
            self.left_out += [
                *(f"{folder.path}: {name} not found{folder.why_missing(name)}" for name in missing),
                *broken.values(),
                *(f"{folder.path}: {name} is not a clip of the data" for name in sorted(unknown)),
            ]
            incomplete |= {*missing, *broken}
            self.found[folder] = present
        self.indices = [index for index in chosen if names[index] not in incomplete]
        self._names = [names[index] for index in self.indices]

        if self.left_out and not skip:
            raise DataError(
                f"{len(self.left_out)} clips cannot be compared: {self._first_few()}. Fix them, "
                "or leave them out for all systems with --incomplete=skip"
            )
        if not self.indices:
            raise DataError(f"no clip is common to all systems: {self._first_few()}")

    def _first_few(self) -> str:
        more = len(self.left_out) - _NAMED
        return "; ".join(self.left_out[:_NAMED]) + (f"; and {more} more" if more > 0 else "")

    def size(self, networks: Mapping[str, int], side: int = 0) -> Size:
        """Height and width at which clips are compared; real clips are resized to it.

        Args:
          networks: Side of the square clips of each generator, by name.
          side: Side of all clips, if generators are to be resized as well; folders must match it.
            0: none.

        Raises:
          DataError: The systems differ in size, or the size is too small, or it is neither square
            nor that of the real clips.
        """
        squares = {"--size": side} if side else networks
        sizes: list[tuple[str, Size]] = [(name, (side, side)) for name, side in squares.items()]
        for folder in self._folders:
            by_name, first = self._sizes[folder], self._names[0]
            sizes.append((folder.name, by_name[first]))
            odd = [name for name in self._names if by_name[name] != by_name[first]]
            if odd:
                two = (f"{name} is {format_size(by_name[name])}" for name in (first, odd[0]))
                raise DataError(
                    f"{folder.path}: clips of different sizes: {', but '.join(two)} ({len(odd)} "
                    "such clips); resize them"
                )
        if len({size for _, size in sizes}) > 1:
            each = ", ".join(f"{name} {format_size(size)}" for name, size in sizes)
            raise DataError(
                f"the systems make clips of different sizes: {each}; --size resizes those of "
                "generators; clips in folders must have that size already"
            )
        size = sizes[0][1]
        if min(size) < WINDOW:
            raise DataError(
                f"the generated clips are {format_size(size)}; SSIM needs at least "
                f"{WINDOW}×{WINDOW}"
            )
        stored = {self._footage.clips[index].size for index in self.indices}
        if size[0] != size[1] and stored != {size}:
            raise DataError(
                f"the generated clips are {format_size(size)} and the real ones "
                f"{', '.join(map(format_size, sorted(stored)))}; expected square clips, as the "
                "networks make them, or real clips of the same size"
            )
        return size


def format_size(size: Size) -> str:
    """Width × height, as in messages."""
    return f"{size[1]}×{size[0]}"
