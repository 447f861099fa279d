"""Simulates unusual machines: proxies, a user's Keras settings, read-only folders."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

AWKWARD = "a räume's [folder] #1 50%"  # a folder name that breaks naive code
KERAS = {"floatx": "float16", "image_data_format": "channels_first", "epsilon": 1e-3}
NOWHERE = "http://127.0.0.1:9"
_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")
PROXIES = {name: NOWHERE for each in _VARIABLES for name in (each, each.upper())}
PROXIES |= dict.fromkeys(("all_proxy", "ALL_PROXY"), "socks://127.0.0.1:9")  # as GNOME sets it
_NOBODY = 65534
_OURS = ("KERAS_HOME", "KERAS_BACKEND", "no_proxy", "NO_PROXY")  # what `pinned` sets


def elsewhere(home: Path, backend: str = "tensorflow") -> dict[str, str]:
    """Returns an environment with unreachable proxies and a keras.json with other settings."""
    (home / ".keras").mkdir()
    settings = json.dumps({**KERAS, "backend": backend})
    (home / ".keras" / "keras.json").write_text(settings, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    return {**kept, **PROXIES, "HOME": str(home)}


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Makes a folder and its contents read-only within this context, even for root."""
    inside = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in inside}
    for path in inside:
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(_NOBODY)
        yield
    finally:
        if user == 0:
            os.seteuid(user)
        for path, mode in modes.items():
            path.chmod(mode)
