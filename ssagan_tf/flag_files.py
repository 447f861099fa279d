"""A command line with the lines of its flag files in place of `--flagfile=FILE`.

Flag files may include others. In the result, settings have their current names, and what a file
sets for one network does not reach another.
"""

from __future__ import annotations

import codecs
import dataclasses
import importlib.resources
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

from absl import flags

import ssagan_tf
from ssagan_tf import limits, options, user_paths

CONFIGS = "configs"  # the shipped flag files: a folder of the checkout, or of the package
_FLAGFILE = re.compile("--?flagfile(?:=(.*))?$", re.DOTALL)
_FLAG = re.compile(r"(--?)([\w-]+)(=.*)?", re.DOTALL)
# The settings of a recipe, and the one that chooses it. None is a switch, so all take values.
_RECIPE = options.TrainOptions.recipe_settings()
_NETWORK = "network"


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument: typed, or a line of a flag file."""

    text: str
    file: str = ""  # empty if it was typed

    @property
    def name(self) -> str:
        """Name of the flag, with `no` in front of a switch that is turned off; may be empty."""
        match = _FLAG.fullmatch(self.text)
        return match[2] if match else ""

    @property
    def value(self) -> str:
        return self.text.partition("=")[2]


@dataclasses.dataclass(frozen=True)
class CommandLine:
    """A command line with its flag files read.

    Attributes:
      arguments: Its arguments in order; a later one replaces an earlier one of the same name.
      notes: Lines to tell the user: where a file was found, which settings were left out.
      warnings: Lines about what the user should change.
    """

    arguments: Sequence[Argument]
    notes: Sequence[str]
    warnings: Sequence[str]

    @property
    def texts(self) -> list[str]:
        """The arguments as strings, for absl."""
        return [argument.text for argument in self.arguments]


def read_command_line(
    arguments: Iterable[str], renamed: Mapping[str, str] = options.RENAMED
) -> CommandLine:
    """Reads the flag files that a command line names.

    A flag file is found relative to the working directory or, if another file names it, next to
    that one; otherwise by its name among the shipped ones. Files are read as absl reads them, but
    may also have a byte order mark, UTF-16, and the line ends of other systems.

    Recipe settings in a file apply only to the network that the file names. They are left out if
    the command line, or a file that includes it, ends up with another network.

    Args:
      arguments: The command line, without the program.
      renamed: Current names of settings by their old ones.

    Raises:
      flags.Error: A file cannot be read, includes itself, or overrides a network given before it;
        or a setting is given under both its old and its current name.
    """
    reader = _Reader(renamed)
    found, _ = reader.expand(arguments)
    return CommandLine(found, reader.notes, reader.warnings)


def lines_of(data: bytes) -> list[str]:
    """Returns the lines of a flag file, without empty lines and comments.

    Raises:
      UnicodeDecodeError: It is not a text file.
    """
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # PowerShell's
    text = data.decode("utf-16" if is_wide else "utf-8-sig")
    lines = map(str.strip, io.StringIO(text, newline=None))
    return [line for line in lines if line and not line.startswith(("#", "//"))]


def includes_another_file(line: str) -> bool:
    """Whether a line includes another flag file."""
    return bool(_FLAGFILE.match(line))


def shipped_config(name: str) -> Path | None:
    """Finds a shipped flag file by name, such as `demo.cfg` or `configs/demo.cfg`."""
    requested = Path(name)
    if requested.suffix != ".cfg" or requested.parent not in (Path(), Path(CONFIGS)):
        return None
    checkout = Path(ssagan_tf.__file__).parents[1]
    if (checkout / "setup.cfg").is_file():
        found: Traversable = checkout / CONFIGS / requested.name
    else:
        try:
            found = importlib.resources.files(f"{ssagan_tf.__name__}.{CONFIGS}") / requested.name
        except ModuleNotFoundError:  # an installation without them
            return None
    return Path(str(found)) if found.is_file() else None


@dataclasses.dataclass(frozen=True)
class _Group:
    """One argument, or those of a flag file with the network that the file names, if any."""

    arguments: list[Argument]
    network: str = ""


class _Reader:
    """Reads flag files, and collects what to tell the user."""

    def __init__(self, renamed: Mapping[str, str]):
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._renamed = renamed
        self._both_names = {*renamed, *renamed.values()}

    def expand(
        self, arguments: Iterable[str], within: Sequence[str] = ()
    ) -> tuple[list[Argument], str]:
        """Returns the arguments of a command line or file, and the network they name, if any.

        Args:
          arguments: The command line, or the lines of the last file in `within`.
          within: Files that include each other, outermost first.
        """
        file = within[-1] if within else ""
        groups: list[_Group] = []
        own_network = network = network_from = ""
        old_names: dict[str, str] = {}
        rest = iter(arguments)
        for text in rest:
            if text == "--":
                groups += [_Group([Argument(each, file)]) for each in (text, *rest)]
                break
            if match := _FLAGFILE.match(text):
                name = (next(rest, "") if match[1] is None else match[1]).strip()
                if not name:  # as absl handles it
                    continue
                path = self._find(name, within)
                groups.append(_Group(*self.expand(_read(path, within), (*within, path))))
                if groups[-1].network:
                    network, network_from = groups[-1].network, name
                continue
            argument = self._by_current_name(Argument(text, file), old_names)
            if argument.name in (_NETWORK, *_RECIPE) and "=" not in argument.text:
                argument = Argument(f"{argument.text}={next(rest, '')}", file)
            if argument.name == _NETWORK:
                own_network = network = argument.value
            groups.append(_Group([argument]))
        if own_network and network != own_network:
            raise flags.Error(
                f"--{_NETWORK}={own_network} comes before --flagfile={network_from}, which is for "
                f"{network}; give --{_NETWORK} after it"
            )
        return self._for_network(network, groups, typed=not within), network

    def _for_network(self, network: str, groups: Iterable[_Group], typed: bool) -> list[Argument]:
        """Returns all arguments, except what files set of the recipe of another network."""
        kept: list[Argument] = []
        for group in groups:
            is_for_another = group.network not in ("", network)
            left_out = [each for each in group.arguments if is_for_another and each.name in _RECIPE]
            if left_out and typed:
                names = ", ".join(dict.fromkeys(each.name for each in left_out))
                self.notes.append(
                    f"--{_NETWORK}={network}: takes {network}'s recipe instead of what "
                    f"{left_out[-1].file} sets for {group.network} ({names})"
                )
            kept += [each for each in group.arguments if each not in left_out]
        return kept

    def _by_current_name(self, argument: Argument, seen: dict[str, str]) -> Argument:
        """Returns the argument under its current name.

        Args:
          argument: Any but `--flagfile`.
          seen: Names used so far on the same command line or in the same file, by current name.

        Raises:
          flags.Error: The setting was given by its other name already.
        """
        match = _FLAG.fullmatch(argument.text)
        if not match:
            return argument
        dashes, name, value = match[1], match[2], match[3] or ""
        name = re.sub("^no-", "no", name)  # as other programs spell it
        off = "no" if name.startswith("no") and name[2:] in self._both_names else ""
        name = name.removeprefix(off)
        if name in self._both_names:
            current = self._renamed.get(name, name)
            if seen.setdefault(current, name) != name:
                old = name if name != current else seen[current]
                raise flags.Error(f"--{old} is the old name of --{current}; give only --{current}")
            if name != current and not argument.file:
                self.warnings.append(f"--{name} is now called --{current}")
            name = current
        return Argument(f"{dashes}{off}{name}{value}", argument.file)

    def _find(self, name: str, within: Sequence[str]) -> str:
        """Path of a flag file that is named on the command line or in another file."""
        path = user_paths.resolve(name)
        if within:
            next_to_it = os.path.join(os.path.dirname(within[-1]), path)
            if os.path.exists(next_to_it):
                return next_to_it
        if not os.path.lexists(path) and (shipped := shipped_config(name)):
            self.notes.append(f"--flagfile={name}: using the shipped {shipped}")
            return str(shipped)
        return path


def _read(path: str, within: Sequence[str]) -> list[str]:
    if os.path.realpath(path) in map(os.path.realpath, within):
        raise flags.Error(f"--flagfile={path} includes itself, by way of {within[-1]}")
    try:
        with open(path, "rb") as file:  # it may be a pipe
            data = file.read(limits.NOTE_BYTES + 1)
        if len(data) > limits.NOTE_BYTES:
            raise flags.Error(f"--flagfile={path} has more than {limits.NOTE_BYTES:,} bytes")
        return lines_of(data)
    except FileNotFoundError as error:
        raise flags.Error(f"--flagfile={path}: file not found") from error
    except OSError as error:
        raise flags.Error(f"--flagfile={path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise flags.Error(f"--flagfile={path} is not a text file") from error
