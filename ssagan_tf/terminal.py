"""Standard output and error, whatever they lead to: one that shows ASCII only, a pipe that is
closed, a full disk, nothing."""

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
_NARROWEST, _WIDEST = 24, 92  # letters of a line of help
_ERROR_HANDLER = "ssagan_tf.plain"


def _substitute(error: UnicodeError) -> tuple[str, int]:
    """Signs as what they look like; letters of names as Python writes them, as they must be told
    apart."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_ASCII_SUBSTITUTES.get(c, ascii(c)[1:-1]) for c in text), error.end


codecs.register_error(_ERROR_HANDLER, _substitute)


class _Output(io.TextIOWrapper):
    """What cannot be written is lost, as what a program says is not what it is run for.

    Attributes:
      lost: Why something was, unless nobody reads any more.
    """

    lost: OSError | None = None

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            return self._lose(error) or len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        if error.errno != errno.EPIPE:
            self.lost = error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())  # with what is waiting already
        os.close(nowhere)


def harden_streams() -> None:
    """Makes the standard streams such that nothing printed ends a program."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    while nowhere <= 2:  # one was closed: its number would be taken by the next file
        nowhere = os.dup(nowhere)
    os.close(nowhere)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(number, "w", encoding="utf-8", errors=_ERROR_HANDLER, closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
        elif type(stream) is io.TextIOWrapper:  # not what a test or a notebook puts there
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
    """Why something that was printed is not where it should be; None if nothing is missing."""
    if stream is not None:
        stream.flush()
    return getattr(stream, "lost", None)


def line_width() -> int:
    """Letters of a line of running text."""
    columns = shutil.get_terminal_size((_WIDEST, 24)).columns
    return max(_NARROWEST, min(_WIDEST, columns))
