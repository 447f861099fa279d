"""absl flags made from the options, options made from flags, and flag files."""

from __future__ import annotations

import codecs
import dataclasses
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from absl import flags

from ssagan_tf import limits, options, user_paths

SECTIONS = (
    options.ModelOptions,
    options.ComputeOptions,
    options.PrepareOptions,
    options.VerifyOptions,
    options.TrainOptions,
    options.GenerateOptions,
    options.DemoOptions,
    options.ImportOptions,
    options.EvaluateOptions,
    options.CompareOptions,
    options.StudyOptions,
)

SectionT = TypeVar("SectionT", bound=options.Section)


def setting_names() -> list[str]:
    """Names of the settings of all sections."""
    return [field.name for section in SECTIONS for field in dataclasses.fields(section)]


def define(values: flags.FlagValues, own: Sequence[type[options.Section]] = ()) -> None:
    """Defines the flags of all sections, so that every program can read any flag file.

    Args:
      values: Where to.
      own: Sections of the program. Their settings come before others of the same name.
    """
    names = {field.name for section in own for field in dataclasses.fields(section)}
    defined: dict[str, tuple[Any, Any]] = {}
    for section in (*own, *SECTIONS):
        hints = get_type_hints(section)
        for field in dataclasses.fields(section):
            kind, default = hints[field.name], field.default
            if field.name in defined:
                if field.name not in names and defined[field.name] != (kind, default):
                    raise TypeError(f"{section.__name__}.{field.name} differs from its namesake")
                continue
            defined[field.name] = (kind, default)
            _define_one(field, kind, values)


def _define_one(field: dataclasses.Field, kind: Any, values: flags.FlagValues) -> None:
    name, default, help = field.name, field.default, field.metadata["help"]
    if get_origin(kind) is Literal:
        flags.DEFINE_enum(name, default, list(get_args(kind)), help, flag_values=values)
    elif field.metadata["paths"]:
        flag = _PathsFlag(_PathsParser(), flags.CsvListSerializer(","), name, list(default), help)
        flags.DEFINE_flag(flag, values)
    elif get_origin(kind) is tuple:
        flags.DEFINE_list(name, list(default), help, flag_values=values)
    elif kind == options.Stride:
        flags.DEFINE(_StrideParser(), name, default, help, values)
    else:
        define_by_kind = {
            bool: flags.DEFINE_bool,
            int: flags.DEFINE_integer,
            float: flags.DEFINE_float,
            str: flags.DEFINE_string,
        }
        define_by_kind[kind](name, default, help, flag_values=values)


class _StrideParser(flags.IntegerParser):
    """A whole number, or auto."""

    syntactic_help = "a whole number, or auto"

    def parse(self, argument: str | int) -> int | str:
        if argument == "auto":
            return argument
        try:
            return super().parse(argument)
        except (TypeError, ValueError):
            raise ValueError("must be a whole number, or auto") from None


class _PathsParser(flags.ArgumentParser):
    """Paths, separated by commas."""

    syntactic_help = "paths, separated by commas"

    def parse(self, argument: str | list[str]) -> list[str]:
        return user_paths.split_paths(argument) if isinstance(argument, str) else argument


class _PathsFlag(flags.Flag):
    """Given again, it takes more; given empty, it forgets those before."""

    def parse(self, argument: str | list[str]) -> None:
        before = self.value if self.present and argument else []
        super().parse(argument)
        self.value = [*before, *self.value]


def read(section: type[SectionT], values: flags.FlagValues) -> SectionT:
    """Makes one section from the parsed flags.

    Settings that are not given have the defaults of the network or the benchmark, where it has its
    own.

    Raises:
      options.OptionError: A value is impossible.
    """
    told = {field.name: values[field.name].value for field in dataclasses.fields(section)}
    own = section.recipes.get(values[section.recipes_by].value, {}) if section.recipes else {}
    told |= {name: value for name, value in own.items() if not values[name].present}
    return section(**{name: _as_meant(value) for name, value in told.items()})


