"""The metrics. A new one is one entry in one of these files.

An entry says what is computed for a clip, how it is averaged over clips, and how it is titled and
described: tables, report sections, JSON, CSV and curves follow from it.
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


def select(available: Iterable[str]) -> tuple[Metric, ...]:
    """The metrics that need nothing but what is available, in the order of the tables."""
    return tuple(metric for metric in METRICS if metric.needs <= set(available))
