"""What holds for every metric."""

from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.evaluation.metrics import METRICS, select
from ssagan_tf.evaluation.metrics.metric import Clip, Pair
from ssagan_tf.evaluation.protocols import PROTOCOLS
from ssagan_tf.pixels import to_float
from tests.drifting_clips import drifting

EVERY = pytest.mark.parametrize("metric", METRICS, ids=[metric.key for metric in METRICS])


def test_names_and_keys_are_unique() -> None:
    names = [metric.name for metric in METRICS]
    columns = names + [f"{metric.name}_real" for metric in METRICS if metric.also_real]
    assert len(set(columns)) == len(columns)
    assert len({metric.key for metric in METRICS}) == len(METRICS)


def test_metrics_whose_needs_are_missing_are_left_out() -> None:
    without = {metric.name for metric in select(())}
    assert without.isdisjoint({"flow", "seam", "angle_error"})
    assert select({"optical_flow", "loop_metrics", "truth"}) == METRICS
    assert "angle_error" not in {metric.name for metric in select({"truth"})}


@EVERY
@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_a_clip_has_a_value_or_a_curve(metric, protocol) -> None:
    """For clips of any size and content; and the entry or the protocol's rules describe it."""
    clip = drifting((1.0, 0.0), 32, 32)
    for real, fake in (
        (clip, clip[::-1]),
        (clip, clip * 0),
        (clip * 0, clip),
        (clip * 0, clip * 0),
    ):
        for frames in (fake, to_float(fake)):
            pair = Pair(Clip(real[:, :20], protocol), Clip(frames[:, :20], protocol))
            values = metric.compute(pair)
            assert np.shape(values) == ((len(values),) if metric.curve else ())
    assert metric.description or metric.key.upper() in protocol.rules
    assert f"{0.5:{metric.format}}"
