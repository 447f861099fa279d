"""How settings are declared and checked, and how sections of settings are made."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

Stride = int | Literal["auto"]

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # a remote one, as gs://bucket/folder

Check = Callable[[Any], str | None]
"""Takes a value; returns what is wrong with it, or None."""
SectionT = TypeVar("SectionT", bound="Section")


class OptionError(ValueError):
    """A setting with an invalid value (exit code 2). Message: ``name=value: why``."""

    def __init__(self, name: str, value: Any, why: str):
        typed = ",".join(value) if isinstance(value, tuple) else value
        super().__init__(f"{name}={typed}: {why}")


def setting(
    default: Any,
    help: str,
    check: Check | None = None,
    *,
    may_change: bool = False,
    in_recipe: bool = False,
    only_with: Mapping[str, tuple[Any, ...]] | None = None,
    remote: bool = False,
    paths: bool = False,
    any_bytes: bool = False,
) -> Any:
    """Declares one setting.

    Args:
      default: The value when nothing is given. Its type is the annotation's.
      help: One or two sentences for `--help`.
      check: Returns what is wrong with a value, or None.
      may_change: Whether a resumed run may be given another value.
      in_recipe: Whether it belongs to a network's recipe, as losses and the optimizer do.
      only_with: Other settings, each with its values that give this one an effect; one of them is
        enough. Settings that the section does not have are ignored.
      remote: Whether it may be a remote address.
      paths: For a tuple: whether it holds PATH or NAME=PATH.
      any_bytes: Whether it may be bytes that are not UTF-8, as file names may be: it is never
        written to a file.
    """
    metadata = {"help": help, "check": check, "may_change": may_change, "remote": remote}
    metadata |= {"in_recipe": in_recipe, "only_with": only_with or {}}
    metadata |= {"paths": paths, "any_bytes": any_bytes}
    return dataclasses.field(default=default, metadata=metadata)


def at_least(low: float) -> Check:
    """Returns a check that a number is `low` or more."""
    return lambda value: None if value >= low else f"must be at least {low}"


def between(low: float, high: float) -> Check:
    """Returns a check that a number is in [low, high]."""
    return lambda v: None if low <= v <= high else f"must be between {low} and {high}"


def above_zero(value: float) -> str | None:
    """Checks that a number is positive."""
    return None if value > 0 else "must be greater than 0"


def _type_error(value: Any, kind: Any) -> str | None:
    """Says what the value must be if it does not have the annotated type."""
    if get_origin(kind) is tuple:
        of_strings = isinstance(value, tuple) and all(isinstance(item, str) for item in value)
        return None if of_strings else "must be a tuple of strings"
    if kind == Stride:
        return _type_error(value, int) if value != "auto" else None
    if kind is float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return None if is_number and math.isfinite(value) else "must be a finite number"
    if kind is int:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return None if is_whole else "must be a whole number"
    if kind in (bool, str):
        return None if isinstance(value, kind) else f"must be a {kind.__name__}"
    return None  # a Literal: its choices are checked elsewhere


def _address_error(value: Any, allowed: bool) -> str | None:
    """Says what is wrong with a value that is a remote address, or `NAME=ADDRESS`."""
    for text in value if isinstance(value, tuple) else (value,):
        match = isinstance(text, str) and (
            ADDRESS.match(text) or ADDRESS.match(text.partition("=")[2])
        )
        if match and not allowed:
            return (
                "is a remote address, which only --data and prepare's --source and --output may "
                "be; give a local file or folder"
            )
        if match and not match.string[match.end() :].strip("/"):
            return f"is incomplete; expected {match[0]}bucket/folder"
    return None


class Section:
    """Base class of all sections of settings: checks types and values.

    Attributes:
      recipes: Values that take the place of the defaults, by the value of the setting that chooses
        among them.
      recipe_choice: Name of that setting.
    """

    recipes: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    recipe_choice: ClassVar[str] = ""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if why := _type_error(value, hints[field.name]):
                raise OptionError(field.name, value, why)
            if get_origin(hints[field.name]) is Literal:
                choices = get_args(hints[field.name])
                if value not in choices:
                    raise OptionError(field.name, value, f"must be one of {', '.join(choices)}")
            if (check := field.metadata["check"]) and (why := check(value)):
                raise OptionError(field.name, value, why)
            if why := _address_error(value, field.metadata["remote"]):
                raise OptionError(field.name, value, why)


def resolve(section: type[SectionT], choice: str, given: Mapping[str, Any]) -> SectionT:
    """Returns a section with the values given, and the recipe's or the defaults for the others.

    Args:
      section: The kind of section.
      choice: Which of its recipes: the network, the benchmark. Unused if it has none.
      given: Values by name.

    Raises:
      OptionError: There is no such recipe, or a value is invalid.
    """
    if section.recipes and choice not in section.recipes:
        raise OptionError(
            section.recipe_choice, choice, f"must be one of {', '.join(section.recipes)}"
        )
    return section(**{**section.recipes.get(choice, {}), **given})


def refuse_without_effect(section: Section) -> None:
    """Raises OptionError if a setting was given that has no effect without another one.

    Defaults are fine anywhere, so that a file may state all values.
    """
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        needed = {
            f"--{other}={str(each).lower()}": getattr(section, other) == each
            for other, values in field.metadata["only_with"].items()
            for each in values
            if hasattr(section, other)
        }
        if value != field.default and needed and not any(needed.values()):
            raise OptionError(field.name, value, f"has no effect without {' or '.join(needed)}")


def require(section: Section, *names: str) -> None:
    """Raises OptionError unless these settings were given."""
    for name in names:
        if not getattr(section, name):
            raise OptionError(name, "", "is required; see --help")
