"""The learning curve of a run, read from its `metrics.jsonl`."""

from __future__ import annotations

import dataclasses
import math

from ssagan_tf import limits
from ssagan_tf.errors import DataError
from ssagan_tf.training.run_folder import METRICS_FILE, Run

_LOSSES = ("test_content_loss", "train_content_loss")  # the latter where there are no test clips
_STILL = "still_content_loss"


@dataclasses.dataclass(frozen=True)
class LearningCurve:
    """Content loss during training.

    Attributes:
      loss: Loss by the number of clips that the generator was updated on.
      still: Loss of the photo repeated as a still clip, on the same clips; None if unknown.
    """

    loss: dict[int, float]
    still: float | None


def learning_curve(run: Run) -> LearningCurve:
    """Reads a run's curve; it is empty where nothing was logged yet. Damaged lines are skipped.

    Raises:
      DataError: The file cannot be read.
    """
    path = run.folder / METRICS_FILE
    loss: dict[int, float] = {}
    still = None
    try:
        with path.open("rb") as file:
            while line := file.readline(limits.NOTE_BYTES):
                values = _parsed(line)
                still = values.get(_STILL, still)
                for name in _LOSSES:
                    if "step" in values and name in values:
                        loss[int(values["step"]) * run.train.batch_size] = values[name]
    except FileNotFoundError:
        return LearningCurve({}, None)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    return LearningCurve(loss, still)


def _parsed(line: bytes) -> dict[str, float]:
    try:
        values = limits.parse_json(line.decode("utf-8", "replace"))
        numbers = {name: float(value) for name, value in values.items()}
        return numbers if all(map(math.isfinite, numbers.values())) else {}
    except (ValueError, TypeError, AttributeError, OverflowError):
        return {}
