"""`serving.client`: videos from photos, made by a server."""

from __future__ import annotations

from ssagan_tf import cli, photo_jobs, video
from ssagan_tf.options import require
from ssagan_tf.progress import Progress

from ..options import ClientOptions
from .remote_generator import FORMATS, RemoteGenerator

ABOUT = """
Makes a 32-frame time-lapse of each photo. Like generate, but the photos are sent to TensorFlow
Serving with a model written by to_saved_model.
A SavedModel is a program, which can read and write files: load only your own.
"""


def client(options: ClientOptions) -> None:
    """Writes a video for each photo.

    Raises:
      OptionError: A setting is missing or invalid.
      DataError: A photo cannot be read, the server returns no clip, or a video cannot be written.
    """
    require(options, "server")
    jobs = photo_jobs.plan_jobs(options)
    for job in jobs:
        job.check()
    how = "stretch" if options.fit == "auto" else options.fit
    generator = RemoteGenerator(options)
    with Progress("client", len(jobs)) as progress:
        for first in range(0, len(jobs), options.batch):
            batch = jobs[first : first + options.batch]
            clips = generator.clips([encoded_photo(job.photo) for job in batch])
            for job, clip in zip(batch, clips, strict=True):
                _, size = video.read_reduced(job.photo, photo_jobs.PIXELS_4K)
                job.write_clip(clip, size, how, options.fps)
                progress.advance(note=str(job.path))


def encoded_photo(photo: str) -> bytes:
    """Returns the photo's file if the server would decode it correctly, else a new PNG of it."""
    with open(photo, "rb") as opened, video.open_image(opened) as image:
        small = image.width * image.height < 4 * photo_jobs.PIXELS_4K
        if small and image.format in FORMATS and video.is_plain(image):
            opened.seek(0)
            return opened.read()
    return video.encode_png(video.read_reduced(photo, photo_jobs.PIXELS_4K)[0])


def main() -> None:
    cli.run("client", ABOUT, [ClientOptions], client, package=__package__)


if __name__ == "__main__":
    main()
