"""Photo files to a server, clips from it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ssagan_tf import limits, video
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, outer_levels
from ssagan_tf.startup import load_tensorflow

from ..options import ServerOptions
from .servers import Grpc, Rest, Server

KINDS = ("JPEG", "PNG")  # of files that go either way


class Clips:
    """A server as what makes clips.

    Args:
      options: Which one, and how it is asked.

    Raises:
      DataError: What speaks its protocol is not installed.
    """

    def __init__(self, options: ServerOptions):
        self._name, self._server = options.server, _server(options)

    def of(self, files: Sequence[bytes]) -> list[np.ndarray]:
        """Asks for the clips of photos.

        Args:
          files: JPEGs and PNGs.

        Returns:
          A clip of each, uint8 `[T, S, S, 3]`.

        Raises:
          DataError: The server gives no such clips.
        """
        answers = self._server.predict(files)
        if len(answers) != len(files):
            raise DataError(f"{self._name} sent {len(answers)} clips for {len(files)} photos")
        return [frames(answer, self._name) for answer in answers]


def _server(options: ServerOptions) -> Server:
    if options.protocol == "rest":
        return Rest(options)
    load_tensorflow()  # the messages of the API are TensorFlow's
    return Grpc(options)


def frames(answer: object, server: str) -> np.ndarray:
    """The clip of one photo, uint8 `[T, S, S, 3]`, of the pixels or JPEGs that `server` has sent.

    Raises:
      DataError: It has sent something else.
    """
    try:
        if len(answer) > FRAMES:
            raise ValueError(f"{len(answer)} of them, where a clip has {FRAMES}")
        if not (isinstance(answer, np.ndarray) and answer.dtype == np.uint8):
            sizes = {video.image_size(frame, *KINDS) for frame in answer}  # before any is decoded
            if len(sizes) != 1:
                raise ValueError("they are of different sizes, or none")
            if FRAMES * math.prod(*sizes) > limits.CLIP_PIXELS:
                raise ValueError("they are too large")
            answer = np.stack([video.decode_image(frame) for frame in answer])
    except (ValueError, TypeError) as error:
        raise DataError(f"{server} sent something else than frames: {error}") from error
    side = answer.shape[1] if answer.ndim == 4 else 0
    if answer.shape != (FRAMES, side, side, 3) or outer_levels(side) < 0:
        raise DataError(f"{server} sent something else than frames: shape {answer.shape}")
    return answer
