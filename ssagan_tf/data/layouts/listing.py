"""What a source holds: checks the settings, picks the layout, lists the items."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from ssagan_tf import video
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts.clip import Item
from ssagan_tf.data.layouts.folders import PICTURES, VIDEOS, SourceFolder, suffix_of, walk
from ssagan_tf.data.layouts.frames import list_frames
from ssagan_tf.data.layouts.stacked import list_stacked
from ssagan_tf.data.layouts.synthetic import list_clouds
from ssagan_tf.data.layouts.videos import list_videos
from ssagan_tf.errors import DataError
from ssagan_tf.options import OptionError, PrepareOptions, require
from ssagan_tf.remote import AnyPath, StoreError, as_path, no_such_folder, why_unreachable
from ssagan_tf.skies import checksum

_LISTERS = {"frames": list_frames, "videos": list_videos, "stacked": list_stacked}
_LOOKED_AT = 32  # pictures tried until one can be opened


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a source holds."""

    layout: str
    items: tuple[Item, ...]
    skipped: tuple[Skipped, ...]


def check_source(options: PrepareOptions) -> None:
    """Checks what can be told without looking into the source.

    Raises:
      OptionError: Source, layout or list do not fit together, or the source does not exist.
    """
    if options.list and options.layout not in ("auto", "stacked"):
        raise OptionError("list", options.list, "is for --layout=stacked only")
    if options.layout == "synthetic":
        if options.source:
            raise OptionError(
                "source", options.source, "is not read with --layout=synthetic; leave one out"
            )
        if options.benchmark != "none" and checksum.draws_others(options.benchmark, options.seed):
            why = "this version draws other skies; install an older one"
            raise OptionError("benchmark", options.benchmark, why)
        return
    require(options, "source")
    if why := why_unreachable(options.source):
        raise OptionError("source", options.source, why)
    source = as_path(options.source)
    if not source.is_dir():
        why = "is a file, not a folder" if source.exists() else no_such_folder(source)
        raise OptionError("source", options.source, why)


def list_items(options: PrepareOptions) -> Listing:
    """Lists the items of a source in a fixed order.

    Args:
      options: What `check_source` found possible.

    Raises:
      OptionError: The layout cannot be told, or the list cannot be read.
      DataError: The source holds no footage.
    """
    if options.layout == "synthetic":
        return Listing("synthetic", tuple(list_clouds(options)), ())
    source = as_path(options.source)
    skipped: list[Skipped] = []
    layout = options.layout
    try:
        folders = list(walk(source, skipped))
        if layout == "auto":
            layout = "stacked" if options.list else _guess(source, folders)
        items = tuple(_LISTERS[layout](source, folders, options, skipped))
    except OSError as error:
        what = error.filename or source
        raise DataError(f"cannot read {what}: {error.strerror or error}") from error
    return Listing(layout, items, tuple(skipped))


def _guess(source: AnyPath, folders: Sequence[SourceFolder]) -> str:
    files = [folder.below(name) for folder in folders for name in folder.files]
    pictures = [name for name in files if suffix_of(os.path.basename(name)) in PICTURES]
    has_videos = any(suffix_of(os.path.basename(name)) in VIDEOS for name in files)
    if pictures and has_videos:
        raise OptionError(
            "layout", "auto", f"{source} holds both videos and pictures; say which to take"
        )
    if has_videos:
        return "videos"
    if not pictures:
        raise DataError(
            f"{source} holds no videos and no pictures; name a folder of video files, or of "
            "folders of numbered pictures"
        )
    for name in pictures[:_LOOKED_AT]:  # the first ones may be broken
        try:
            with (source / name).open("rb") as file, video.open_image(file) as image:
                return "stacked" if image.height >= 4 * image.width else "frames"
        except StoreError:
            raise
        except (OSError, ValueError):
            continue
    return "frames"
