"""`python -m benchmarks.layer_vs_keras`: SpatialSelfAttention compared with MultiHeadAttention.

In both, every position of a clip attends to all positions, with all frames of a position as its
features. Measured are the forward and backward pass in a compiled function, batch 1, T = 4, C = 16.
Each row is measured in a fresh process and printed as a row of the table in docs/layer.md. Seconds
are CPU time of all cores together, the minimum of several repetitions: other load on the machine
affects it less than wall-clock time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import MIB, peak_memory, reset_peak_memory

FRAMES, CHANNELS = 4, 16
SIDES = (16, 64)
LAYERS = ("SpatialSelfAttention", "SpatialSelfAttention(memory=16)", "MultiHeadAttention")


def build_layer(name: str, side: int) -> tuple[Callable[[], object], int]:
    """Returns the layer's forward and backward pass as a function, and its number of weights."""
    import keras
    import tensorflow as tf

    from ssagan_tf.layers import SpatialSelfAttention

    if name == "MultiHeadAttention":
        shape = (1, side * side, FRAMES * CHANNELS)
        layer = keras.layers.MultiHeadAttention(1, FRAMES * CHANNELS)
        layer.build(shape, shape)
    else:
        shape = (1, FRAMES, side, side, CHANNELS)
        memory = {"memory": 16} if "memory" in name else {}
        layer = SpatialSelfAttention(gate="none", **memory)
        layer.build(shape)
    apply: Callable = layer if len(shape) == 5 else lambda x: layer(x, x)

    @tf.function(autograph=False)
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.square(apply(x)))
        return tape.gradient(loss, [x, *(weight.value for weight in layer.trainable_weights)])

    x = tf.random.normal(shape)
    run.get_concrete_function(x)
    return lambda: run(x), layer.count_params()


def measure(name: str, side: int, repetitions: int) -> dict[str, float]:
    """Returns a layer's CPU seconds, extra memory in MiB, and number of weights."""
    from ssagan_tf.startup import load_tensorflow

    load_tensorflow()
    run, weights = build_layer(name, side)
    before, seconds = reset_peak_memory(), []
    for _ in range(1 + repetitions):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    extra = (peak_memory() - before) / MIB
    return {"seconds": min(seconds[1:]), "extra": extra, "weights": weights}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layer_vs_keras")
    parser.add_argument("--sides", default=",".join(map(str, SIDES)))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        name, side = options.row
        print(json.dumps(measure(name, int(side), options.repetitions)))
        return
    print("| positions | layer | weights | CPU seconds | extra memory, MiB |")
    print("|---|---|---|---|---|")
    for side in map(int, options.sides.split(",")):
        for name in LAYERS:
            command = [sys.executable, "-m", "benchmarks.layer_vs_keras"]
            command += ["--repetitions", str(options.repetitions), "--row", name, str(side)]
            root = Path(__file__).parents[1]
            done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"| {side}×{side} | `{name}` | {found['weights']:,} | {found['seconds']:.3f} "
                f"| {found['extra']:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
