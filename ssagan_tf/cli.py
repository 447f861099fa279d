"""What all programs share: flags in, one call, an exit code and at most one line of error out."""

from __future__ import annotations

import atexit
import dataclasses
import errno
import itertools
import logging
import os
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from absl import flags

import ssagan_tf.flags
from ssagan_tf import terminal
from ssagan_tf.errors import DataError, Stopped
from ssagan_tf.options import OptionError, Section
from ssagan_tf.safe_names import escaped
from ssagan_tf.startup import reach_directly

_SURROGATES = re.compile("[\ud800-\udfff]")  # what Python makes of bytes that are no UTF-8
# The last one of a search for a temporary folder.
_OF_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT)
EXIT_DATA, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def run(
    name: str,
    about: str,
    sections: Sequence[type[Section]],
    call: Callable[..., None],
    argv: Sequence[str] | None = None,
    package: str = "ssagan_tf",
    pass_on: bool = False,
) -> NoReturn:
    """Runs a program and exits.

    Args:
      name: Name in messages, such as `train`.
      about: First lines of `--help`.
      sections: Settings of the program; `call` gets one of each, in this order.
      call: The work. May raise `OptionError` (exit code 2), `DataError` (1) or `Stopped`.
      argv: Command line; `sys.argv` by default.
      package: Where the program is.
      pass_on: Whether what follows `--` is given to `call` as well, as a list.
    """
    terminal.harden_streams()
    argv = list(sys.argv if argv is None else argv)
    end = argv.index("--") if pass_on and "--" in argv else len(argv)
    passed_on = [argv[end + 1 :]] if pass_on else []
    argv = argv[:end]
    if any(re.fullmatch(r"-h|--?help(short|full)?", argument) for argument in argv[1:]):
        print(help_text(_command(argv[0], f"{package}.{name}"), about, sections))
        _exit(0, name)
    reach_directly()
    logging.getLogger("matplotlib").setLevel(
        logging.ERROR
    )  # has much to say of a home it can't use
    values = flags.FlagValues()  # not absl's own, which can be filled once in a process only
    ssagan_tf.flags.define(values, own=sections)
    try:
        _refuse_undecodable(argv, sections)
        told = [argv[0], *ssagan_tf.flags.with_files(argv[1:])]
        told = [re.sub("^--no-", "--no", argument) for argument in told]  # as others spell it
        rest = values(told)[1:]
        _refuse_others(name, sections, argv)
        if rest:
            raise flags.Error(
                f"unexpected argument {rest[0]!r}; settings are given as --name=value"
            )
        call(*(ssagan_tf.flags.read(section, values) for section in sections), *passed_on)
    except flags.Error as error:
        _fail(name, str(error).removeprefix("ERROR:: "), EXIT_USAGE)
    except OptionError as error:
        _fail(name, f"--{error}", EXIT_USAGE)
    except DataError as error:
        _fail(name, str(error), EXIT_DATA)
    except UnicodeEncodeError as error:
        named = [line for line in error.object.splitlines() if _SURROGATES.search(line)]
        if not named:
            raise
        _fail(name, f"a name must be UTF-8 to be written down: {named[0]}", EXIT_DATA)
    except OSError as error:  # of looking at what is there; writing has its own errors
        if not error.filename and error.errno not in _OF_DISKS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _fail(name, f"{where}{error.strerror}", EXIT_DATA)
    except Stopped as stop:
        _fail(name, str(stop), 128 + stop.signal)
    except KeyboardInterrupt as error:
        _fail(name, f"interrupted; {error}" if str(error) else "interrupted", EXIT_INTERRUPTED)
    _exit(0, name)


def _refuse_undecodable(argv: Sequence[str], sections: Sequence[type[Section]]) -> None:
    """Most settings are written down, in flags.cfg and reports."""
    fields = [field for section in sections for field in dataclasses.fields(section)]
    any_bytes = tuple(field.name for field in fields if field.metadata["any_bytes"])
    for before, argument in itertools.pairwise(argv):
        setting = (argument if "=" in argument else before).partition("=")[0].lstrip("-")
        if _SURROGATES.search(argument) and setting not in any_bytes:
            encoding = sys.getfilesystemencoding()
            raise flags.Error(f"{argument!a} is no text in {encoding}; rename what it names")


def _refuse_others(name: str, sections: Sequence[type[Section]], argv: Sequence[str]) -> None:
    """Every program knows all flags, for flag files; typed by hand, another's is a mistake."""
    own = {field.name for section in sections for field in dataclasses.fields(section)}
    for argument in argv[1:]:
        flag = re.sub(r"=.*", "", argument, flags=re.DOTALL).lstrip("-")
        others = {flag, flag.removeprefix("no")} & set(ssagan_tf.flags.setting_names())
        if argument.startswith("-") and others and not others & own:
            raise flags.Error(f"--{others.pop()} is no setting of {name}; see --help")


def _command(called: str, module: str) -> str:
    """How to call a program: as it was called, if that was by its console script."""
    script = os.path.basename(called)
    return script if script.startswith("ssagan-") else f"python -m {module}"


def help_text(command: str, about: str, sections: Sequence[type[Section]]) -> str:
    """A screen of help: what the program does and its settings with their defaults."""
    lines = [f"{command} [--flagfile=FILE] [--setting=value …]", "", about.strip()]
    shown = set()
    for section in sections:
        lines += ["", _title(section)]
        hints = get_type_hints(section)
        for field in dataclasses.fields(section):
            if field.name in shown:
                continue
            shown.add(field.name)
            lines.append(f"  --{field.name}={_default(field, hints[field.name])}")
            lines += textwrap.wrap(
                field.metadata["help"],
                terminal.width(),
                initial_indent=" " * 6,
                subsequent_indent=" " * 6,
            )
    return "\n".join(lines)


def _title(section: type[Section]) -> str:
    if sys.flags.optimize > 1:  # -OO takes the docstrings off
        return section.__name__
    return section.__doc__.strip().splitlines()[0]


def _default(field: dataclasses.Field, kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"{field.default}  ({', '.join(get_args(kind))})"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)


def _fail(name: str, message: str, code: int) -> NoReturn:
    print(f"{name}: {escaped(message.strip())}", file=sys.stderr)
    _exit(code, name)


def _exit(code: int, name: str) -> NoReturn:
    if (error := terminal.lost(sys.stdout)) and not code:
        print(f"{name}: cannot write what it says: {error.strerror}", file=sys.stderr)
        code = EXIT_DATA
    if "tensorflow_io" in sys.modules:  # its AWS library would abort when it is taken down
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
