"""Errors that a program reports as one line instead of a traceback."""


class DataError(Exception):
    """Footage, a photo, a prepared set or a run that cannot be used (exit code 1).

    The message names the file or folder and says what to do.
    """


def missing_extra(error: ImportError, extra: str) -> DataError:
    """What to raise where a package of an extra of `setup.cfg` cannot be imported."""
    return DataError(f"{error.name or error} is not installed; pip install 'ssagan_tf[{extra}]'")
