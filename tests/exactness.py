"""Assertions about numerical accuracy.

Two ways to compute the same thing are compared with each other in float64, where they may differ
by rounding only: `assert_exact`. In float32 their difference depends on the kernels chosen for the
CPU, so each is compared with the float64 result, and the fast way may be off by a small multiple of
the plain way's error: `assert_as_good`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ssagan_tf.models import Network
from ssagan_tf.options import ComputeOptions

# A few million float64 roundings, which deep networks amplify; a wrong term exceeds this by far.
EXACT = 1e-9
# The error allowed for the fast way in float32: TIMES the plain way's error plus ROUNDINGS
# roundings of the largest number, because the plain way may happen to be exact.
TIMES, ROUNDINGS = 4, 16
FEW = 64  # arrays with fewer numbers are judged together
EPSILON = float(np.finfo("float32").eps)


def arrays(values: Sequence[Any]) -> list[np.ndarray]:
    """Converts tensors to float64 arrays."""
    return [np.asarray(keras.ops.convert_to_numpy(value), "float64") for value in values]


def assert_exact(got: Sequence[Any], expected: Sequence[Any], bound: float = EXACT) -> None:
    """Asserts that both are float64 and equal up to rounding.

    The tolerance is relative to the largest number of each array. Arrays that are zero up to
    rounding, such as the gradient of a key's bias, are compared with the largest number of all.
    """
    for value in (*got, *expected):
        assert keras.backend.standardize_dtype(value.dtype) == "float64"
    got, expected = arrays(got), arrays(expected)
    assert len(got) == len(expected)
    assert all(np.isfinite(array).all() for array in expected)  # NaN would equal NaN
    largest = max(np.abs(array).max() for array in expected)
    assert largest > 0
    for number, (one, other) in enumerate(zip(got, expected, strict=True)):
        allowed = bound * (np.abs(other).max() + 0.01 * largest)
        np.testing.assert_allclose(one, other, rtol=0, atol=allowed, err_msg=f"array {number}")


def assert_as_good(
    fast: Sequence[Any],
    plain: Sequence[Any],
    exact: Sequence[Any],
    slack: Sequence[float] | None = None,
) -> None:
    """Asserts that the fast way's float32 results are about as accurate as the plain way's.

    A few numbers may be accurate by luck, so small arrays, such as gradients of biases, are judged
    together, and the plain way's relative error is that of the array or that of all arrays
    together, whichever is larger. Arrays that are zero up to rounding, such as the gradient of a
    key's bias, are remainders of sums of large numbers, so their errors are relative to those.

    Args:
      fast: float32 arrays.
      plain: The same, computed the plain way.
      exact: The same in float64.
      slack: Additional error allowed for each array, as a root mean square.
    """
    slack = [0.0] * len(exact) if slack is None else list(slack)
    few = [array.size < FEW for array in arrays(exact)]
    fast, plain, exact = (_few_joined(arrays(way), few) for way in (fast, plain, exact))
    joined = max((more for more, small in zip(slack, few, strict=True) if small), default=0.0)
    slack = [more for more, small in zip(slack, few, strict=True) if not small] + [joined]
    sizes = [rms(array) for array in exact]
    scales = [size if size > EPSILON * max(sizes) else max(sizes) for size in sizes]
    errors, references = (
        [rms(a - b) / scale for a, b, scale in zip(way, exact, scales, strict=True)]
        for way in (fast, plain)
    )
    together = rms(np.array(references))
    for number, (error, reference, more) in enumerate(zip(errors, references, slack, strict=False)):
        allowed = TIMES * max(reference, together) + ROUNDINGS * EPSILON + more / scales[number]
        assert error <= allowed, (
            f"array {number}: off by {error:.2e} of its size, the plain way by {reference:.2e}, "
            f"in all arrays together by {together:.2e} (root mean squares)"
        )


def _few_joined(way: list[np.ndarray], few: list[bool]) -> list[np.ndarray]:
    """The large arrays, then all numbers of the small ones as one array."""
    large = [array for array, small in zip(way, few, strict=True) if not small]
    numbers = [array.ravel() for array, small in zip(way, few, strict=True) if small]
    return [*large, np.concatenate(numbers)] if numbers else large


def assert_equal(ways: Callable[[str], tuple[Sequence[Any], Sequence[Any]]]) -> None:
    """Asserts that two ways agree in float64, and that the first one is as good in float32.

    Args:
      ways: Takes a dtype and returns the results of the fast way and of the plain one. Their
        inputs must be float32 numbers, whatever the dtype (`draws`).
    """
    fast, plain = ways("float64")
    assert_exact(fast, plain)
    assert_as_good(*ways("float32"), plain)


def draws(*shape: int, seed: int = 0, dtype: str = "float64") -> tf.Tensor:
    """Returns normally distributed float32 numbers, cast to `dtype`."""
    random = np.random.default_rng(seed)
    return tf.constant(random.standard_normal(shape, "float32").astype(dtype))


def fill(
    weights: Sequence[keras.Variable], value: Callable[[np.ndarray], np.ndarray] | None = None
) -> None:
    """Sets each weight to random float32 numbers, or to a function of them."""
    for seed, weight in enumerate(weights):
        drawn = draws(*weight.shape, seed=seed).numpy()
        weight.assign(np.float32(drawn if value is None else value(drawn)))


def assert_rounded(got: Any, exact: Any, dtype: str, operations: int = 16) -> None:
    """Asserts that 16-bit results are off by about the rounding of a few operations."""
    error, scale = (rms(array) for array in arrays([np.subtract(got, exact), exact]))
    rounding = {"bfloat16": 2**-8, "float16": 2**-11}[dtype]
    assert 0 < error < operations * rounding * scale


def in_float64(network: Network) -> Network:
    """Returns a float64 copy of a network with the same weights."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        return network.with_compute(ComputeOptions())
    finally:
        keras.config.set_dtype_policy(before)


