"""Finds training clips that look like test clips, on which an evaluation would be meaningless."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssagan_tf.data.dataset_info import NearDuplicate
from ssagan_tf.data.layouts.perceptual_hash import BITS, unpack
from ssagan_tf.data.reading import ClipMetadata

MAX_BITS = 30  # of 143 that may differ; see docs/design.md
_BLOCK = 2048  # clips compared at once: bounds the memory


def find(train: Sequence[ClipMetadata], test: Sequence[ClipMetadata]) -> tuple[NearDuplicate, ...]:
    """Finds the training clips with a near-duplicate among the test clips, and the nearest one.

    Two clips are near-duplicates if the hashes of any frame of one and any of the other differ in
    at most `MAX_BITS` bits.
    """
    if not train or not test:
        return ()
    test_signs, found = _signs(test), []
    for start in range(0, len(train), _BLOCK):
        some = train[start : start + _BLOCK]
        signs = _signs(some)
        best = np.full(len(some), BITS + 1)
        which = np.zeros(len(some), int)
        for first in range(0, len(test), _BLOCK):
            part = test_signs[first : first + _BLOCK]
            # The dot product of two vectors of ±1 is their length minus twice the differing bits.
            products = np.einsum("ahb,ckb->ahck", signs, part, optimize=True)
            distances = (BITS - products.max((1, 3))) / 2
            nearest = distances.argmin(1)
            least = distances[np.arange(len(some)), nearest]
            better = least < best
            best[better], which[better] = least[better], nearest[better] + first
        found += [
            NearDuplicate(some[i].name, test[which[i]].name, int(best[i]))
            for i in np.flatnonzero(best <= MAX_BITS)
        ]
    return tuple(found)


def _signs(clips: Sequence[ClipMetadata]) -> np.ndarray:
    bits = unpack([clip.hashes for clip in clips]).astype(np.float32)
    return (2 * bits - 1) * bits.any(-1, keepdims=True)  # featureless frames match nothing
