"""The machine and the package versions of a measurement."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from typing import Any

from ssagan_tf import processor

PACKAGES = ("ssagan_tf", "tensorflow", "keras", "torch", "onnxruntime", "numpy")
EXTENSIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def environment() -> dict[str, Any]:
    """Returns processor, oneDNN's limit ("": none), cores, memory in GiB, system and versions.

    The version of a package that is not installed is None.
    """
    return {
        "processor": _processor(),
        processor.ONEDNN_LIMIT: processor.onednn_limit(),
        "cores": cores(),
        "memory_gib": round(_memory() / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
    }


def _processor() -> str:
    model = processor.cpu_info().get("model name") or platform.processor() or "unknown processor"
    known = processor.instructions()
    extensions = [name for name in EXTENSIONS if name in known]
    return f"{model} ({', '.join(extensions)})" if extensions else model


def cores() -> int:
    """Cores that this process may use."""
    with contextlib.suppress(AttributeError):  # Linux only
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int:
    with contextlib.suppress(ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0


def version(package: str) -> str | None:
    """The version of an installed package, or None."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return None
