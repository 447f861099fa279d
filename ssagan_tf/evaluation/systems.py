"""What is evaluated: generators, folders of clips, and baselines. A row of the table each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ssagan_tf.evaluation.folders import ClipFolder
from ssagan_tf.evaluation.real import RealClips
from ssagan_tf.pixels import to_float


class System(Protocol):
    """A row of the table.

    Attributes:
      name: Of the row.
      about: Where its clips come from, in words.

    One with `needs_whole_batches` is asked for the clips of a batch together.
    """

    name: str
    about: str

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        """Its clips for some of the real ones.

        Args:
          positions: Of the clips among the real ones.
          real: These clips, `[B, 32, H, W, 3]` uint8.

        Returns:
          The same shape, float32, meant to lie in [-1, 1].
        """


class Folder:
    """Clips that are there already.

    Args:
      folder: Where.
      found: For the name of each real clip, its name in the folder.
      names: The real clips, by position.
    """

    def __init__(self, folder: ClipFolder, found: Mapping[str, str], names: Sequence[str]):
        self._folder, self._found, self._names = folder, found, names
        self.name = folder.name
        self.about = f"clips in {folder.path}, 8 bit as stored"

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        names = (self._found[self._names[position]] for position in positions)
        return np.stack([to_float(self._folder.read(name)) for name in names])


class Generator:
    """A network: photo `[B, H, W, 3]` → clip `[B, 32, H, W, 3]`, floats in [-1, 1].

    Args:
      name: Of the row.
      path: Where it was read from.
      network: Any Keras model of that kind.
      statistics: `running`: as for use. `batch`: in training mode, as the released code evaluates
        its first stage; what training would move (moving statistics, vectors of spectral norm)
        is put back after each batch.
      batch: Clips of a batch. With `batch` statistics the last one is filled up with the first
        clips, so that its moments are of as many.
    """

    def __init__(self, name: str, path: str, network: Any, statistics: str, batch: int):
        self.name, self.network = name, network
        self._training = statistics == "batch"
        self._batch = batch
        self._first: np.ndarray | None = None
        how = f"statistics of batches of {batch}" if self._training else "running statistics"
        self.about = f"generator {path}, batch norm: {how}; floats, not rounded to 8 bit"

    @property
    def needs_whole_batches(self) -> bool:
        """Whether a clip depends on the others of its batch."""
        return self._training

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        photos = to_float(real[:, 0])
        if not self._training:
            return self._call(photos)
        if self._first is None:
            self._first = photos
        filling = self._first[: max(self._batch - len(photos), 0)]
        if positions[0] > 0 and len(filling):
            return self._call(np.concatenate([photos, filling]))[: len(photos)]
        return self._call(photos)

    def _call(self, photos: np.ndarray) -> np.ndarray:
        if not self._training:
            return np.asarray(self.network(photos, training=False), "float32")
        state = [variable.numpy() for variable in self.network.non_trainable_variables]
        try:
            return np.asarray(self.network(photos, training=True), "float32")
        finally:
            for variable, value in zip(self.network.non_trainable_variables, state, strict=True):
                variable.assign(value)


def clip_of(system: System, real: RealClips, position: int, batch: int) -> np.ndarray:
    """One clip of a system, float `[32, H, W, 3]`, as it was when its batch was evaluated."""
    first = position - position % batch
    positions = list(range(first, min(first + batch, len(real))))
    if not getattr(system, "needs_whole_batches", False):
        positions = [position]
    clips = np.stack([real.clip(p) for p in positions])
    return system.clips(positions, clips)[positions.index(position)]
