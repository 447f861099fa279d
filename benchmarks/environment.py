"""The machine and the package versions of a measurement."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

PACKAGES = ("ssagan_tf", "tensorflow", "keras", "torch", "numpy")


def environment() -> dict[str, Any]:
    """Returns processor, cores, memory in GiB, system and versions (None: not installed)."""
    return {
        "processor": _processor(),
        "cores": _cores(),
        "memory_gib": round(_memory() / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), **{p: _version(p) for p in PACKAGES}},
    }


def _processor() -> str:
    found = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            found.setdefault(name.strip(), value.strip())
    model = found.get("model name") or platform.processor() or "unknown processor"
    extensions = [
        name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if _has(found, name)
    ]
    return f"{model} ({', '.join(extensions)})" if extensions else model


def _has(found: dict[str, str], feature: str) -> bool:
    return feature in found.get("flags", "").split()


def _cores() -> int:
    with contextlib.suppress(AttributeError):  # Linux only
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int:
    with contextlib.suppress(ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0


def _version(package: str) -> str | None:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return None
