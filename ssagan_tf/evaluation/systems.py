"""Systems whose clips are evaluated, one row of the table each: generators and folders of clips.

Baselines, photos moved by a generator's motion, and the better of two directions have modules of
their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import cv2
import numpy as np

from ssagan_tf import video
from ssagan_tf.evaluation.clip_folders import ClipFolder
from ssagan_tf.evaluation.real_clips import RealClips
from ssagan_tf.pixels import to_float

RESIZING = (
    "photos are resized to that size (Pillow, bilinear, antialiased), and clips back (OpenCV: "
    "bicubic, or area averaging when shrinking)"
)
"""How a generator of another size takes part."""


class System(Protocol):
    """A row of the table: anything that makes clips.

    Attributes:
      name: Name of the row.
      description: Where its clips come from.

    Optional attributes: `needs_whole_batches`, if clips depend on the others of their batch, so
    that batches are requested as a whole; `still`, a dict from positions of clips in which nothing
    moves to the reason.
    """

    name: str
    description: str

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        """Makes its clips for some of the real ones.

        Args:
          positions: Positions of the clips among the real ones.
          real: These clips, `[B, 32, H, W, 3]` uint8.

        Returns:
          The same shape, float32, nominally in [-1, 1].
        """


def still_clips(system: System | None) -> dict[int, str]:
    """Why nothing moves in some of its clips, by position; empty if the system does not say."""
    return getattr(system, "still", {})


class ClipsFromFolder:
    """Clips that were made before.

    Args:
      folder: The folder.
      found: Name in the folder of each real clip, by that clip's name.
      names: Names of the real clips, by position.
    """

    def __init__(self, folder: ClipFolder, found: Mapping[str, str], names: Sequence[str]):
        self._folder, self._found, self._names = folder, found, names
        self.name = folder.name
        self.description = f"clips in {folder.path}, 8 bits as stored"

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        names = (self._found[self._names[position]] for position in positions)
        return np.stack([to_float(self._folder.read(name)) for name in names])


class Generator:
    """A network: photo `[B, S, S, 3]` → clip `[B, 32, S, S, 3]`, floats in [-1, 1].

    Photos of another size are resized to its own, and its clips to theirs.

    Args:
      name: Name of the row.
      source: Where the network was loaded from.
      network: A Keras model.
      statistics: Batch norm statistics. `running`: as in inference. `batch`: in training mode, as
        the released code evaluates its first stage; what training would update (moving statistics,
        vectors of spectral norm) is restored after each batch.
      batch: Clips per batch. With `batch` statistics the last batch is filled up with the first
        clips, so that its moments are over as many clips.
      keep: Whether to keep clips until others are requested, as another row needs them as well.
    """

    def __init__(
        self,
        name: str,
        source: str,
        network: Any,
        statistics: str,
        batch: int,
        *,
        keep: bool = False,
    ):
        self.name, self.network = name, network
        self._training = statistics == "batch"
        self._batch = batch
        self._first: np.ndarray | None = None
        self._keep = keep
        self._kept: tuple[list[int], np.ndarray, np.ndarray] | None = None
        how = f"statistics of batches of {batch}" if self._training else "running statistics"
        self.description = f"generator {source}, batch norm: {how}; floats, not rounded to 8 bits"

    @property
    def needs_whole_batches(self) -> bool:
        """Whether a clip depends on the others of its batch."""
        return self._training

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        return _resized(self.clips_at_own_size(positions, real), real.shape[2:4])

    def clips_at_own_size(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        """Its clips as the network makes them: `[B, 32, S, S, 3]` float32."""
        side = self.network.options.resolution
        photos = np.stack([video.fit(clip[0], side, "stretch") for clip in real])
        if self._kept and self._kept[0] == [*positions] and np.array_equal(self._kept[1], photos):
            return self._kept[2]
        self._kept = None  # free memory before others are made
        clips = self._clips(positions, to_float(photos))
        if self._keep:
            self._kept = [*positions], photos, clips
        return clips

    def _clips(self, positions: Sequence[int], photos: np.ndarray) -> np.ndarray:
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


def _resized(clips: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`[B, T, h, w, 3]` floats at another size: bicubic, or area averaging when shrinking."""
    if clips.shape[2:4] == size:
        return clips
    how = cv2.INTER_AREA if size < clips.shape[2:4] else cv2.INTER_CUBIC
    return np.stack(
        [[cv2.resize(frame, size[::-1], interpolation=how) for frame in clip] for clip in clips]
    )


def clip_of(system: System, real: RealClips, position: int, batch: int) -> np.ndarray:
    """One clip of a system, float `[32, H, W, 3]`, as it was when its batch was evaluated."""
    first = position - position % batch
    positions = list(range(first, min(first + batch, len(real))))
    if not getattr(system, "needs_whole_batches", False):
        positions = [position]
    clips = np.stack([real.clip(p) for p in positions])
    return system.clips(positions, clips)[positions.index(position)]
