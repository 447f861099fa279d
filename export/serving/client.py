"""`python -m export.serving.client`: videos from photos, made by a server."""

from __future__ import annotations

from export.options import ClientOptions
from export.serving.remote_generator import KINDS, Clips
from ssagan_tf import cli, photo_jobs, video
from ssagan_tf.options import require
from ssagan_tf.progress import Progress

ABOUT = """
Sends photos to TensorFlow Serving, which has a model of export.to_saved_model, and writes the
videos that come back.
A SavedModel is a program, which may read and write files: load only your own.
"""


def client(options: ClientOptions) -> None:
    """Writes the videos of all photos.

    Raises:
      OptionError: A setting is missing or impossible.
      DataError: A photo cannot be read, the server gives no clip, or a video cannot be written.
    """
    require(options, "server")
    jobs = photo_jobs.plan_jobs(options)
    for job in jobs:
        job.check()
    how = "stretch" if options.fit == "auto" else options.fit
    clips = Clips(options)
    with Progress("client", len(jobs)) as progress:
        for first in range(0, len(jobs), options.batch):
            some = jobs[first : first + options.batch]
            made = clips.of([upright(job.photo) for job in some])
            for job, clip in zip(some, made, strict=True):
                _, size = video.read_reduced(job.photo, photo_jobs.PIXELS_4K)
                job.write_clip(clip, size, how, options.fps)
                progress.advance(note=str(job.path))


def upright(photo: str) -> bytes:
    """A photo's file, if the server reads it as it is meant; else it anew, as a PNG."""
    with open(photo, "rb") as opened, video.open_image(opened) as image:
        small = image.width * image.height < 4 * photo_jobs.PIXELS_4K
        if small and image.format in KINDS and video.is_plain(image):
            opened.seek(0)
            return opened.read()
    return video.encode_png(video.read_reduced(photo, photo_jobs.PIXELS_4K)[0])


def main() -> None:
    cli.run("client", ABOUT, [ClientOptions], client, package="export.serving")


if __name__ == "__main__":
    main()
