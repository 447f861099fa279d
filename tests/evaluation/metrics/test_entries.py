"""What holds for every measure."""

from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.evaluation.metrics import METRICS, select
from ssagan_tf.evaluation.metrics.metric import LIKENESS, Clip, Pair
from ssagan_tf.evaluation.protocols import PROTOCOLS
from ssagan_tf.pixels import to_float
from tests.drifting_clips import drifting

EVERY = pytest.mark.parametrize("measure", METRICS, ids=[each.figure for each in METRICS])


def test_names_are_of_one_measure() -> None:
    names = [each.name for each in METRICS]
    columns = names + [f"{each.name}_real" for each in METRICS if each.of_real]
    assert len(set(columns)) == len(columns)
    assert len({each.figure for each in METRICS}) == len(METRICS)


def test_what_is_not_there_is_not_measured() -> None:
    plain = {each.name for each in select(())}
    assert plain.isdisjoint({"flow", "seam", "angle_error"})
    with_all = select({"optical_flow", "loop_metrics", "truth"})
    assert with_all == METRICS
    assert "angle_error" not in {each.name for each in select({"truth"})}


@EVERY
@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_a_clip_has_a_number_or_a_curve(measure, protocol) -> None:
    """For clips of any size, whatever is in them; and words or the protocol's say what it is."""
    clip = drifting((1.0, 0.0), 32, 32)
    for real, fake in (
        (clip, clip[::-1]),
        (clip, clip * 0),
        (clip * 0, clip),
        (clip * 0, clip * 0),
    ):
        for given in (fake, to_float(fake)):
            values = measure.of(Pair(Clip(real[:, :20], protocol), Clip(given[:, :20], protocol)))
            assert np.shape(values) == ((len(values),) if measure.curve else ())
    assert bool(measure.words) == (measure.section is not LIKENESS)
    assert f"{0.5:{measure.format}}"
