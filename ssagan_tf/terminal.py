"""Makes standard output and error robust: ASCII-only terminals, closed pipes, full disks."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import shutil
import sys
from typing import TextIO

_ASCII_SUBSTITUTES = {
    **{"×": "x", "·": "-", "→": "->", "←": "<-", "…": "...", "–": "-", "−": "-", "±": "+-"},
    **{
        "↑": "^",
        "↓": "v",
        "²": "2",
        "³": "3",
        "ᵀ": "T",
        "₁": "1",
        "₂": "2",
        "√": "sqrt",
        "°": " degrees",
        "‖": "||",
    },
    "\N{COMBINING MACRON}": "",
    **{"α": "alpha", "β": "beta", "γ": "gamma", "κ": "kappa", "λ": "lambda", "σ": "sigma"},
}
_MIN_WIDTH, _MAX_WIDTH = 24, 92  # characters of a line of help
_ERROR_HANDLER = "ssagan_tf.plain"


def _substitute(error: UnicodeError) -> tuple[str, int]:
    """Replaces symbols by similar ASCII text, and letters by escapes, so names stay distinct."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_ASCII_SUBSTITUTES.get(c, ascii(c)[1:-1]) for c in text), error.end


codecs.register_error(_ERROR_HANDLER, _substitute)


class _Output(io.TextIOWrapper):
    """A stream that drops what it cannot write: a program is not run for its messages.

    Attributes:
      write_error: The first reason, except a closed pipe, whose reader has gone.
    """

    write_error: OSError | None = None

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            return self._drop(error) or len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        if error.errno != errno.EPIPE:
            self.write_error = error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())  # for the buffered text as well
        os.close(nowhere)


def harden_streams() -> None:
    """Replaces the standard streams by ones that never raise when something is printed."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    while nowhere <= 2:  # one is closed: the next file would get its number
        nowhere = os.dup(nowhere)
    os.close(nowhere)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(number, "w", encoding="utf-8", errors=_ERROR_HANDLER, closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
        elif type(stream) is io.TextIOWrapper:  # but not those of tests and notebooks
            with contextlib.suppress(OSError):
                stream.flush()
            output = _Output(
                stream.buffer,
                encoding=stream.encoding,
                errors=_ERROR_HANDLER,
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
            setattr(sys, name, output)
        elif isinstance(stream, io.TextIOWrapper) and not isinstance(stream, _Output):
            stream.reconfigure(errors=_ERROR_HANDLER)


def write_error(stream: TextIO | None) -> OSError | None:
    """Returns why printed text was lost; None if all of it was written."""
    if stream is not None:
        stream.flush()
    return getattr(stream, "write_error", None)


def line_width() -> int:
    """Returns the number of characters of a line of help."""
    columns = shutil.get_terminal_size((_MAX_WIDTH, 24)).columns
    return max(_MIN_WIDTH, min(_MAX_WIDTH, columns))
