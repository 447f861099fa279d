"""Settings that were renamed. Old flag files, `.keras` files and fingerprints keep working."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED = {
    "learning_rate_drops": "learning_rate_milestones",
    "loop_measures": "loop_metrics",
    "scale_stddev": "bn_gamma_stddev",
    "still": "static_threshold",
}
_ORIGINAL = {new: old for old, new in RENAMED.items()}


def current_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by the names of this version."""
    return {RENAMED.get(name, name): value for name, value in settings.items()}


def original_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by the names they first had, which stored fingerprints are made of."""
    return {_ORIGINAL.get(name, name): value for name, value in settings.items()}
