"""Exceptions that end a program with one line instead of a traceback."""

import importlib.util


class DataError(Exception):
    """Footage, a photo, a prepared set or a run cannot be used (exit code 1).

    The message names the file or folder and says what to do.
    """


class Stopped(Exception):
    """A signal ended the work in order (exit code 128 + its number). Says how to resume."""

    def __init__(self, message: str, signal: int):
        super().__init__(message)
        self.signal = signal


def missing_extra(error: ImportError, extra: str, otherwise: str = "") -> DataError:
    """The error to raise when a package that belongs to an extra cannot be imported.

    Args:
      error: The exception that the import raised.
      extra: Name of the extra in `setup.cfg`.
      otherwise: An alternative to installing it, starting with a comma.
    """
    name = error.name or error
    return DataError(f"{name} is not installed; pip install 'ssagan_tf[{extra}]'{otherwise}")


def require_extra(extra: str, *modules: str, otherwise: str = "") -> None:
    """Raises `missing_extra` unless the modules are installed. Imports none: some are slow.

    Args:
      extra: Name of the extra in `setup.cfg`.
      modules: Top-level names of the modules needed.
      otherwise: An alternative to installing it, starting with a comma.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise missing_extra(ImportError(name=module), extra, otherwise)
