"""Sends photos to a server and returns its clips."""

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

FORMATS = ("JPEG", "PNG")  # of photos that are sent and of frames that are returned


class RemoteGenerator:
    """A generator on a server.

    Args:
      options: The server, and how to send requests.

    Raises:
      DataError: A package that its protocol needs is not installed.
    """

    def __init__(self, options: ServerOptions):
        self._name, self._server = options.server, _server(options)

    def clips(self, files: Sequence[bytes]) -> list[np.ndarray]:
        """Requests the clips of photos.

        Args:
          files: Contents of JPEG or PNG files.

        Returns:
          One clip for each photo, uint8 `[T, S, S, 3]`.

        Raises:
          DataError: The server fails, or does not return such clips.
        """
        responses = self._server.predict(files)
        if len(responses) != len(files):
            raise DataError(f"{self._name}: expected {len(files)} clips, got {len(responses)}")
        return [frames(response, self._name) for response in responses]


def _server(options: ServerOptions) -> Server:
    if options.api == "rest":
        return Rest(options)
    load_tensorflow()  # the API's messages contain TensorFlow's tensors
    return Grpc(options)


def frames(response: object, server: str) -> np.ndarray:
    """Returns a clip, uint8 `[T, S, S, 3]`, from a server's pixels or JPEG frames for one photo.

    Raises:
      DataError: The response is not a clip of a generator.
    """
    try:
        if len(response) > FRAMES:
            raise ValueError(f"expected {FRAMES} frames, got {len(response)}")
        if not (isinstance(response, np.ndarray) and response.dtype == np.uint8):
            sizes = {video.image_size(frame, *FORMATS) for frame in response}  # before decoding
            if len(sizes) != 1:
                raise ValueError("there are no frames, or frames of different sizes")
            if FRAMES * math.prod(*sizes) > limits.CLIP_PIXELS:
                raise ValueError("the frames are too large")
            response = np.stack([video.decode_image(frame) for frame in response])
    except (ValueError, TypeError) as error:
        raise DataError(f"{server} did not return a clip: {error}") from error
    side = response.shape[1] if response.ndim == 4 else 0
    if response.shape != (FRAMES, side, side, 3) or outer_levels(side) < 0:
        raise DataError(f"{server} did not return a clip: its shape is {response.shape}")
    return response
