"""Errors that a program reports as one line instead of a traceback."""


class DataError(Exception):
    """Footage, a photo, a prepared set or a run that cannot be used (exit code 1).

    The message names the file or folder and says what to do.
    """
