"""Image and video files <-> uint8 RGB arrays, without TensorFlow or Keras.

Images are `[H, W, 3]`, clips `[T, H, W, 3]`, both uint8 in [0, 255]. Files are written
completely or not at all.
"""

from ssagan_tf.video.contact_strips import contact_strip
from ssagan_tf.video.encoding import FORMATS
from ssagan_tf.video.fitting import FITS, fit, unfit
from ssagan_tf.video.flow_files import flow_to_rgb, write_flow
from ssagan_tf.video.frames import PathLike, check
from ssagan_tf.video.pictures import (
    TooManyPixelsError,
    decode_image,
    encode_png,
    image_size,
    is_plain,
    open_image,
    read_image,
    read_reduced,
    write_image,
)
from ssagan_tf.video.reading import read_video, read_video_with_times
from ssagan_tf.video.unreadable import UnreadableError
from ssagan_tf.video.writing import (
    SUFFIXES,
    check_encoder,
    encode_gif,
    write_frames,
    write_gif,
    write_mp4,
    write_video,
)

__all__ = [
    "FITS",
    "FORMATS",
    "SUFFIXES",
    "PathLike",
    "TooManyPixelsError",
    "UnreadableError",
    "check",
    "check_encoder",
    "contact_strip",
    "decode_image",
    "encode_gif",
    "encode_png",
    "fit",
    "flow_to_rgb",
    "image_size",
    "is_plain",
    "open_image",
    "read_image",
    "read_reduced",
    "read_video",
    "read_video_with_times",
    "unfit",
    "write_flow",
    "write_frames",
    "write_gif",
    "write_image",
    "write_mp4",
    "write_video",
]
