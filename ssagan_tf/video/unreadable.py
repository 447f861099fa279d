"""The error of pictures and videos that cannot be read."""

from __future__ import annotations

import os

from ssagan_tf.errors import DataError
from ssagan_tf.video.frames import PathLike


class UnreadableError(DataError):
    """A picture or video cannot be read. `why` is the reason without the path."""

    def __init__(self, kind: str, path: PathLike, why: object, advice: str = ""):
        super().__init__(f"cannot read the {kind} {os.fspath(path)}: {why}{advice}")
        self.why = str(why)
