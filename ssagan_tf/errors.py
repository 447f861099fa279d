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
