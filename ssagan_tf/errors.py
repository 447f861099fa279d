"""What ends a program with one line instead of a traceback."""

import importlib.util


class DataError(Exception):
    """Footage, a photo, a prepared set or a run that cannot be used (exit code 1).

    The message names the file or folder and says what to do.
    """


class Stopped(Exception):
    """A signal ended the work in good order (exit code 128 + its number). Says how to go on."""

    def __init__(self, message: str, signal: int):
        super().__init__(message)
        self.signal = signal


def missing_extra(error: ImportError, extra: str, otherwise: str = "") -> DataError:
    """What to raise where a package of an extra of `setup.cfg` cannot be imported.

    Args:
      error: Of the import.
      extra: Its name.
      otherwise: What else may be done, beginning with a comma.
    """
    name = error.name or error
    return DataError(f"{name} is not installed; pip install 'ssagan_tf[{extra}]'{otherwise}")


def require_extra(extra: str, *modules: str, otherwise: str = "") -> None:
    """Raises `missing_extra` unless the modules are there, without importing them: some are slow.

    Args:
      extra: Its name.
      modules: Those that are needed of it, by their top-level names.
      otherwise: As above.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise missing_extra(ImportError(name=module), extra, otherwise)
