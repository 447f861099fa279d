"""What is benchmarked: cases, grouped into comparisons and parts.

A case is one implementation of one workload, measured in a fresh process. A comparison is a group
of cases measured in turns, so that changes in the machine's speed affect all of them alike. A part
is one table of the report.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

Precision = Literal["float32", "bfloat16"]

OURS = "ours"
PLAIN_PATH = "plain path"
TORCH_NAIVE = "PyTorch, naive"
TORCH_FUSED = "PyTorch, fused"
ONNX_RUNTIME = "ONNX Runtime"
NAIVE = "plain formula"
BLOCKED = "ours, in blocks"
LITTLE_MEMORY = 96  # MiB
SMALL_BLOCKS = f"ours, {LITTLE_MEMORY} MiB"


@dataclasses.dataclass(frozen=True)
class Case:
    """One measurement. It is passed to its process as JSON, so all values are plain.

    Attributes:
      work: What is computed. `matmul`: matrix products alone. `step`: a training step. `training`:
        steps of the program `train`. `learning`: a whole training. `photo`: the program `animate`.
      implementation: Name of the implementation in the tables.
      framework: Framework of the implementation.
      variant: `static` or `plain` for our networks, `blocked` or `naive` for our attention, `naive`
        or `fused` for PyTorch.
      mode: `forward`: inference. `gradients`: forward and backward pass in training mode.
      precision: `bfloat16` stands for mixed precision.
      tf32: Whether float32 products may be rounded to TF32, on a GPU.
      batch: Clips per batch.
      resolution: Side of the network's frames in pixels.
      base_filters: The network's base filters.
      updates: Discriminator updates per step.
      remat: Whether our network recomputes its blocks in the backward pass.
      positions: N, the attention's positions.
      frames: T, the attention's frames.
      channels: C, the attention's channels.
      seed: Of the training.
      width: Of the photo, in pixels.
      height: Of the photo, in pixels.
      memory: MiB that our attention's weights may take before it works in blocks; None: the
        default.
      repetitions: Maximum number of timed repetitions.
      seconds: No further repetition starts after this time.
      timeout: Seconds after which the process is stopped.
    """

    work: Literal["matmul", "attention", "generator", "step", "training", "learning", "photo"]
    implementation: str
    framework: Literal["tensorflow", "jax", "torch", "onnxruntime"] = "tensorflow"
    variant: str = ""
    mode: Literal["forward", "gradients"] = "forward"
    precision: Precision = "float32"
    tf32: bool = False
    batch: int = 1
    resolution: int = 128
    base_filters: int = 32
    updates: int = 5
    remat: bool = False
    positions: int = 0
    frames: int = 0
    channels: int = 0
    seed: int = 0
    width: int = 0
    height: int = 0
    memory: int | None = None
    repetitions: int = 5
    seconds: float = 10.0
    timeout: float = 600.0


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Cases measured in turns.

    Attributes:
      label: Label of its rows in the table.
      cases: The first is the baseline of all ratios.
    """

    label: str
    cases: tuple[Case, ...]


@dataclasses.dataclass(frozen=True)
class Part:
    """One table of the report.

    Attributes:
      name: Name for `--only`.
      title: Title of the table.
      note: One or two sentences of explanation above the table.
      comparisons: In the order of the rows.
      rates: Cases that measure, in each round, how fast each framework multiplies matrices.
      rounds: Fresh processes per case.
    """

    name: str
    title: str
    note: str
    comparisons: tuple[Comparison, ...]
    rates: tuple[Case, ...] = ()
    rounds: int = 3


def parts(quick: bool = False) -> list[Part]:
    """Returns all parts; `quick`: with tiny networks, to check that everything runs."""
    generators = [("forward", "float32"), ("gradients", "float32")]
    generators += [("forward", "bfloat16"), ("gradients", "bfloat16")]
    if quick:
        generators = [generators[0], generators[3]]  # each mode and each precision once
    return [
        _attention(quick),
        *(_generator(mode, precision, quick) for mode, precision in generators),
        _step(quick),
        _training(quick),
        _learning(quick),
        _onnx(quick),
        _resolutions(quick),
        _batches(quick),
        _photo(quick),
    ]


def _size(quick: bool) -> dict:
    if quick:
        return {"resolution": 64, "base_filters": 2, "repetitions": 1, "seconds": 0.0}
    return {}