def rms(array: np.ndarray) -> float:
    """Returns the root mean square, an error measure that no single number dominates."""
    return float(np.sqrt(np.mean(np.square(array))))


def rounding_response(
    function: Callable[..., Sequence[Any]], arguments: Sequence[np.ndarray], times: int = 4
) -> list[float]:
    """Measures how much a float64 function changes when its arguments are rounded to float32.

    Computing in float32 rounds more than once, so this is a lower bound on the error. It is the
    only usable one where a function amplifies rounding, as batch norm over few values does.

    Args:
      function: Takes float64 arrays and returns several.
      arguments: The arguments at which it is measured.
      times: Number of random roundings to try; the largest change counts.

    Returns:
      The root mean square of the change of each result.
    """
    exact = arrays(function(*arguments))
    found = np.zeros(len(exact))
    for seed in range(times):
        random = np.random.default_rng(seed)
        moved = [x * (1 + EPSILON * random.uniform(-1, 1, x.shape)) for x in arguments]
        results = arrays(function(*moved))
        found = np.maximum(found, [rms(a - b) for a, b in zip(results, exact, strict=True)])
    return list(found)


def value_and_gradients(
    function: Callable[..., Any], arguments: Sequence[Any], batch: Any = "known"
) -> list[tf.Tensor]:
    """Returns the output of a function, and the gradients of a weighted sum of it.

    The sum weights each number differently.

    Args:
      function: Takes tensors or variables and returns one tensor.
      arguments: Tensors to compute the gradients for.
      batch: None: compute in a graph where the size of the first axis is unknown.
    """
    arguments = list(arguments)

    def run(*arguments: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            output = function(*arguments)
            weight = tf.sin(tf.cast(tf.range(tf.size(output)) % 1009, output.dtype))
            loss = tf.reduce_sum(output * tf.reshape(weight, tf.shape(output)))
        return [output, *tape.gradient(loss, arguments)]

    if batch is None:
        arguments = [tf.convert_to_tensor(x) for x in arguments]
        specs = [
            tf.TensorSpec((None, *x.shape[1:]) if x.shape.rank == 5 else x.shape, x.dtype)
            for x in arguments
        ]
        run = tf.function(run, autograph=False, input_signature=specs)
    return run(*arguments)
