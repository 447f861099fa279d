"""What a layout of footage defines. Each has a module with its items and a `LAYOUT`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts.clip import Item
from ssagan_tf.data.layouts.folders import SourceFolder
from ssagan_tf.options import PrepareOptions
from ssagan_tf.remote import AnyPath

ListItems = Callable[
    [AnyPath, Sequence[SourceFolder], PrepareOptions, list[Skipped]], Iterable[Item]
]
"""Lists the items of a source from its folders; the last argument takes what is skipped."""


@dataclasses.dataclass(frozen=True)
class LayoutSpec:
    """How footage is organised in a source.

    Attributes:
      expects: What the source should have, for messages.
      list_items: Lists the items.
      suffixes: Suffixes of the files that it reads; empty if it needs no source.
      fits: Whether `--layout=auto` may choose it, given the source and the relative paths of the
        files with these suffixes.
      takes_list: Whether `--list` selects the files.
    """

    expects: str
    list_items: ListItems
    suffixes: tuple[str, ...] = ()
    fits: Callable[[AnyPath, Sequence[str]], bool] = lambda source, files: True
    takes_list: bool = False
