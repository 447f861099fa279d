"""Renamed settings: old flags, flag files, `.keras` files and fingerprints keep working."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Old name: current name, in every program and every file.
RENAMED = {
    "learning_rate_drops": "learning_rate_milestones",
    "loop_measures": "loop_metrics",
    "scale_stddev": "bn_gamma_stddev",
    "still": "static_threshold",
}
# Only for programs that have this section of settings: elsewhere the old name is still in use.
RENAMED_IN = {
    "ImportOptions": {"checkpoint": "state_dict", "model": "network"},
    "ServerOptions": {"protocol": "api"},
}
_ORIGINAL = {new: old for old, new in RENAMED.items()}


def renamed_settings(sections: Iterable[type] = ()) -> dict[str, str]:
    """Current names by old names, for a program with these sections of settings."""
    kinds = [kind.__name__ for section in sections for kind in section.__mro__]
    return RENAMED | {old: new for kind in kinds for old, new in RENAMED_IN.get(kind, {}).items()}


def current_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings under the names of this version."""
    return {RENAMED.get(name, name): value for name, value in settings.items()}


def original_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings under the names they first had, from which stored fingerprints are computed."""
    return {_ORIGINAL.get(name, name): value for name, value in settings.items()}
