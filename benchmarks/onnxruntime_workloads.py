"""Workloads of ONNX Runtime: our generator, exported as by `to_onnx`."""

from __future__ import annotations

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.cases import Case
from benchmarks.environment import cores
from benchmarks.workload import Workload
from ssagan_tf.errors import require_extra
from ssagan_tf.startup import load_tensorflow


def prepare(case: Case) -> dict[str, Workload]:
    """Builds the workload of a case by its name.

    Raises:
      DataError: The extra `onnx` is not installed.
    """
    require_extra("onnx", "onnx", "onnxruntime", "tf2onnx")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 3  # errors only
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "generator.onnx"
        # In a process of its own, whose memory does not count.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as exporter:
            exporter.submit(_export, case, file).result()
        session = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
    side = case.resolution
    shape = (case.batch, side, side, 3)
    image = np.random.default_rng(0).uniform(-1.0, 1.0, shape).astype(np.float32)
    run = partial(session.run, ["clip"], {"image": image})
    return {case.implementation: Workload(run, warm_up=run)}


def _export(case: Case, file: Path) -> None:
    load_tensorflow()
    from benchmarks import tensorflow_workloads
    from export.options import OnnxOptions
    from export.to_onnx import convert

    usual = OnnxOptions()
    generator = tensorflow_workloads.generator(case)
    model = convert(generator, int(usual.opset), usual.attention_memory)
    file.write_bytes(model.SerializeToString())
