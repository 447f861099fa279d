"""Footage in its layouts: lists the clips to be, and reads each into 32 frames.

One module per layout, each with a class of items and the function that lists them:

    frames    folders of pictures named by numbers or times
    videos    video files
    stacked   a picture per clip, its frames one below the other
    clouds    nothing to read: the built-in synthetic clouds

`listing` picks the layout. What the layouts share: `folders` finds files and names clips,
`cutting` makes clips of a video's frames, `motion` measures how much they change, `hashes` what
they look like, `clip` makes the frames; `splits` says what is for training and what for testing.

Listing looks at names only (and, for the layout `auto`, at one picture). Items are small and
picklable; reading is done in worker processes, so nothing here imports TensorFlow.
"""

from ssagan_tf.data.layouts.clip import JPEGS, PIXELS, Clip, FrameEncoder, Item, Unusable, fit_of
from ssagan_tf.data.layouts.listing import Listing, check_source, list_items

__all__ = [
    "JPEGS",
    "PIXELS",
    "Clip",
    "FrameEncoder",
    "Item",
    "Listing",
    "Unusable",
    "check_source",
    "fit_of",
    "list_items",
]
