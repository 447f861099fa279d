"""The processor's instructions, as oneDNN may use them."""

from __future__ import annotations

import os
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")  # Linux only
ONEDNN_LIMIT = "ONEDNN_MAX_CPU_ISA"
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}  # the last one on ARM
_LIMITS_WITHOUT_BFLOAT16 = {
    *("sse41", "avx", "avx2", "avx2_vnni"),
    *("avx512_core", "avx512_core_vnni"),
}


def cpu_info() -> dict[str, str]:
    """What the system says about the first core; empty where it says nothing."""
    found: dict[str, str] = {}
    try:
        text = CPU_INFO.read_text()
    except OSError:
        return {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return found


def instructions() -> set[str]:
    """Names of the processor's extensions; empty if unknown."""
    found = cpu_info()
    return set((found.get("flags") or found.get("Features") or "").split())


def onednn_limit() -> str:
    """The instruction set that the environment limits oneDNN to; empty without a limit."""
    return os.environ.get(ONEDNN_LIMIT, "")


def why_no_bfloat16() -> str | None:
    """Why bfloat16 would be emulated; None if there are instructions for it, or if unknown."""
    if onednn_limit().lower() in _LIMITS_WITHOUT_BFLOAT16:
        return f"{ONEDNN_LIMIT}={onednn_limit()} excludes bfloat16 instructions"
    known = instructions()
    if known and not known & _BFLOAT16:
        return "this CPU has no bfloat16 instructions"
    return None
