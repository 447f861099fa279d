"""absl flags made from the settings, and settings made from parsed flags."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from absl import flags

from ssagan_tf import flag_files, limits, options, user_paths

SECTIONS = (
    options.ModelOptions,
    options.ComputeOptions,
    options.PrepareOptions,
    options.VerifyOptions,
    options.TrainOptions,
    options.GenerateOptions,
    options.DemoOptions,
    options.EvaluateOptions,
    options.CompareOptions,
    options.StudyOptions,
)

SectionT = TypeVar("SectionT", bound=options.Section)


def setting_names() -> list[str]:
    """Names of the settings of all sections."""
    return [field.name for section in SECTIONS for field in dataclasses.fields(section)]


def define(values: flags.FlagValues, program: Sequence[type[options.Section]] = ()) -> None:
    """Defines flags for all sections, so that every program can read any flag file.

    Args:
      values: Receives the flags.
      program: Sections of the program. Their settings take precedence over others of the same name.
    """
    names = {field.name for section in program for field in dataclasses.fields(section)}
    defined: dict[str, tuple[Any, Any]] = {}
    for section in (*program, *SECTIONS):
        hints = get_type_hints(section)
        for field in dataclasses.fields(section):
            kind, default = hints[field.name], field.default
            if field.name in defined:
                if field.name not in names and defined[field.name] != (kind, default):
                    raise TypeError(
                        f"{section.__name__}.{field.name} differs from a setting of the same name"
                    )
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
    """Parses a whole number, or auto."""

    syntactic_help = "a whole number, or auto"

    def parse(self, argument: str | int) -> int | str:
        if argument == "auto":
            return argument
        try:
            return super().parse(argument)
        except (TypeError, ValueError):
            raise ValueError("must be a whole number, or auto") from None


class _PathsParser(flags.ArgumentParser):
    """Parses paths, separated by commas."""

    syntactic_help = "paths, separated by commas"

    def parse(self, argument: str | list[str]) -> list[str]:
        return user_paths.split_paths(argument) if isinstance(argument, str) else argument


class _PathsFlag(flags.Flag):
    """A list of paths: given again it is extended, given empty it is cleared."""

    def parse(self, argument: str | list[str]) -> None:
        before = self.value if self.present and argument else []
        super().parse(argument)
        self.value = [*before, *self.value]


def read(section: type[SectionT], values: flags.FlagValues) -> SectionT:
    """Makes a section of settings from parsed flags.

    Settings that were not given have the values of the recipe that another one chooses, else their
    defaults: `options.resolve`.

    Raises:
      options.OptionError: A value is invalid.
    """
    given = {
        field.name: _from_flag(values[field.name].value)
        for field in dataclasses.fields(section)
        if values[field.name].present
    }
    choice = values[section.recipe_choice].value if section.recipe_choice else ""
    return options.resolve(section, choice, given)


def _from_flag(value: Any) -> Any:
    """A flag's value in the type of a setting."""
    if isinstance(value, str):
        return user_paths.resolve(value)
    return tuple(value) if isinstance(value, list) else value


def to_lines(*sections: options.Section) -> list[str]:
    """Returns flag-file lines (`--name=value`) from which the same sections can be read again.

    Raises:
      options.OptionError: A value would not survive: it has a line break, or a space at either end.
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
                why = "has a line break or a space at either end, which flag files cannot hold"
                raise options.OptionError(field.name, value, f"{why}; rename it")
            lines[field.name] = f"--{field.name}={value}"
    return list(lines.values())


def from_file(path: str, alone: bool = False) -> flags.FlagValues:
    """Reads one flag file.

    Args:
      path: The file.
      alone: Whether to refuse a file that includes others, as an untrusted one may.

    Raises:
      ValueError: A line is not a known flag, or the file cannot be read.
    """
    values = flags.FlagValues()
    define(values)
    try:
        arguments = [f"--flagfile={path}"]
        if alone:
            arguments = flag_files.lines_of(limits.read_bytes(Path(path), limits.NOTE_BYTES))
            if any(map(flag_files.includes_another_file, arguments)):
                raise ValueError(f"{path} includes another flag file")
        values(["", *flag_files.read_command_line(arguments).texts])
    except flags.Error as error:
        raise ValueError(str(error)) from error
    return values
