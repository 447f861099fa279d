"""Footage in several layouts: lists its items, and reads clips of 32 frames from each.

Each layout has a module with a class of items and a `LAYOUT`; `listing.LAYOUTS` has them all. They
share `folders`, which finds files and names clips, and `cutting`, which makes clips of frames with
`clip` (encoding), `motion` (how much they change) and `perceptual_hash` (what they look like).
`splits` divides clips into training and testing.

Listing looks at file names only (and for the layout `auto`, at one picture). Items are small and
picklable. They are read in worker processes, so nothing here imports TensorFlow.
"""

from ssagan_tf.data.layouts.clip import (
    JPEGS,
    PIXELS,
    Clip,
    FrameEncoder,
    Item,
    UnusableItemError,
    resolved_fit,
)
from ssagan_tf.data.layouts.listing import LAYOUTS, Listing, check_source, list_items

__all__ = [
    "JPEGS",
    "LAYOUTS",
    "PIXELS",
    "Clip",
    "FrameEncoder",
    "Item",
    "Listing",
    "UnusableItemError",
    "check_source",
    "list_items",
    "resolved_fit",
]
