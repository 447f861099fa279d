"""Strided 3D convolutions of Table 1: TensorFlow's own against ours over phases.

    python benchmarks/convolution.py [batch] [base_filters]

Prints, for each layer of the 128×128 network's encoder and its mirror in the decoder, seconds for
forward and for forward + all gradients, and the ratio own / phases (above 1: phases are faster).
Both are timed in turns in one process; the smallest of the rounds counts.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from ssagan_tf.layers import phases
from ssagan_tf.models.table1 import IMAGE_CHANNELS, encoder_rows
from ssagan_tf.options import FRAMES, ModelOptions

ROUNDS = 3


def gradients(function, *arguments):
    @tf.function
    def run(*arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            loss = tf.reduce_sum(function(*arguments) ** 2)
        return tape.gradient(loss, arguments)

    return lambda: run(*arguments)


def seconds(*calls) -> list[float]:
    for call in calls:
        call()
    best = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for index, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[index] = min(best[index], time.perf_counter() - start)
    return best


def compare(name, own, ours, *arguments) -> None:
    compiled = [tf.function(own), tf.function(ours)]
    forward = seconds(*(lambda f=f: f(*arguments) for f in compiled))
    both = seconds(*(gradients(f, *arguments) for f in (own, ours)))
    print(
        f"{name:24} {forward[0]:9.4f} {forward[1]:9.4f} {forward[0] / forward[1]:7.2f}"
        f" {both[0]:12.4f} {both[1]:9.4f} {both[0] / both[1]:7.2f}",
        flush=True,
    )


def main(batch: int = 4, base_filters: int = 8) -> None:
    print(f"batch {batch}, base filters {base_filters}")
    columns = f"{'own':>9} {'phases':>9} {'ratio':>7} {'own +grad':>12} {'phases':>9} {'ratio':>7}"
    print(f"{'layer':24} {columns}")
    time_, side, channels = FRAMES, 128, IMAGE_CHANNELS
    for row in encoder_rows(ModelOptions(base_filters=base_filters))[:-1]:
        strides = (1, *row.strides, 1)
        clip = tf.random.normal((batch, time_, side, side, channels))
        kernel = tf.random.normal((*row.kernel_size, channels, row.filters)) * 0.02
        smaller = (time_ // row.strides[0], side // 2, side // 2)
        features = tf.random.normal((batch, *smaller, row.filters))
        larger_shape = clip.shape
        for transposed in (False, True):
            used = phases.pays(channels, row.filters, transposed)
            label = f"{row.name}{' mirrored' if transposed else ''} {channels}-{row.filters}"
            label += " *" if used else ""
            if transposed:
                compare(
                    label,
                    lambda x, w, s=strides, o=larger_shape: tf.nn.conv3d_transpose(
                        x, w, o, s, "SAME"
                    ),
                    lambda x, w, s=row.strides: phases.convolve_transposed(x, w, s),
                    features,
                    kernel,
                )
            else:
                compare(
                    label,
                    lambda x, w, s=strides: tf.nn.conv3d(x, w, s, "SAME"),
                    lambda x, w, s=row.strides: phases.convolve(x, w, s),
                    clip,
                    kernel,
                )
        (time_, side, _), channels = smaller, row.filters
    print("* computed over phases in the networks")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
