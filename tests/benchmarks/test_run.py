"""The benchmark program: cases, medians and ratios, and the files it writes."""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cases, measure, run, stopwatch
from benchmarks.cases import Case, Comparison, Part

pytestmark = pytest.mark.slow

WITHOUT_TORCH = "PyTorch is not installed: pip install ssagan_tf[torch]"
IN_PROCESSES_OF_THEIR_OWN = ["growth-resolution", "training", "learning", "photo"]
has_torch = importlib.util.find_spec("torch") is not None


def results(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        part["name"]: part for part in json.loads((folder / "results.json").read_text())["parts"]
    }


def pretend(case: Case) -> dict[str, Any]:
    """Each implementation takes a different time."""
    if case.work == "matmul":
        return {"rate": 1e11, "product": "any"}
    if case.work == "learning":
        return {"seconds": [1.0], "peak_mib": 1000.0, "content_loss": 0.05 + 0.001 * case.seed}
    if case.work == "photo":
        stages = {"network": 0.5, "- encoding, busy": 1.0}
        return {"seconds": [2.0], "stages": stages, "cpu_seconds": 3.0, "peak_mib": 1000.0}
    seconds = 2.0 + (case.framework == "torch") + 4 * (case.variant in ("plain", "naive"))
    return {"seconds": [seconds] * 3, "extra_mib": 100 * seconds, "peak_mib": 1000.0}


@pytest.mark.long
def test_quick_run(tmp_path: Path) -> None:
    names = [part.name for part in cases.parts(quick=True)]
    names = [name for name in names if name not in IN_PROCESSES_OF_THEIR_OWN]  # see below
    arguments = ["--quick", f"--only={','.join(names)}", f"--output={tmp_path}"]
    assert run.main(arguments, measure=measure.attempt) == 0
    written = results(tmp_path)
    assert list(written) == names
    text = (tmp_path / "RESULTS.md").read_text()
    for part in written.values():
        assert f"## {part['title']}" in text
        for row in part["rows"]:
            if row["case"]["framework"] == "torch" and not has_torch:
                assert row["error"] == WITHOUT_TORCH
                continue
            assert "error" not in row, (part["name"], row)
            assert row["seconds"] > 0
            assert row["extra_mib"] >= 0
            assert row["peak_mib"] > row["extra_mib"]


@pytest.mark.long
@pytest.mark.parametrize("name", IN_PROCESSES_OF_THEIR_OWN)
def test_a_process_of_its_own(name: str, tmp_path: Path) -> None:
    assert run.main(["--quick", f"--only={name}", f"--output={tmp_path}"]) == 0
    for row in results(tmp_path)[name]["rows"]:
        if row.get("error", "").startswith("not measured: "):  # bfloat16
            continue
        assert "error" not in row, row
        assert row["seconds"] > 0
        assert row["peak_mib"] > row.get("extra_mib", 1) > 0
        if "stages" in row:
            one_by_one = [v for k, v in row["stages"].items() if not k.startswith("- ")]
            assert sum(one_by_one) == pytest.approx(row["seconds"])
            assert min(one_by_one) >= 0
            assert row["stages"]["all else"] < 0.5 * row["seconds"]


def test_stages_are_a_table_of_their_own(tmp_path: Path) -> None:
    assert run.main(["--only=photo", f"--output={tmp_path}"], measure=pretend) == 0
    lines = (tmp_path / "RESULTS.md").read_text().splitlines()
    for line in (
        "| seconds | 1920×1080 | 4000×3000 |",
        "| network | 0.500 | 0.500 |",
        "| **from start to end** | **2.00** | **2.00** |",
        "| peak, MiB | 1000 | 1000 |",
    ):
        assert line in lines


@pytest.mark.parametrize("failing", [{1920}, {1920, 4000}])
def test_sizes_that_fail_are_named_below_the_stages(failing: set[int], tmp_path: Path) -> None:
    def fails(case: Case) -> dict[str, Any]:
        return {"error": "out of memory"} if case.width in failing else pretend(case)

    assert run.main(["--only=photo", f"--output={tmp_path}"], measure=fails) == 0
    lines = (tmp_path / "RESULTS.md").read_text().splitlines()
    assert "1920×1080: out of memory" in lines
    assert ("4000×3000: out of memory" in lines) == (4000 in failing)
    assert ("| seconds | 4000×3000 |" in lines) == (4000 not in failing)


def test_what_is_learned_is_a_column(tmp_path: Path) -> None:
    assert run.main(["--only=learning", f"--output={tmp_path}"], measure=pretend) == 0
    lines = (tmp_path / "RESULTS.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|  | impl")]
    rows += [line.strip("| ").split(" | ") for line in lines if line.startswith("| seed")]
    assert rows[0][-1] == "content loss"
    assert "seconds" not in rows[0]  # other tables are about time
    found = {(row[0], row[1]): row[-1] for row in rows[1:]}
    assert found == {
        (f"seed {seed}", name): f"0.05{seed}0"
        for seed in (1, 2, 3)
        for name in ("ours", "ours, mixed bfloat16")
    }


def test_nested_stages_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: next(clock))
    watch = stopwatch.Stopwatch()
    with watch.stage("outer"):
        assert list(watch.each("ab", "inner")) == ["a", "b"]
    assert watch.seconds == {"outer": 4, "inner": 3}


