"""`python -m export.onnx_animate`: photos that move, without TensorFlow and Keras.

Needs what `export.onnx_generate` needs, and opencv-python-headless.
"""

from __future__ import annotations

from export.onnx_session import OnnxGenerator
from export.options import OnnxAnimateOptions
from ssagan_tf import cli
from ssagan_tf.errors import DataError
from ssagan_tf.options import require

ABOUT = """
Makes the sky of each photo move, at the photo's own size: what ssagan_tf.animate does, with a model
of export.to_onnx, ONNX Runtime and OpenCV alone.
"""


def onnx_animate(options: OnnxAnimateOptions) -> None:
    """Writes the videos of all photos that can be used.

    Raises:
      OptionError: A setting is missing or impossible.
      DataError: OpenCV or ONNX Runtime is not installed, the model cannot be read, or no GPU is
        there where one is required; or some photos cannot be read, nothing would move in them, or
        their videos cannot be written.
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
    cli.run("onnx_animate", ABOUT, [OnnxAnimateOptions], onnx_animate, package="export")


if __name__ == "__main__":
    main()
