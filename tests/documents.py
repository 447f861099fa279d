"""Checks a page of documentation against the checkout: links, files, programs, settings, names."""

from __future__ import annotations

import ast
import configparser
import dataclasses
import functools
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ssagan_tf"
OUTSIDE = {"configs", "export"}  # at the top of the checkout, installed inside the package
ROOTS = ("ssagan_tf", "benchmarks", *OUTSIDE)  # top-level packages of the project
WRITTEN = {"flags.cfg", "report.md"}  # files that programs write
OF_ALL = {"flagfile", "help"}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
_EXTRAS = re.compile(r"(?:ssagan_tf|'\.)\[([\w,-]+)\]")
_NAME = re.compile(rf"(?:{'|'.join(ROOTS)})(?:\.\w+)+(?=\(|$)")


def problems(page: Path, text: str) -> list[str]:
    """Lists everything that a page names but that does not exist.

    Args:
      page: Path of the page; relative links start there.
      text: Markdown of the page.
    """
    prose = _FENCE.sub("", text)
    spans = [" ".join(span.split()) for span in _SPAN.findall(prose)]
    found = [*_links(page, prose), *_extras(text)]
    for span in spans:
        found += [*_paths(span), *_names(span), *_settings(span)]
        if re.match(r"python3? |ssagan-|\w+ --", span):
            found += _commands(span)
    for language, block in _FENCE.findall(text):
        if language == "sh":
            found += _commands(block)
        elif language == "python":
            found += _imports(block)
    return found


def anchors(text: str) -> set[str]:
    """Returns the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


def _links(page: Path, prose: str) -> Iterator[str]:
    for match in _LINK.finditer(prose):
        link = match[1] or match[2]
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists():
            yield f"link: {link}"
        elif anchor and anchor not in anchors(prose if target == page else target.read_text()):
            yield f"anchor: {link}"


def _extras(text: str) -> Iterator[str]:
    for match in _EXTRAS.finditer(text):
        for extra in match[1].split(","):
            if extra not in _setup()["options.extras_require"]:
                yield f"extra: {extra}"


def _paths(span: str) -> Iterator[str]:
    if not re.fullmatch(r"[\w.\-][\w.\-/]*", span) or span in WRITTEN or "NAME" in span:
        return
    first, name = Path(span).parts[0], Path(span).name
    homes = [ROOT, PACKAGE, *([ROOT / "configs"] if name.endswith(".cfg") else [])]
    # What programs write, such as runs/, is in a checkout only once they have run.
    written = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    is_path = "/" in span and any(
        (home / first).is_dir() for home in homes if home is not ROOT or first not in written
    )
    is_file = re.search(r"\.(py|cfg|md|toml)$", name)
    if (is_path or is_file) and not any((home / span).exists() for home in homes):
        yield f"file: {span}"


def _names(span: str) -> Iterator[str]:
    match = _NAME.match(span)
    if match and not _exists(match[0]):
        yield f"name: {match[0]}"


def _imports(block: str) -> Iterator[str]:
    try:
        tree = ast.parse(block)
    except SyntaxError as error:
        yield f"Python: {error}"
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ROOTS:
            for alias in node.names:
                if not _exists(f"{node.module}.{alias.name}"):
                    yield f"name: {node.module}.{alias.name}"


def _module(name: str) -> Path | None:
    """The file of a module, or the `__init__.py` of a package."""
    parts = name.split(".")
    if parts[0] == "ssagan_tf" and len(parts) > 1 and parts[1] in OUTSIDE:
        parts = parts[1:]
    path = ROOT.joinpath(*parts)
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _exists(name: str) -> bool:
    """Whether this is a module, or a name in the text of one, or an attribute of such a name."""
    if _module(name):
        return True
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        if file := _module(".".join(parts[:end])):
            return bool(re.search(rf"\b{parts[end]}\b", file.read_text()))
    return False


@functools.cache
def _setup() -> configparser.ConfigParser:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup


@functools.cache
def _scripts() -> dict[str, str]:
    """Modules of the console scripts."""
    lines = _setup()["options.entry_points"]["console_scripts"].split("\n")
    pairs = (line.split("=") for line in lines if line)
    return {name.strip(): target.strip().partition(":")[0] for name, target in pairs}


def _commands(text: str) -> Iterator[str]:
    """Yields problems of the commands in shell text that start a program of this project."""
    joined = text.replace("\\\n", " ")
    for command in re.split(r"\n|&&|\|", re.sub(r"(?m)(^|\s)#.*$", "", joined)):
        try:
            words = shlex.split(command)
        except ValueError:
            yield f"shell: {command.strip()}"
            continue
        module, rest = _program(words)
        if module is None:
            continue
        if not _runnable(module):
            yield f"program: {module}"
            continue
        yield from _flags(module, rest)


def _program(words: list[str]) -> tuple[str | None, list[str]]:
    """The module that a command runs, if it is the project's, and its arguments."""
    for at, word in enumerate(words):
        name = Path(word).name
        if name in _scripts():
            return _scripts()[name], words[at + 1 :]
        if name.startswith("ssagan-"):
            return name, []
        if re.fullmatch(r"python3?", name) and words[at + 1 : at + 2] == ["-m"]:
            module = "".join(words[at + 2 : at + 3])
            return (module, words[at + 3 :]) if module.split(".")[0] in ROOTS else (None, [])
        short = f"ssagan_tf.{name}"
        if at == 0 and len(words) > 1 and words[1].startswith("--") and _runnable(short):
            return short, words[1:]  # such as `prepare --frame_stride`
    return None, []