def test_errors_become_rows(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    def fails(case: Case) -> dict[str, Any]:
        if case.variant == "plain":
            return {"error": "out of memory"}
        return pretend(case)

    arguments = ["--only=generator-forward", f"--output={tmp_path}"]
    assert run.main(arguments, measure=fails) == 0
    rows = {row["implementation"]: row for row in results(tmp_path)["generator-forward"]["rows"]}
    assert rows["plain path"]["error"] == "out of memory"
    assert rows["PyTorch, naive"]["time_ratio"] == 3.5
    assert "| plain path | out of memory |" in (tmp_path / "RESULTS.md").read_text()
    # It is not tried again in the other rounds.
    assert capfd.readouterr().out.count("plain path, tensorflow float32: out of memory") == 1


def test_without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("plain_torch", "torch_workloads"):
        monkeypatch.delitem(sys.modules, f"benchmarks.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    case = Case("generator", "PyTorch, naive", "torch", "naive")
    assert measure.attempt(case) == {"error": WITHOUT_TORCH}


def test_subprocess_errors_are_one_line() -> None:
    wrong = Case("generator", "ours", "none")
    assert "benchmarks.none_workloads" in run.in_fresh_process(wrong)["error"]
    slow = Case("generator", "ours", timeout=0.05)
    assert run.in_fresh_process(slow) == {"error": "stopped after 0 s"}


def test_implementations_take_turns() -> None:
    a, b, c = (Case("generator", name, variant="static") for name in "abc")
    part = Part("p", "P", "", (Comparison("", (a, b)), Comparison("", (c,))), rounds=2)
    order = []

    def note(case: Case) -> dict[str, Any]:
        order.append(case.implementation)
        return {"seconds": [1.0], "extra_mib": 1.0, "peak_mib": 1.0}

    run.measure_part(part, note, write_line=lambda line: None)
    assert order == list("abcabc")


def test_much_slower_implementations_are_measured_once() -> None:
    fast, slow = (Case("generator", name, variant="static") for name in ("fast", "slow"))
    part = Part("p", "P", "", (Comparison("", (fast, slow)),), rounds=3)
    order = []

    def note(case: Case) -> dict[str, Any]:
        order.append(case.implementation)
        seconds = 1.0 if case.implementation == "fast" else 11.0
        return {"seconds": [seconds], "extra_mib": 1.0, "peak_mib": 1.0}

    rows = run.measure_part(part, note, write_line=lambda line: None)["rows"]
    assert order == ["fast", "slow", "fast", "fast"]
    assert [row["time_ratio"] for row in rows] == [1.0, 11.0]


def test_medians_ratios_and_share_of_the_floor() -> None:
    (part,) = run.select_parts("generator-gradients", quick=True)
    rate = Case("matmul", "matrix products", precision="bfloat16")
    part = dataclasses.replace(part, rates=(rate,), rounds=2)
    times = iter([[3.0, 1.0], [5.0]])

    def note(case: Case) -> dict[str, Any]:
        if case.work == "matmul":
            return {"rate": 2e9}
        seconds = next(times) if case.implementation == "ours" else [9.0]
        return {"seconds": seconds, "extra_mib": 10.0, "peak_mib": 20.0}

    measured = run.measure_part(part, note, write_line=lambda line: None)
    ours, torch = measured["rows"]
    assert (ours["seconds"], ours["least_seconds"], ours["most_seconds"]) == (3.0, 1.0, 5.0)
    assert torch["time_ratio"] == 3.0
    assert ours["floor_seconds"] == ours["operations"] / 2e9
    assert torch["share_of_floor"] == ours["operations"] / 2e9 / 9.0
    assert torch["operations"] > ours["operations"]


def test_parts_are_kept_and_replaced(tmp_path: Path) -> None:
    for only in ("step", "attention", "growth", "step"):
        assert run.main([f"--only={only}", f"--output={tmp_path}"], measure=pretend) == 0
    assert list(results(tmp_path)) == ["attention", "step", "growth-resolution", "growth-batch"]
    text = (tmp_path / "RESULTS.md").read_text()
    assert text.count("Machine:") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["RESULTS.md", "results.json"]


def test_the_full_report_has_all_cases() -> None:
    parts = {part.name: part for part in cases.parts()}
    attention = {(c.positions, c.frames * c.channels) for c in all_cases(parts["attention"])}
    assert {n for n, width in attention if width == 96} == {1024, 4096, 16384}
    assert {n for n, width in attention if width == 1024} == {1024, 4096, 16384}
    for name in ("generator-forward", "generator-gradients"):
        for precision, suffix in (("float32", ""), ("bfloat16", "-bf16")):
            measured = all_cases(parts[name + suffix])
            assert {case.variant for case in measured} == {"static", "plain", "naive", "fused"}
            assert {case.precision for case in measured} == {precision}
    assert {case.batch for case in all_cases(parts["growth-batch"])} == {1, 2, 4, 8, 16}
    assert {case.resolution for case in all_cases(parts["growth-resolution"])} == {64, 128, 256}


def all_cases(part: Part) -> list[Case]:
    return [case for one in part.comparisons for case in one.cases]


@pytest.mark.parametrize("only", ["nothing", "generator,nothing", "gen"])
def test_unknown_parts_are_refused(only: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stopped:
        run.main([f"--only={only}"], measure=pretend)
    assert stopped.value.code == 2
    assert "unknown part " in capsys.readouterr().err


def test_other_files_are_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "results.json").write_text("[]")
    assert run.main(["--only=step", f"--output={tmp_path}"], measure=pretend) == 1
    assert "not a results file" in capsys.readouterr().err
    assert (tmp_path / "results.json").read_text() == "[]"
