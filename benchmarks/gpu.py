"""`python -m benchmarks.gpu`: our layers and networks on one GPU, compared with PyTorch.

    python -m benchmarks.gpu [--only=PATTERN,…] [--seconds=N] [--missing] [--output=FILE.json]
    python -m benchmarks.gpu --report=FILE.md --output=FILE.json

Ours runs on Keras' JAX backend, compiled by XLA (TensorFlow is not needed); PyTorch runs eagerly,
with cuDNN's benchmark mode. Each framework has a process that stays, so that nothing is compiled
twice. The implementations of a comparison are prepared one after the other, and then take turns,
round by round. The file is written after each comparison; what is not measured this time, or not
within `--seconds`, keeps its results in it. `--report` writes it as Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import fnmatch
import gc
import importlib
import json
import math
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.cases import (
    NAIVE,
    OURS,
    PLAIN_PATH,
    TORCH_FUSED,
    TORCH_NAIVE,
    Case,
    Comparison,
    Part,
)
from benchmarks.environment import version
from benchmarks.measure import MIB, one_line
from benchmarks.workload import Workload
from ssagan_tf.files import replacing_file

PACKAGES = ("jax", "jaxlib", "keras", "torch", "numpy")
PRECISIONS = {
    "float32": {"precision": "float32"},
    "tf32": {"precision": "float32", "tf32": True},
    "bf16": {"precision": "bfloat16"},
}
NAMES = {"float32": "float32", "tf32": "float32 with TF32 products", "bf16": "bfloat16"}
MAPS = "ours, whole maps"
WITHOUT = ("no short cuts", "no im2col", "no subpixel")
# One sample is the mean of as many runs as take this many seconds, with one wait at their end.
SAMPLE = 0.1
MOST_RUNS = 50


def parts(quick: bool = False) -> list[Part]:
    """Returns what is measured, in this order; `quick`: with tiny sizes."""
    if quick:
        return [
            _generator("forward", "float32", quick),
            _attention("gradients", "float32", quick),
            _attention("forward", "bf16", quick),
            _step("bf16", quick),
        ]
    both = ("gradients", "forward")
    # The most important first, as time may run out.
    return [
        *(_generator(mode, "bf16") for mode in both),
        _attention("gradients", "bf16"),
        *(_generator(mode, "float32") for mode in both),
        _attention("gradients", "float32"),
        _step("bf16"),
        *(_attention("forward", precision) for precision in ("bf16", "float32")),
        *(_generator(mode, "tf32") for mode in both),
        *(_attention(mode, "tf32") for mode in both),
        _step("tf32"),
    ]


def _attention(mode: str, precision: str, quick: bool = False) -> Part:
    comparisons = []
    for frames, channels in [(3, 4)] if quick else [(3, 32), (32, 32)]:
        for positions in (64,) if quick else (1024, 4096, 16384):
            common = {"mode": mode, "frames": frames, "channels": channels}
            common |= {"positions": positions, **PRECISIONS[precision]}
            size = math.ceil(positions**2 * (2 if precision == "bf16" else 4) / MIB)
            cases = [Case("attention", OURS, "jax", "blocked", **common)]
            if size > 256:  # which is the default: the first row works in blocks
                cases.append(Case("attention", MAPS, "jax", "blocked", memory=size, **common))
            elif positions == 4096 or quick:
                memory = max(1, size // 4)
                named = f"ours, memory={memory}"
                cases.append(Case("attention", named, "jax", "blocked", memory=memory, **common))
            cases += [
                Case("attention", NAIVE, "jax", "naive", **common),
                Case("attention", TORCH_NAIVE, "torch", "naive", **common),
                Case("attention", TORCH_FUSED, "torch", "fused", **common),
            ]
            label = f"N {positions}, T·C {frames * channels}"
            comparisons.append(Comparison(label, tuple(cases)))
    return Part(
        f"attention-{mode}-{precision}",
        f"Spatial self-attention, {_mode_name(mode)}, {NAMES[precision]}",
        "softmax(q kᵀ) v alone, batch 1. The default keeps the map where it fits 256 MiB and "
        "otherwise works in blocks, which the backward pass computes again.",
        tuple(comparisons),
    )


def _generator(mode: str, precision: str, quick: bool = False) -> Part:
    comparisons = []
    for batch in (1,) if quick or mode == "forward" else (4, 16):
        common = {"mode": mode, "batch": batch, **PRECISIONS[precision], **_size(quick)}
        variants = {OURS: "static", f"ours, {WITHOUT[0]}": WITHOUT[0]}
        if precision == "bf16" and batch < 16:  # one short cut at a time
            variants |= {f"ours, {name}": name for name in WITHOUT[1:]}
        if precision != "tf32" and batch < 16 and not quick:
            variants[PLAIN_PATH] = "plain"
        cases = [Case("generator", name, "jax", v, **common) for name, v in variants.items()]
        cases += [
            Case("generator", TORCH_NAIVE, "torch", "naive", **common),
            Case("generator", TORCH_FUSED, "torch", "fused", **common),
        ]
        comparisons.append(Comparison(f"batch {batch}", tuple(cases)))
    mixed = "mixed " if precision == "bf16" else ""
    return Part(
        f"generator-{mode}-{precision}",
        f"Generator, {_mode_name(mode)}, {mixed}{NAMES[precision]}",
        ("Inference" if mode == "forward" else "Training mode, all gradients")
        + f", {common.get('resolution', 128)}². No short cuts: all convolutions are the "
        "library's. The plain path has none either, and computes all 32 slices in every layer.",
        tuple(comparisons),
    )


def _step(precision: str, quick: bool = False) -> Part:
    comparisons = []
    for batch in (1,) if quick else (4, 16):
        common = {"mode": "gradients", "batch": batch, **PRECISIONS[precision], **_size(quick)}
        common["updates"] = 2 if quick else 5
        cases = (
            Case("step", OURS, "jax", "static", **common),
            Case("step", f"ours, {WITHOUT[0]}", "jax", WITHOUT[0], **common),
            Case("step", TORCH_NAIVE, "torch", "naive", **common),
            Case("step", TORCH_FUSED, "torch", "fused", **common),
        )
        comparisons.append(Comparison(f"batch {batch}", cases[:: 2 if quick else 1]))
    mixed = "mixed " if precision == "bf16" else ""
    return Part(
        f"step-{precision}",
        f"Training step, {mixed}{NAMES[precision]}",
        f"{common['updates']} discriminator updates and 1 generator update, "
        f"{common.get('resolution', 128)}². PyTorch generates new clips for the generator's "
        "update; ours reuses those of the last discriminator update.",
        tuple(comparisons),
    )


def _size(quick: bool) -> dict[str, int]:
    return {"resolution": 64, "base_filters": 1} if quick else {}


def _mode_name(mode: str) -> str:
    return "forward" if mode == "forward" else "forward and backward"


def main(arguments: list[str]) -> int:
    """Measures, or writes the report. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--only", default="*", help="names of parts, such as generator-*,step-bf16")
    parser.add_argument("--seconds", type=float, default=280.0, help="starts no comparison later")
    parser.add_argument("--missing", action="store_true", help="only what --output does not have")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="tiny sizes; on a CPU, too")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"))
    parser.add_argument("--report", type=Path, help="only write this file, from --output")
    given = parser.parse_args(arguments)
    if given.report:
        given.report.write_text(markdown(json.loads(given.output.read_text())))
        return 0
    start = time.perf_counter()
    patterns = given.only.split(",")
    chosen = [p for p in parts(given.quick) if any(fnmatch.fnmatch(p.name, o) for o in patterns)]
    with Worker("jax") as ours, Worker("torch") as theirs:
        workers = {"jax": ours, "torch": theirs}
        devices = {name: worker.ask("device") for name, worker in workers.items()}
        print(*devices.values(), flush=True)
        if not given.quick and not all(each.get("gpu") for each in devices.values()):
            print("benchmarks.gpu: both frameworks need a GPU; --quick runs on a CPU")
            return 1
        rows = _kept(given.output, devices)
        for part in chosen:
            for comparison in part.comparisons:
                label = comparison.label
                if given.missing and label in {row["label"] for row in rows.get(part.name, [])}:
                    continue
                if time.perf_counter() - start > given.seconds:
                    print(f"{part.name}, {label}: not measured, out of time", flush=True)
                    continue
                new = compare(comparison, workers, given.rounds, given.quick)
                others = [row for row in rows.get(part.name, []) if row["label"] != label]
                rows[part.name] = [*others, *new]
                results = {
                    "environment": _environment(devices),
                    "date": datetime.date.today().isoformat(),
                    "rounds": given.rounds,
                    "parts": [
                        {"name": p.name, "title": p.title, "note": p.note, "rows": rows[p.name]}
                        for p in parts(given.quick)
                        if p.name in rows
                    ],
                }
                with replacing_file(given.output) as file:
                    file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
                took = time.perf_counter() - start
                print(f"[{took:.0f} s] {part.name}", flush=True)
                for row in new:
                    print("   ", *_cells(row), sep="  ", flush=True)
    return 0


