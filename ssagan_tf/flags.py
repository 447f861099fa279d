"""absl flags made from the options, options made from flags, and flag files."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from absl import flags

from ssagan_tf import limits, options

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
            _define_one(field.name, kind, default, field.metadata["help"], values)


def _define_one(name: str, kind: Any, default: Any, help: str, values: flags.FlagValues) -> None:
    if get_origin(kind) is Literal:
        flags.DEFINE_enum(name, default, list(get_args(kind)), help, flag_values=values)
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


def read(section: type[SectionT], values: flags.FlagValues) -> SectionT:
    """Makes one section from the parsed flags.

    Settings that are not given have the defaults of the network or the benchmark, where it has its
    own.

    Raises:
      options.OptionError: A value is impossible.
    """
    given = {field.name: values[field.name].value for field in dataclasses.fields(section)}
    own = section.recipes.get(values[section.recipes_by].value, {}) if section.recipes else {}
    given |= {name: value for name, value in own.items() if not values[name].present}
    return section(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


def to_lines(*sections: options.Section) -> list[str]:
    """The flag-file lines (`--name=value`) that make these sections again."""
    lines = {}
    for section in sections:
        for field in dataclasses.fields(section):
            value = getattr(section, field.name)
            if isinstance(value, tuple):
                value = ",".join(value)
            if isinstance(value, bool):
                value = str(value).lower()
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
    lines = _lines_alone(path) if alone else [f"--flagfile={path}"]
    values = flags.FlagValues()
    define(values)
    try:
        values(["", *lines])
    except flags.Error as error:
        raise ValueError(str(error)) from error
    return values


def _lines_alone(path: str) -> list[str]:
    """What absl makes of a flag file: no empty lines, and no comments."""
    text = limits.read_text(Path(path), limits.NOTE_BYTES)
    given = []
    for line in io.StringIO(text, newline=None):  # lines end as in files that are open as text
        if line.isspace() or line.startswith(("#", "//")):
            continue
        given.append(line.strip())
        if re.match("--?flagfile", given[-1]):
            raise ValueError(f"{path} names another flag file")
    return given
