"""The benchmark program for GPUs, on the CPU."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from benchmarks import gpu
from benchmarks.cases import Case

pytestmark = pytest.mark.slow


class Pretended:
    """A worker of a GPU, on which the plain formula runs out of memory."""

    def __init__(self, framework: str):
        self.framework = framework
        self.asked: list[str] = []

    def ask(self, name: str, case: Case | None = None, *_: float) -> dict:
        self.asked.append(name)
        if name == "device":
            return {"name": "a GPU", "gpu": True}
        if name == "prepare" and case.variant == "naive":
            return {"error": "out of memory"}
        if name == "prepare":
            return {"mib": 100.0, "compile_seconds": 1.0} if self.framework == "jax" else {}
        return {"seconds": 0.5 if case and case.framework == "torch" else 0.25}

    def __enter__(self) -> Pretended:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_runs_add_to_a_file_and_its_report(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(gpu, "Worker", Pretended)
    output, report = tmp_path / "gpu.json", tmp_path / "GPU.md"
    assert gpu.main(["--only=step-bf16", f"--output={output}"]) == 0
    assert (
        gpu.main(["--only=step-*,attention-forward-bf16", "--missing", f"--output={output}"]) == 0
    )
    assert gpu.main(["--missing", "--seconds=-1", f"--output={output}"]) == 0
    assert "out of time" in capsys.readouterr().out
    names = [part["name"] for part in json.loads(output.read_text())["parts"]]
    assert names == ["step-bf16", "attention-forward-bf16", "step-tf32"]
    assert gpu.main([f"--output={output}", f"--report={report}"]) == 0
    text = report.read_text()
    assert "GPU: a GPU" in text
    assert "| batch 16 | ours | 250.00 | 1.00 | 100 | 1.0 |  |" in text
    assert "| batch 16 | PyTorch, naive | out of memory |  |  |  |  |" in text
    assert "| batch 16 | PyTorch, fused | 500.00 | 2.00 |  |  |  |" in text


def test_a_worker_that_dies_is_started_again(monkeypatch) -> None:
    with gpu.Worker("none") as worker:  # there is no such framework
        for _ in range(2):
            assert worker.ask("device") == {"error": "its process died"}


@pytest.mark.long
def test_quick_run(tmp_path: Path) -> None:
    for name in ("jax", "torch"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install {name}")
    output = tmp_path / "gpu.json"
    arguments = ["--quick", "--rounds=1", "--only=attention-*", f"--output={output}"]
    assert gpu.main(arguments) == 0
    for part in json.loads(output.read_text())["parts"]:
        for row in part["rows"]:
            assert "error" not in row, row
            assert row["seconds"] > 0
            if row["case"]["framework"] == "jax":
                assert row["difference"] < (1e-5 if "float32" in part["name"] else 0.03)
