"""Clips of training that look like clips of testing: a test on them would test nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssagan_tf.data.dataset_info import NearDuplicate
from ssagan_tf.data.layouts.perceptual_hash import BITS, unpack
from ssagan_tf.data.reading import ClipMetadata

NEAR = 30  # of 143 bits; see BUILD.md
_BLOCK = 2048  # clips compared at once: bounds the memory


def find(train: Sequence[ClipMetadata], test: Sequence[ClipMetadata]) -> tuple[NearDuplicate, ...]:
    """The training clips that have a near-duplicate among the test clips, with the nearest one.

    Two clips are near-duplicates if any hashed frame of the one and any of the other differ in at
    most `NEAR` bits.
    """
    if not train or not test:
        return ()
    of_test, found = _signs(test), []
    for start in range(0, len(train), _BLOCK):
        some = train[start : start + _BLOCK]
        signs = _signs(some)
        best = np.full(len(some), BITS + 1)
        which = np.zeros(len(some), int)
        for first in range(0, len(test), _BLOCK):
            part = of_test[first : first + _BLOCK]
            # Of vectors of ±1, bits that differ are half of what the product lacks.
            products = np.einsum("ahb,ckb->ahck", signs, part, optimize=True)
            distances = (BITS - products.max((1, 3))) / 2
            nearest = distances.argmin(1)
            least = distances[np.arange(len(some)), nearest]
            better = least < best
            best[better], which[better] = least[better], nearest[better] + first
        found += [
            NearDuplicate(some[i].name, test[which[i]].name, int(best[i]))
            for i in np.flatnonzero(best <= NEAR)
        ]
    return tuple(found)


def _signs(clips: Sequence[ClipMetadata]) -> np.ndarray:
    bits = unpack([clip.hashes for clip in clips]).astype(np.float32)
    return (2 * bits - 1) * bits.any(-1, keepdims=True)  # plain pictures are like no other
