"""Blocks of rows where the number of rows is known only when the graph runs.

Of Keras' backends only TensorFlow has such graphs (`tf.function` with a shape of None), so the loop
is TensorFlow's. `keras.ops.scan` needs results of one shape, and its loops may run several
iterations in parallel, which would multiply the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def map_blocks(
    step: Callable[..., tuple[Any, Sequence[Any]]],
    tensors: Sequence[Any],
    fitting: int,
    sums_like: Sequence[Any] = (),
) -> tuple[Any, list[Any]]:
    """Runs `step` on blocks of rows, one after the other.

    Args:
      step: Takes a block `[B, rows, D]` of each tensor, and returns the block's result and terms to
        be summed over the blocks. The last block may be padded with rows of zeros.
      tensors: `[B, N, D]` with an unknown N.
      fitting: Number of elements that may be held: a block has at most a third of
        `fitting` / (B·N) rows, or all N if these need no more than `fitting`.
      sums_like: Tensors of the shapes and dtypes of the sums.

    Returns:
      All results `[B, N, D]`, and the sums.
    """
    import tensorflow as tf

    batch, positions = tf.unstack(tf.shape(tensors[0])[:2])
    rows, number = _division(tf.maximum(batch, 1), tf.maximum(positions, 1), fitting)
    padding = [[0, 0], [0, rows * number - positions], [0, 0]]
    padded = [tf.pad(tensor, padding) for tensor in tensors]

    def body(index: Any, results: Any, sums: list[Any]) -> tuple[Any, Any, list[Any]]:
        result, terms = step(
            *(
                tf.slice(tensor, [0, index * rows, 0], [batch, rows, tf.shape(tensor)[2]])
                for tensor in padded
            )
        )
        added = [total + term for total, term in zip(sums, terms, strict=True)]
        for before, after in zip(sums, added, strict=True):
            after.set_shape(before.shape)
        return index + 1, results.write(index, result), added

    results = tf.TensorArray(tensors[0].dtype, number, infer_shape=False)
    _, results, sums = tf.while_loop(
        lambda index, *_: index < number,
        body,
        (0, results, [tf.zeros_like(like) for like in sums_like]),
        parallel_iterations=1,
    )
    results = tf.transpose(results.stack(), (1, 0, 2, 3))
    results = tf.reshape(results, (batch, rows * number, tf.shape(results)[3]))
    return results[:, :positions], sums


def _division(batch: Any, positions: Any, fitting: int) -> tuple[Any, Any]:
    """Rows per block, and the number of blocks, which are of about the same size."""
    import tensorflow as tf

    rows = min(fitting, tf.int32.max) // positions  # of all clips together
    at_once = tf.where(batch * positions <= rows, positions, tf.maximum(rows // 3 // batch, 1))
    number = -(-positions // at_once)
    return -(-positions // number), number
