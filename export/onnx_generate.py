"""`onnx_generate`: videos from photos without TensorFlow and Keras.

Needs only numpy, pillow, av, absl-py, rich and onnxruntime.
"""

from __future__ import annotations

from ssagan_tf import cli, photo_jobs
from ssagan_tf.options import require

from .onnx_session import OnnxGenerator
from .options import OnnxGenerateOptions

ABOUT = """
Makes a 32-frame time-lapse of each photo. Like generate, but with a model written by to_onnx: needs
ONNX Runtime, not TensorFlow.
"""


def onnx_generate(options: OnnxGenerateOptions) -> None:
    """Writes a video for each photo, or nothing if a photo cannot be read.

    Raises:
      OptionError: A setting is missing or invalid.
      DataError: A photo or the model cannot be read, a required GPU is missing, or an output cannot
        be written.
    """
    require(options, "model")
    jobs = photo_jobs.plan_jobs(options)
    for job in jobs:
        job.check()
    generator = OnnxGenerator(options.model, options.require_gpu, options.threads)
    side, frames = generator.settings["resolution"], generator.settings["frames"]
    how = generator.settings["fit"] if options.fit == "auto" else options.fit
    print(
        f"{len(jobs)} photo(s), {how} to {side}×{side}, {frames} frames each, "
        f"by {generator.provider}",
        flush=True,
    )
    photo_jobs.run_jobs(jobs, generator.on_pixels, side, how, options.fps)


def main() -> None:
    cli.run("onnx_generate", ABOUT, [OnnxGenerateOptions], onnx_generate, package=__package__)


if __name__ == "__main__":
    main()