def _as_meant(value: Any) -> Any:
    if isinstance(value, str):
        return user_paths.resolve(value)
    return tuple(value) if isinstance(value, list) else value


def to_lines(*sections: options.Section) -> list[str]:
    """The flag-file lines (`--name=value`) that make these sections again.

    Raises:
      options.OptionError: A value would come back as another: one with a line break, or a path that
        begins or ends with a space.
    """
    lines = {}
    for section in sections:
        for field in dataclasses.fields(section):
            value = getattr(section, field.name)
            if isinstance(value, tuple):
                value = ",".join(value)
            if isinstance(value, bool):
                value = str(value).lower()
            if isinstance(value, str) and (value != value.strip() or re.search(r"[\r\n]", value)):
                why = "has a line break, or a space at an end, which a flag file cannot keep"
                raise options.OptionError(field.name, value, f"{why}; rename it")
            lines[field.name] = f"--{field.name}={value}"
    return list(lines.values())


def from_file(path: str, alone: bool = False) -> flags.FlagValues:
    """Reads a flag file by itself.

    Args:
      path: Of the file.
      alone: Whether to refuse one that names others, as a stranger's may.

    Raises:
      ValueError: A line is no known flag, or the file cannot be read.
    """
    values = flags.FlagValues()
    define(values)
    try:
        if alone:
            lines = _lines(limits.read_bytes(Path(path), limits.NOTE_BYTES))
            if any(map(_FLAGFILE.match, lines)):
                raise ValueError(f"{path} names another flag file")
        else:
            lines = with_files([f"--flagfile={path}"])
        values(["", *map(_by_current_name, lines)])
    except flags.Error as error:
        raise ValueError(str(error)) from error
    return values


_FLAGFILE = re.compile("--?flagfile(?:=(.*))?$", re.DOTALL)
_RENAMED = re.compile(rf"^(--?(?:no)?)({'|'.join(options.RENAMED)})(?==|$)")


def with_files(arguments: Iterable[str], within: Sequence[str] = ()) -> list[str]:
    """Arguments with the lines of flag files in the places of `--flagfile=FILE`.

    Files are as absl has them, and as Windows writes them: with a mark in front, lines that end
    with two characters.

    Args:
      arguments: Of a command line, without the program.
      within: The files that they are of, outermost first.

    Raises:
      flags.Error: A file cannot be read, or names itself.
    """
    result, rest = [], iter(arguments)
    for argument in rest:
        if argument == "--":
            return [*result, argument, *rest]
        argument = _by_current_name(argument)
        match = _FLAGFILE.match(argument)
        if not match:
            result.append(argument)
            continue
        path = user_paths.resolve((next(rest, "") if match[1] is None else match[1]).strip())
        if not path:  # as absl has it
            continue
        if path in within:
            raise flags.Error(f"--flagfile={path} names itself, by way of {within[-1]}")
        try:
            with open(path, "rb") as file:  # it may be a pipe
                data = file.read(limits.NOTE_BYTES + 1)
            if len(data) > limits.NOTE_BYTES:
                raise flags.Error(f"--flagfile={path} has more than {limits.NOTE_BYTES:,} bytes")
            lines = _lines(data)
        except OSError as error:
            raise flags.Error(f"--flagfile={path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise flags.Error(f"--flagfile names a file that is no text: {path}") from error
        result += with_files(lines, [*within, path])
    return result


def _by_current_name(argument: str) -> str:
    return _RENAMED.sub(lambda match: match[1] + options.RENAMED[match[2]], argument, count=1)


def _lines(data: bytes) -> list[str]:
    """The lines of a flag file that are neither empty nor comments."""
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # PowerShell's
    text = data.decode("utf-16" if is_wide else "utf-8-sig")
    lines = map(str.strip, io.StringIO(text, newline=None))
    return [line for line in lines if line and not line.startswith(("#", "//"))]
