"""Image and video files <-> uint8 RGB arrays, without TensorFlow or Keras.

Images are `[H, W, 3]`, clips `[T, H, W, 3]`, both uint8 in [0, 255]. What is written appears
as a whole or not at all.
"""

from ssagan_tf.video.contact_strips import strip
from ssagan_tf.video.fitting import FITS, fit, unfit
from ssagan_tf.video.flow_files import flow_picture, write_flow
from ssagan_tf.video.frames import PathLike, check
from ssagan_tf.video.pictures import (
    TooManyPixels,
    decode_image,
    encode_png,
    image_size,
    is_plain,
    open_image,
    read_image,
    read_reduced,
    write_image,
)
from ssagan_tf.video.reading import read_timed, read_video
from ssagan_tf.video.unreadable import UnreadableError
from ssagan_tf.video.writing import (
    ENDINGS,
    check_encoder,
    encode_gif,
    write_frames,
    write_gif,
    write_mp4,
    write_video,
)

__all__ = [
    "ENDINGS",
    "FITS",
    "PathLike",
    "TooManyPixels",
    "UnreadableError",
    "check",
    "check_encoder",
    "decode_image",
    "encode_gif",
    "encode_png",
    "fit",
    "flow_picture",
    "image_size",
    "is_plain",
    "open_image",
    "read_image",
    "read_reduced",
    "read_timed",
    "read_video",
    "strip",
    "unfit",
    "write_flow",
    "write_frames",
    "write_gif",
    "write_image",
    "write_mp4",
    "write_video",
]