def _runnable(module: str) -> bool:
    file = _module(f"{module}.__main__") or _module(module)
    return file is not None and '__name__ == "__main__"' in file.read_text()


@functools.cache
def _known_flags(module: str) -> dict[str, Any]:
    """The settings of a program and their types; of programs with argparse, the names alone."""
    file = _module(f"{module}.__main__") or _module(module)
    tree = ast.parse(file.read_text())
    known: dict[str, Any] = {}
    for function in ast.walk(tree):
        if not (isinstance(function, ast.FunctionDef) and function.name == "main"):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and node.id.endswith("Options"):
                section = _section(node.id, module)
                known |= {
                    f.name: get_type_hints(section)[f.name] for f in dataclasses.fields(section)
                }
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if is_call and node.func.attr == "add_argument":
                known[node.args[0].value.lstrip("-")] = None
    return known


def _section(name: str, module: str) -> type:
    """The section of settings of this name: shared, of the exports, or the program's own."""
    homes = ("ssagan_tf.options", "export.options", module)
    return next(
        filter(None, (getattr(importlib.import_module(home), name, None) for home in homes))
    )


def _flags(module: str, arguments: list[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == "--":  # what follows is another program's
            return
        if argument.startswith("--"):
            yield from _flag(argument, [_known_flags(module)], module)


def _settings(span: str) -> Iterator[str]:
    """Yields problems of a code span that begins with a setting of any program."""
    if not span.startswith("--"):
        return
    for argument in span.split():
        if argument.startswith("--") and argument != "--":
            yield from _flag(argument, _flags_of_all(), "any program")


@functools.cache
def _flags_of_all() -> list[dict[str, Any]]:
    benchmarks = [f"benchmarks.{file.stem}" for file in (ROOT / "benchmarks").glob("*.py")]
    named = [_known_flags(module) for module in [*_scripts().values(), *benchmarks]]
    pytest_option = {"trials": None}  # defined in tests/conftest.py
    others = [_known_flags("export.to_box"), pytest_option]
    return [*named, *others]


def _flag(argument: str, programs: list[dict[str, Any]], whose: str) -> Iterator[str]:
    name, _, value = argument.lstrip("-").partition("=")
    if name == "flagfile":
        if re.fullmatch(r"(configs/)?\w+\.cfg", value) and not _config(value):
            yield f"configuration: {value}"
        return
    takers = [program for program in programs if _named(name, program) is not None]
    if name not in OF_ALL and not takers:
        yield f"setting of {whose}: --{name}"
    choices = [get_args(p[name]) for p in takers if get_origin(p.get(name)) is Literal]
    is_chosen = takers and len(choices) == len(takers) and re.fullmatch(r"\w+", value)
    if is_chosen and not any(value in some for some in choices):
        yield f"value of --{name}: {value}"


def _named(name: str, program: dict[str, Any]) -> str | None:
    spellings = (name, re.sub("^no-?", "", name))
    return next((spelling for spelling in spellings if spelling in program), None)


def _config(name: str) -> bool:
    return (ROOT / "configs" / Path(name).name).is_file()
