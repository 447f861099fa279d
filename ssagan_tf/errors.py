"""What ends a program with one line instead of a traceback."""


class DataError(Exception):
    """Footage, a photo, a prepared set or a run that cannot be used (exit code 1).

    The message names the file or folder and says what to do.
    """


class Stopped(Exception):
    """A signal ended the work in good order (exit code 128 + its number). Says how to go on."""

    def __init__(self, message: str, signal: int):
        super().__init__(message)
        self.signal = signal


def missing_extra(error: ImportError, extra: str) -> DataError:
    """What to raise where a package of an extra of `setup.cfg` cannot be imported."""
    return DataError(f"{error.name or error} is not installed; pip install 'ssagan_tf[{extra}]'")
