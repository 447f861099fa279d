"""Describes what the numbers of an evaluation depend on: `conditions` in metrics.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ssagan_tf.data.evaluation_clips import Footage
from ssagan_tf.evaluation import results
from ssagan_tf.evaluation.better_direction import RULE
from ssagan_tf.evaluation.metrics.metric import Metric
from ssagan_tf.evaluation.protocols import PROTOCOLS
from ssagan_tf.evaluation.real_clips import RealClips
from ssagan_tf.evaluation.selection import format_size
from ssagan_tf.evaluation.systems import RESIZING
from ssagan_tf.options import EvaluateOptions


def conditions(
    options: EvaluateOptions,
    footage: Footage,
    real: RealClips,
    sides: Mapping[str, int],
    metrics: Sequence[Metric],
) -> dict[str, str]:
    """Protocol, definitions of the metrics, data and settings, by name.

    Args:
      options: The settings.
      footage: The real clips of the split.
      real: Those that are compared.
      sides: Side of the clips of each generator, by name.
      metrics: What is computed.
    """
    about = dict(footage.about)
    others = [f"{name} {side}×{side}" for name, side in sides.items() if (side, side) != real.size]
    if options.max_clips:
        about["clips"] += (
            f"; {len(real)} of {len(footage.clips)} at random with seed {options.seed}"
        )
    return {
        "protocol": options.protocol,
        **PROTOCOLS[options.protocol].rules,
        **({"direction": RULE} if options.direction == "better" else {}),
        **{metric.key: metric.description for metric in metrics if metric.description},
        **about,
        "size": format_size(real.size),
        "real frames": real.fitting,
        **({"generators": f"{', '.join(others)}: {RESIZING}"} if others else {}),
        "batch norm": options.batch_norm,
        "intervals": results.INTERVALS.format(options.seed),
    }
