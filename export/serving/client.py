"""`python -m export.serving.client`: videos from photos, made by a server."""

from __future__ import annotations

import math

import numpy as np

from export.options import ClientOptions
from export.serving.servers import Grpc, Rest, Server
from ssagan_tf import limits, program, timelapse, video
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, require
from ssagan_tf.progress import Progress
from ssagan_tf.startup import load_tensorflow

ABOUT = """
Sends photos to TensorFlow Serving, which has a model of export.to_saved_model, and writes the
videos that come back.
A SavedModel is a program, which may read and write files: load only your own.
"""
ORIENTATION = 0x0112  # in EXIF
KINDS = ("JPEG", "PNG")  # of files that go either way


def client(options: ClientOptions) -> None:
    """Writes the videos of all photos.

    Raises:
      OptionError: A setting is missing or impossible.
      DataError: A photo cannot be read, the server gives no clip, or a video cannot be written.
    """
    require(options, "server")
    jobs = timelapse.plan(options)
    for job in jobs:
        job.check()
    how = "stretch" if options.fit == "auto" else options.fit
    server = _server(options)
    with Progress("client", len(jobs)) as progress:
        for first in range(0, len(jobs), options.batch):
            some = jobs[first : first + options.batch]
            answers = server.predict([upright(job.photo) for job in some])
            if len(answers) != len(some):
                raise DataError(
                    f"{options.server} sent {len(answers)} clips for {len(some)} photos"
                )
            for job, answer in zip(some, answers, strict=True):
                size = video.read_image(job.photo).shape[:2]
                job.write(_frames(answer, options.server), size, how, options.fps)
                progress.advance(note=str(job.path))


def upright(photo: str) -> bytes:
    """A photo's file, if the server reads it as it is meant; else it anew, as a PNG."""
    with open(photo, "rb") as opened, video.open_image(opened) as image:
        if image.format in KINDS and image.getexif().get(ORIENTATION, 1) == 1:
            with open(photo, "rb") as file:
                return file.read()
    return video.encode_png(video.read_image(photo))


def _server(options: ClientOptions) -> Server:
    if options.protocol == "rest":
        return Rest(options)
    load_tensorflow()  # the messages of the API are TensorFlow's
    return Grpc(options)


def _frames(answer: object, server: str) -> np.ndarray:
    """Of one photo: decoded JPEGs, or the pixels."""
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
    if answer.ndim != 4 or answer.shape[-1] != 3:
        raise DataError(f"{server} sent something else than frames: shape {answer.shape}")
    return answer


def main() -> None:
    program.run("client", ABOUT, [ClientOptions], client, package="export.serving")


if __name__ == "__main__":
    main()
