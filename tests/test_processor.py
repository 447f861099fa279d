"""Whether bfloat16 is emulated, read from the processor's flags, and who says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from benchmarks import environment, run
from benchmarks.cases import Case
from ssagan_tf import processor
from ssagan_tf.options import ComputeOptions, ModelOptions, TrainOptions
from ssagan_tf.training.loop import train

WITHOUT = "this CPU has no bfloat16 instructions"
LIMITED = "ONEDNN_MAX_CPU_ISA=AVX2 excludes bfloat16 instructions"
INTEL = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 avx512f{}\n\nprocessor\t: 1\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd{}\n"


@pytest.mark.parametrize(
    ("cpu", "limit", "reason"),
    [
        (INTEL.format(""), "", WITHOUT),
        (INTEL.format(" avx512_bf16"), "", None),
        (INTEL.format(" amx_bf16"), "AVX512_CORE_AMX", None),
        (INTEL.format(" avx512_bf16"), "AVX2", LIMITED),
        (ARM.format(""), "", WITHOUT),
        (ARM.format(" bf16"), "", None),
        ("", "", None),  # unknown
    ],
)
def test_why_bfloat16_is_emulated(
    cpu: str, limit: str, reason: str | None, tmp_path: Path, monkeypatch
) -> None:
    pretend(monkeypatch, tmp_path, cpu, limit)
    assert processor.why_no_bfloat16() == reason


def test_the_environment_names_what_limits_onednn(tmp_path: Path, monkeypatch) -> None:
    pretend(monkeypatch, tmp_path, INTEL.format(" avx512_bf16"), "AVX2")
    found = environment.environment()
    assert found["processor"] == "Some CPU (avx2, avx512f, avx512_bf16)"
    assert found["ONEDNN_MAX_CPU_ISA"] == "AVX2"


def test_bfloat16_is_not_measured_where_it_is_emulated(tmp_path: Path, monkeypatch) -> None:
    pretend(monkeypatch, tmp_path, INTEL.format(""))
    case = Case("step", "ours", precision="bfloat16")
    assert run.in_fresh_process(case) == {"error": f"not measured: {WITHOUT}"}


@pytest.mark.parametrize("flag", ["", " avx512_bf16"])
def test_training_says_that_bfloat16_is_slow(
    flag: str, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture
) -> None:
    pretend(monkeypatch, tmp_path, INTEL.format(flag))
    without_gpu = tf.config.list_physical_devices("CPU")
    monkeypatch.setattr(
        tf.config,
        "list_physical_devices",
        lambda kind=None: [] if kind == "GPU" else without_gpu,
    )
    options = TrainOptions(data="synthetic", run_dir=str(tmp_path / "run"), dry_run=True)
    train(
        ModelOptions(resolution=64, base_filters=1),
        ComputeOptions(precision="mixed_bfloat16"),
        options,
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if WITHOUT in line]
    assert len(lines) == (0 if flag else 1)


def pretend(monkeypatch, folder: Path, cpu: str, limit: str = "") -> None:
    """Lets the processor be one that Linux describes like this, and the environment limit it."""
    (folder / "cpuinfo").write_text(cpu)
    monkeypatch.setattr(processor, "CPU_INFO", folder / "cpuinfo")
    monkeypatch.setenv(processor.ONEDNN_LIMIT, limit)
