"""The layouts, which of them a source has, and what there is to read in it."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Sequence

from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts import frames, stacked, synthetic, videos
from ssagan_tf.data.layouts.clip import Item
from ssagan_tf.data.layouts.folders import SourceFolder, suffix_of, walk
from ssagan_tf.errors import DataError
from ssagan_tf.options import OptionError, PrepareOptions, require
from ssagan_tf.remote import AnyPath, as_path, no_such_folder, why_unreachable
from ssagan_tf.skies import checksum

LAYOUTS = {  # `auto` chooses the first one that fits
    "stacked": stacked.LAYOUT,
    "frames": frames.LAYOUT,
    "videos": videos.LAYOUT,
    "synthetic": synthetic.LAYOUT,
}


@dataclasses.dataclass(frozen=True)
class Listing:
    """What there is to read in a source."""

    layout: str
    items: tuple[Item, ...]
    skipped: tuple[Skipped, ...]


def check_source(options: PrepareOptions) -> None:
    """Checks the source without reading it.

    Raises:
      OptionError: It does not exist, or does not go with the layout or list.
    """
    layout = LAYOUTS.get(options.layout)
    if options.list and layout and not layout.takes_list:
        raise OptionError("list", options.list, f"is for --layout={_with_list()} only")
    if options.benchmark != "none" and not checksum.matches(options.benchmark, options.seed):
        why = "this version draws different skies; install an older one"
        raise OptionError("benchmark", options.benchmark, why)
    if layout and not layout.suffixes:
        if options.source:
            why = f"is not used with --layout={options.layout}; omit one of them"
            raise OptionError("source", options.source, why)
        return
    require(options, "source")
    if why := why_unreachable(options.source):
        raise OptionError("source", options.source, why)
    source = as_path(options.source)
    if not source.is_dir():
        why = "is not a directory" if source.exists() else no_such_folder(source)
        raise OptionError("source", options.source, why)


def list_items(options: PrepareOptions) -> Listing:
    """Lists the items of a source in a fixed order.

    Args:
      options: Those that `check_source` accepted.

    Raises:
      OptionError: The layout cannot be detected, or the list cannot be read.
      DataError: The source has no footage.
    """
    source = as_path(options.source)
    skipped: list[Skipped] = []
    name = options.layout
    try:
        needs_source = name not in LAYOUTS or LAYOUTS[name].suffixes
        folders = list(walk(source, skipped)) if needs_source else []
        if name not in LAYOUTS:
            name = _with_list() if options.list else _detect(source, folders)
        items = tuple(LAYOUTS[name].list_items(source, folders, options, skipped))
    except OSError as error:
        what = error.filename or source
        raise DataError(f"cannot read {what}: {error.strerror or error}") from error
    return Listing(name, items, tuple(skipped))


def _with_list() -> str:
    return next(name for name, layout in LAYOUTS.items() if layout.takes_list)


def _detect(source: AnyPath, folders: Sequence[SourceFolder]) -> str:
    """The layout that `auto` stands for."""
    files = [folder.relative(name) for folder in folders for name in folder.files]
    possible = {
        name: its
        for name, layout in LAYOUTS.items()
        if (its := [f for f in files if suffix_of(posixpath.basename(f)) in layout.suffixes])
    }
    if not possible:
        expected = [layout.expects for layout in LAYOUTS.values() if layout.suffixes]
        raise DataError(f"{source} has no footage; expected {', or '.join(expected)}")
    if len({LAYOUTS[name].suffixes for name in possible}) > 1:
        *others, last = possible
        which = f"{', '.join(others)} and {last}"
        raise OptionError("layout", "auto", f"{source} has files for {which}; choose one of these")
    return next(name for name, its in possible.items() if LAYOUTS[name].fits(source, its))