def _rates(precision: Precision, quick: bool, torch: bool = True) -> tuple[Case, ...]:
    size = {"positions": 128, "channels": 64} if quick else {"positions": 4096, "channels": 1024}
    common = {**size, "precision": precision, "seconds": 0.1 if quick else 2.0}
    frameworks = ("tensorflow", "torch") if torch else ("tensorflow",)
    return tuple(Case("matmul", "matrix products", framework, **common) for framework in frameworks)


def _attention(quick: bool) -> Part:
    points = [(1024, 3, 32), (4096, 3, 32), (16384, 3, 32)]
    points += [(1024, 32, 32), (4096, 32, 32), (16384, 32, 32)]
    if quick:
        points = [(1024, 3, 4)]
    comparisons = []
    for positions, frames, channels in points:
        for mode in ("gradients",) if quick else ("forward", "gradients"):
            common = {
                "mode": mode,
                "positions": positions,
                "frames": frames,
                "channels": channels,
                **({"repetitions": 1, "seconds": 0.0} if quick else {"seconds": 5.0}),
            }
            cases = [
                Case("attention", NAIVE, variant="naive", **common),
                Case("attention", OURS, variant="blocked", **common),
            ]
            if positions == 4096 or quick:  # fits the default; a quarter of it needs blocks
                memory = max(1, positions**2 * 4 // 2**20 // 4)
                cases.append(Case("attention", BLOCKED, variant="blocked", memory=memory, **common))
            if positions == 16384:  # in blocks anyway; of 512 rows instead of 1,261
                small = {**common, "memory": LITTLE_MEMORY}
                cases.append(Case("attention", SMALL_BLOCKS, variant="blocked", **small))
            if positions >= 4096 or quick:
                cases.append(Case("attention", TORCH_FUSED, "torch", "fused", **common))
            label = f"N {positions}, T·C {frames * channels}, {_mode_name(mode)}"
            comparisons.append(Comparison(label, tuple(cases)))
    return Part(
        "attention",
        "Spatial self-attention",
        "softmax(q kᵀ) v alone, batch 1, float32. Ours keeps the map where it fits 256 MiB, its "
        "default, which it does up to N = 8192; otherwise, and in the rows with a quarter of the "
        f"map's size or with {LITTLE_MEMORY} MiB, it works in blocks of query rows, which the "
        "backward pass computes again: 7 products instead of 6.",
        tuple(comparisons),
        _rates("float32", quick, torch=False),
        rounds=1 if quick else 3,
    )


def _generator(mode: str, precision: Precision, quick: bool) -> Part:
    batch = 1 if mode == "forward" or quick else 4
    common = {"mode": mode, "precision": precision, "batch": batch, **_size(quick)}
    mixed = precision != "float32"
    cases = [
        Case("generator", OURS, variant="static", **common),
        Case("generator", PLAIN_PATH, variant="plain", **common),
        Case("generator", TORCH_NAIVE, "torch", "naive", **common),
        Case("generator", TORCH_FUSED, "torch", "fused", **common),
    ]
    if quick and mixed:
        cases = cases[::2]
    return Part(
        f"generator-{mode}" + ("-bf16" if mixed else ""),
        f"Generator, {_mode_name(mode)}, {'mixed bfloat16' if mixed else 'float32'}",
        ("Inference" if mode == "forward" else "Training mode, all gradients")
        + f", batch {batch}. The plain path computes all 32 slices in every layer."
        + (" PyTorch uses autocast for mixed precision." if mixed else ""),
        (Comparison("", tuple(cases)),),
        () if quick and mode == "gradients" else _rates(precision, quick),
        rounds=1 if quick else 3,
    )


def _step(quick: bool) -> Part:
    common = {"mode": "gradients", "batch": 1 if quick else 4, **_size(quick)}
    common |= {"repetitions": 1, "updates": 2 if quick else 5}  # steps are slow
    mixed = {**common, "precision": "bfloat16"}
    cases = [
        Case("step", OURS, variant="static", **common),
        Case("step", TORCH_NAIVE, "torch", "naive", **common),
        Case("step", TORCH_FUSED, "torch", "fused", **common),
    ]
    if not quick:
        cases.append(Case("step", f"{OURS}, mixed bfloat16", variant="static", **mixed))
    return Part(
        "step",
        f"Training step: {common['updates']} discriminator updates, 1 generator update",
        f"Batch {common['batch']}. PyTorch generates new clips for the generator's update; ours "
        "reuses those of the last discriminator update.",
        (Comparison("", tuple(cases)),),
        () if quick else (*_rates("float32", quick), *_rates("bfloat16", quick, torch=False)),
        rounds=1 if quick else 2,
    )


def _training(quick: bool) -> Part:
    # With few filters, so that what is not the step itself takes a larger share.
    common = {"mode": "gradients", "batch": 4, "base_filters": 8, "updates": 1}
    common |= {"repetitions": 20, "seconds": 120.0}
    if quick:
        common |= {**_size(quick), "batch": 1, "repetitions": 2}
    cases = (
        Case("step", "the step alone", variant="static", **common),
        Case("training", "train", variant="static", **common),
    )
    return Part(
        "training",
        "Steps of `train`",
        f"The program `train` on a prepared set: reading, decoding, augmentation, the step, "
        "metrics. Compared with the compiled step on a constant batch. "
        f"{common.get('resolution', 128)}², {common['base_filters']} base filters, batch "
        f"{common['batch']}, one discriminator update.",
        (Comparison("", cases),),
        rounds=1 if quick else 3,
    )


def _learning(quick: bool) -> Part:
    common = {"resolution": 64, "base_filters": 8, "batch": 4, "repetitions": 1000}
    common["timeout"] = 3600.0
    if quick:
        common |= {"base_filters": 2, "batch": 1, "repetitions": 2}
    comparisons = []
    for seed in (1,) if quick else (1, 2, 3):
        cases = (
            Case("learning", OURS, seed=seed, **common),
            Case("learning", f"{OURS}, mixed bfloat16", precision="bfloat16", seed=seed, **common),
        )
        comparisons.append(Comparison(f"seed {seed}", cases))
    return Part(
        "learning",
        "What is learned in bfloat16",
        f"The demo (configs/demo.cfg) for {common['repetitions']:,} steps, in both precisions: "
        "the content loss on test clips at the end. What a step takes is in the table above.",
        tuple(comparisons),
        rounds=1,
    )


def _onnx(quick: bool) -> Part:
    comparisons = []
    for side in (64,) if quick else (64, 128):
        common = {**_size(quick), "resolution": side, "variant": "static"}
        ours = Case("generator", OURS, **common)
        exported = Case("generator", ONNX_RUNTIME, "onnxruntime", **common)
        comparisons.append(Comparison(f"{side}²", (ours, exported)))
    return Part(
        "onnx",
        "Generator in ONNX Runtime",
        "Inference, batch 1, float32, as many threads as cores: the file that `to_onnx` writes, "
        "compared with TensorFlow.",
        tuple(comparisons),
        () if quick else _rates("float32", quick, torch=False),
        rounds=1 if quick else 3,
    )


def _resolutions(quick: bool) -> Part:
    common = {**_size(quick), "mode": "gradients", "variant": "static"}
    comparisons = tuple(
        Comparison(f"{side}²", (Case("generator", OURS, **{**common, "resolution": side}),))
        for side in ((64,) if quick else (64, 128, 256))
    )
    return Part(
        "growth-resolution",
        "Scaling with the resolution",
        "Generator, forward and backward, training mode, batch 1, float32.",
        comparisons,
        () if quick else _rates("float32", quick, torch=False),
        rounds=1,
    )


def _batches(quick: bool) -> Part:
    common = {**_size(quick), "mode": "gradients", "variant": "static"}
    batches = (2,) if quick else (1, 2, 4, 8, 16)
    comparisons = []
    for batch in batches:
        cases = [Case("generator", OURS, batch=batch, **common)]
        if batch == batches[-1]:
            recomputed = Case("generator", f"{OURS}, remat", batch=batch, remat=True, **common)
            cases.append(recomputed)
        comparisons.append(Comparison(f"batch {batch}", tuple(cases)))
    return Part(
        "growth-batch",
        "Scaling with the batch size",
        f"Generator at {common.get('resolution', 128)}², forward and backward, training mode, "
        "float32. With remat the blocks are recomputed in the backward pass, to save memory.",
        tuple(comparisons),
        () if quick else _rates("float32", quick, torch=False),
        rounds=1,
    )


def _photo(quick: bool) -> Part:
    sizes = [(320, 180)] if quick else [(1920, 1080), (4000, 3000)]
    comparisons = [
        Comparison(f"{width}×{height}", (Case("photo", "animate", width=width, height=height),))
        for width, height in sizes
    ]
    return Part(
        "photo",
        "From photo to video",
        "`animate --image=FILE --output=FILE.mp4` in a fresh process, with its defaults: seconds "
        "by stage. Frames are rendered while others are encoded: busy is the time of each.",
        tuple(comparisons),
        rounds=1 if quick else 3,
    )


def _mode_name(mode: str) -> str:
    return "forward" if mode == "forward" else "forward and backward"
