"""`onnx_animate`: moving photos without TensorFlow and Keras.

Needs the packages that `onnx_generate` needs, and opencv-python-headless.
"""

from __future__ import annotations

from ssagan_tf import cli
from ssagan_tf.errors import DataError
from ssagan_tf.options import require

from .onnx_session import OnnxGenerator
from .options import OnnxAnimateOptions

ABOUT = """
Makes the sky of each photo move, at the photo's full size. Like animate, but with a model written
by to_onnx: needs ONNX Runtime and OpenCV, not TensorFlow.
"""


def onnx_animate(options: OnnxAnimateOptions) -> None:
    """Writes a video for each photo, skipping photos that fail.

    Raises:
      OptionError: A setting is missing or invalid.
      DataError: OpenCV or ONNX Runtime is not installed, the model cannot be read, or a required
        GPU is missing. Also, once the others are written, if photos cannot be read, have nothing
        that could move, or their videos cannot be written.
    """
    require(options, "model")
    try:
        from ssagan_tf import animation_jobs
    except ModuleNotFoundError as error:
        if error.name != "cv2":
            raise
        raise DataError("cv2 is not installed; pip install opencv-python-headless") from error
    jobs = animation_jobs.plan_animations(options)
    generator = OnnxGenerator(options.model, options.require_gpu, options.threads)
    name = f"{options.model} on {generator.provider}"
    jobs.run(generator.on_pixels, generator.settings["resolution"], name)


def main() -> None:
    cli.run("onnx_animate", ABOUT, [OnnxAnimateOptions], onnx_animate, package=__package__)


if __name__ == "__main__":
    main()
