"""The measures of the tables. A new one is an entry in one of these files.

What is measured of a clip, how that is put together over clips, its words, heads and formats: all
outputs of `evaluate` follow from the entries.
"""

from __future__ import annotations

from collections.abc import Iterable

from ssagan_tf.evaluation.metrics import (
    ground_truth,
    motion,
    moving_regions,
    similarity,
    stability,
)
from ssagan_tf.evaluation.metrics.metric import Metric

METRICS: tuple[Metric, ...] = (
    *similarity.METRICS,
    *motion.METRICS,
    *moving_regions.METRICS,
    *stability.METRICS,
    *ground_truth.METRICS,
)


def select(given: Iterable[str]) -> tuple[Metric, ...]:
    """The measures that need no more than what is given, in the order of the tables."""
    return tuple(measure for measure in METRICS if measure.needs <= set(given))
