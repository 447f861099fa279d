"""What all programs share: parsed flags in; an exit code and at most one line of error out."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import errno
import itertools
import logging
import os
import re
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from absl import flags

import ssagan_tf.flags
from ssagan_tf import terminal
from ssagan_tf.errors import DataError, Stopped
from ssagan_tf.flag_files import Argument, read_command_line
from ssagan_tf.flags import setting_names
from ssagan_tf.options import OptionError, Section, renamed_settings
from ssagan_tf.safe_names import escaped
from ssagan_tf.startup import bypass_proxies

_SURROGATES = re.compile("[\ud800-\udfff]")  # bytes that are not UTF-8, as Python decodes them
# Errors without a file name. ENOENT: no usable temporary folder was found.
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT)
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
      call: Does the work. May raise `OptionError` (exit code 2), `DataError` (1) or `Stopped`.
      argv: Command line; `sys.argv` by default.
      package: Package of the program.
      pass_on: Whether arguments after `--` are passed to `call`, as a list.
    """
    terminal.harden_streams()
    argv = list(sys.argv if argv is None else argv)
    end = argv.index("--") if pass_on and "--" in argv else len(argv)
    passed_on = [argv[end + 1 :]] if pass_on else []
    argv = argv[:end]
    if any(re.fullmatch(r"-h|--?help(short|full)?", argument) for argument in argv[1:]):
        print(help_text(_command(argv[0], f"{package}.{name}"), about, sections))
        _exit(0, name)
    bypass_proxies()
    # It warns about home folders that are not writable.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    values = flags.FlagValues()  # absl's global one can be filled only once per process
    ssagan_tf.flags.define(values, sections)
    try:
        _refuse_undecodable(argv, sections)
        line = read_command_line(argv[1:], renamed_settings(sections))
        for warning in line.warnings:
            print(f"{name}: {warning}", file=sys.stderr)
        rest = values([argv[0], *line.texts])[1:]
        _refuse_settings_of_others(name, sections, line.arguments)
        if rest:
            raise flags.Error(f"unexpected argument {rest[0]!r}; expected settings as --name=value")
        for note in line.notes:
            print(note, flush=True)
        call(*(ssagan_tf.flags.read(section, values) for section in sections), *passed_on)
    except flags.Error as error:
        _fail(name, str(error).removeprefix("ERROR:: "), EXIT_USAGE)
    except OptionError as error:
        _fail(name, f"--{error}", EXIT_USAGE)
    except DataError as error:
        _fail(name, str(error), EXIT_DATA)
    except UnicodeEncodeError as error:
        bad_lines = [line for line in error.object.splitlines() if _SURROGATES.search(line)]
        if not bad_lines:
            raise
        _fail(name, f"expected a UTF-8 name, got {bad_lines[0]}", EXIT_DATA)
    except OSError as error:  # from reading; errors of writing are DataErrors
        if not error.filename and error.errno not in _DISK_ERRORS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _fail(name, f"{where}{error.strerror}", EXIT_DATA)
    except Stopped as stop:
        _fail(name, str(stop), 128 + stop.signal)
    except KeyboardInterrupt as error:
        _fail(name, f"interrupted; {error}" if str(error) else "interrupted", EXIT_INTERRUPTED)
    _exit(0, name)


@contextlib.contextmanager
def stopped_by_signals(message: str) -> Iterator[None]:
    """Makes SIGTERM and, where there is one, SIGHUP raise `Stopped`, so that files are cleaned up.

    Args:
      message: That of `Stopped`.
    """

    def stop(number: int, frame: object) -> None:
        raise Stopped(message, number)

    numbers = {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _refuse_undecodable(argv: Sequence[str], sections: Sequence[type[Section]]) -> None:
    """Refuses values that are not UTF-8: most settings are written to flags.cfg and reports."""
    fields = [field for section in sections for field in dataclasses.fields(section)]
    any_bytes = tuple(field.name for field in fields if field.metadata["any_bytes"])
    for before, argument in itertools.pairwise(argv):
        setting = (argument if "=" in argument else before).partition("=")[0].lstrip("-")
        if _SURROGATES.search(argument) and setting not in any_bytes:
            encoding = sys.getfilesystemencoding()
            raise flags.Error(f"{argument!a} is not {encoding} text; rename the file or folder")


def _refuse_settings_of_others(
    name: str, sections: Sequence[type[Section]], arguments: Sequence[Argument]
) -> None:
    """Refuses typed settings of other programs; in flag files, every program accepts them all."""
    settings = {field.name for section in sections for field in dataclasses.fields(section)}
    for argument in arguments:
        names = {argument.name, argument.name.removeprefix("no")} & set(setting_names())
        if not argument.file and names and not names & settings:
            raise flags.Error(f"--{names.pop()} is not a setting of {name}; see --help")


def _command(called: str, module: str) -> str:
    """Command for the usage line: the console script if it was called by that."""
    script = os.path.basename(called)
    return script if script.startswith("ssagan-") else f"python -m {module}"


def help_text(command: str, about: str, sections: Sequence[type[Section]]) -> str:
    """Help text: what the program does, and its settings with their defaults."""
    lines = [f"{command} [--flagfile=FILE] [--setting=value …]", "", about.strip()]
    shown: set[str] = set()
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
                terminal.line_width(),
                initial_indent=" " * 6,
                subsequent_indent=" " * 6,
            )
    return "\n".join(lines)


def _title(section: type[Section]) -> str:
    if sys.flags.optimize > 1:  # -OO removes docstrings
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
    if (error := terminal.write_error(sys.stdout)) and not code:
        print(f"{name}: cannot write its output: {error.strerror}", file=sys.stderr)
        code = EXIT_DATA
    if "tensorflow_io" in sys.modules:  # its AWS library aborts at a normal exit
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