def _kept(output: Path, devices: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of a file by their part, unless they are of other devices."""
    if not output.exists():
        return {}
    results = json.loads(output.read_text())
    if results["environment"]["devices"] != devices:
        print(f"{output} has results of other devices, which are dropped", flush=True)
        return {}
    return {part["name"]: part["rows"] for part in results["parts"]}


def compare(
    comparison: Comparison, workers: dict[str, Worker], rounds: int, quick: bool
) -> list[dict[str, Any]]:
    """Prepares the cases one after the other and measures them in turns; returns a row for each."""
    rows = [
        {
            "label": comparison.label,
            "implementation": case.implementation,
            "case": dataclasses.asdict(case),
            **workers[case.framework].ask("prepare", case),
        }
        for case in comparison.cases
    ]
    samples: dict[int, list[float]] = {}
    for _ in range(rounds):
        for number, (case, row) in enumerate(zip(comparison.cases, rows, strict=True)):
            if "error" not in row:
                found = workers[case.framework].ask("run", case, 0.0 if quick else SAMPLE)
                samples.setdefault(number, []).append(found.pop("seconds", math.nan))
                row |= found
    for number, seconds in samples.items():
        if "error" not in rows[number]:
            rows[number] |= {"seconds": statistics.median(seconds), "samples": seconds}
    for worker in workers.values():
        worker.ask("forget")
    return rows


class Worker:
    """A process that measures with one framework. If it dies, it is started again."""

    def __init__(self, framework: str, timeout: float = 150.0):
        self._framework = framework
        self._timeout = timeout
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=serve, args=(self._framework, other))
        self._process.start()
        other.close()

    def ask(self, *request: Any) -> dict[str, Any]:
        """Sends a request; returns the answer, or an error."""
        try:
            self._connection.send(request)
            if self._connection.poll(self._timeout):
                return self._connection.recv()
            error = f"no answer in {self._timeout:.0f} s"
        except (EOFError, OSError):
            error = "its process died"
        self._stop()
        self._start()
        return {"error": error}

    def _stop(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()


def serve(framework: str, connection: Connection) -> None:
    """Answers requests until the other side is closed."""
    server = {"jax": _Jax, "torch": _Torch}[framework]()
    with contextlib.suppress(EOFError):
        while True:
            name, *arguments = connection.recv()
            try:
                answer = getattr(server, name)(*arguments) or {}
            except Exception as error:
                traceback.print_exc()
                answer = {"error": one_line(error)}
            connection.send(answer)


class _Server:
    """Prepares and runs workloads; subclasses say how, by framework."""

    def __init__(self) -> None:
        self.workloads: dict[Case, tuple[Workload, int]] = {}

    def prepare(self, case: Case) -> dict[str, Any]:
        workload, found = self._prepared(case)
        self._wait(workload.run())  # compiles or chooses algorithms, where that is still to be done
        start = time.perf_counter()
        self._wait(workload.run())
        once = time.perf_counter() - start
        self.workloads[case] = workload, once
        return {**found, **self._memory(workload)}

    def run(self, case: Case, seconds: float) -> dict[str, float]:
        """Seconds of a run, in the mean over some that are started one after the other."""
        workload, once = self.workloads[case]
        runs = max(1, min(MOST_RUNS, math.ceil(seconds / once)))
        start = time.perf_counter()
        for _ in range(runs):
            result = workload.run()
        self._wait(result)
        return {"seconds": (time.perf_counter() - start) / runs}

    def forget(self) -> None:
        self.workloads.clear()
        gc.collect()

    def _prepared(self, case: Case) -> tuple[Workload, dict[str, Any]]:
        raise NotImplementedError

    def _memory(self, workload: Workload) -> dict[str, Any]:
        return {}

    def _wait(self, result: Any) -> None:
        raise NotImplementedError


class _Jax(_Server):
    def __init__(self) -> None:
        super().__init__()
        os.environ["KERAS_BACKEND"] = "jax"
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # PyTorch needs memory as well
        import jax

        self.jax = jax

    def device(self) -> dict[str, Any]:
        [device, *_] = self.jax.devices()
        return {"name": device.device_kind, "gpu": device.platform == "gpu"}

    def _prepared(self, case: Case) -> tuple[Workload, dict[str, Any]]:
        from benchmarks import jax_workloads

        workload = jax_workloads.prepare(case)[case.implementation]
        found = {"compile_seconds": workload.compile_seconds, "mib": workload.memory / MIB}
        if workload.error is not None:
            found["difference"] = workload.error
        return workload, found

    def _wait(self, result: Any) -> None:
        self.jax.block_until_ready(result)


class _Torch(_Server):
    def __init__(self) -> None:
        super().__init__()
        self.torch = importlib.import_module("torch")
        self.cuda = self.torch.cuda if self.torch.cuda.is_available() else None
        self.before = 0
        if self.cuda:
            self.torch.set_default_device("cuda")
            self.torch.backends.cudnn.benchmark = True

    def device(self) -> dict[str, Any]:
        if not self.cuda:
            return {"name": "cpu", "gpu": False}
        versions = {"cuda": self.torch.version.cuda, "cudnn": self.torch.backends.cudnn.version()}
        return {"name": self.cuda.get_device_name(), "gpu": True, **versions}

    def forget(self) -> None:
        super().forget()
        if self.cuda:
            self.cuda.empty_cache()

    def _prepared(self, case: Case) -> tuple[Workload, dict[str, Any]]:
        from benchmarks import torch_workloads

        allowed = case.tf32 or case.precision != "float32"
        self.torch.backends.cuda.matmul.allow_tf32 = allowed
        self.torch.backends.cudnn.allow_tf32 = allowed
        if self.cuda:
            self.before = self.cuda.memory_allocated()
        return torch_workloads.prepare(case)[case.implementation], {}

    def _memory(self, workload: Workload) -> dict[str, Any]:
        """Peak memory of a run, with weights and inputs, without what other cases hold."""
        if not self.cuda:
            return {}
        self.cuda.reset_peak_memory_stats()
        self._wait(workload.run())
        return {"mib": (self.cuda.max_memory_allocated() - self.before) / MIB}

    def _wait(self, result: Any) -> None:
        if self.cuda:
            self.cuda.synchronize()


def _environment(devices: dict[str, Any]) -> dict[str, Any]:
    driver = None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        driver = done.stdout.strip()
    return {
        "devices": devices,
        "driver": driver,
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "versions": {name: version(name) for name in PACKAGES},
    }


HEAD = """# Benchmark results on a GPU

Written by `python -m benchmarks.gpu --output=benchmarks/gpu.json`, and then
`python -m benchmarks.gpu --output=benchmarks/gpu.json --report=benchmarks/GPU.md`.

- Ours runs on Keras' JAX backend, compiled by XLA; PyTorch eagerly, with cuDNN's benchmark mode.
  "Plain formula" is attention as written in the paper, also on JAX.
- **ms**: median over the rounds, in which the implementations take turns, without compilation.
- **ratio**: to the first row of the comparison.
- **MiB**: GPU memory of the weights, inputs, outputs and all between. Ours: as planned by XLA;
  PyTorch: its allocator's peak.
- **compilation**: seconds to trace and compile, once.
- **difference**: the largest from a reference, as a share of the reference's largest value.
  Attention: NumPy in float64 (for N > 1024, of 64 rows of o or of the gradient of q, else all).
  Generator: PyTorch in float32 on the CPU, with the same weights.
- float32 without TF32 is exact to float32 in both; "float32 with TF32 products" sets both
  frameworks to round the factors of products and convolutions to TF32.
"""


def markdown(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    environment = results["environment"]
    devices, versions = environment["devices"], environment["versions"]
    named = [f"{name} {value or '(none)'}" for name, value in versions.items()]
    named += [
        f"{name} {devices['torch'][name]}"
        for name in ("cuda", "cudnn")
        if devices["torch"].get(name)
    ]
    lines = [
        HEAD,
        f"GPU: {devices['jax']['name']}, driver {environment['driver']}. "
        f"Versions: {', '.join(named)}. {results['rounds']} rounds, {results['date']}.",
        "",
    ]
    names = ("", "", "ms", "ratio", "MiB", "compilation", "difference")
    for part in results["parts"]:
        lines += [f"## {part['title']}", "", part["note"], ""]
        lines += [_joined(names), _joined(":--" if not n else "--:" for n in names)]
        first: dict[str, Any] = {}
        for row in part["rows"]:
            first.setdefault(row["label"], row)
            lines.append(_joined(_cells(row, first[row["label"]])))
        lines.append("")
    return "\n".join(lines)


def _cells(row: dict[str, Any], first: dict[str, Any] | None = None) -> list[str]:
    def shown(name: str, form: str, factor: float = 1.0) -> str:
        return format(row[name] * factor, form) if name in row else ""

    ratio = ""
    if first and "seconds" in row and "seconds" in first:
        ratio = f"{row['seconds'] / first['seconds']:.2f}"
    milliseconds = (
        row["error"].replace("|", "\\|") if "error" in row else shown("seconds", ",.2f", 1e3)
    )
    return [
        row["label"],
        row["implementation"],
        milliseconds,
        ratio,
        shown("mib", ",.0f"),
        shown("compile_seconds", ".1f"),
        shown("difference", ".1e"),
    ]


def _joined(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
