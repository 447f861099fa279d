"""Blocks of rows where only the run knows how many rows there are.

Of Keras' backends TensorFlow alone has such graphs (`tf.function` of a shape with None), so the
loop is TensorFlow's: `keras.ops.scan` wants results of one shape, and its loops may run several
rounds at once, which would multiply the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def in_turn(
    step: Callable[..., tuple[Any, Sequence[Any]]],
    tensors: Sequence[Any],
    fitting: int,
    sums_like: Sequence[Any] = (),
) -> tuple[Any, list[Any]]:
    """Runs `step` on blocks of rows, one after the other.

    Args:
      step: Takes a block `[B, rows, …]` of each tensor, gives the block's result and terms.
      tensors: `[B, N, …]`, N being unknown. Rows of zeros may follow.
      fitting: Numbers that may be held: a block has at most a third of `fitting` / (B·N) rows,
        or all if N rows need no more than `fitting`.
      sums_like: What the sums of the terms are like.

    Returns:
      All results `[B, N, …]`, and the sums.
    """
    import tensorflow as tf

    batch, positions = tf.unstack(tf.shape(tensors[0])[:2])
    rows, number = _division(tf.maximum(batch, 1), tf.maximum(positions, 1), fitting)
    padding = [[0, 0], [0, rows * number - positions], [0, 0]]
    padded = [tf.pad(tensor, padding) for tensor in tensors]

    def body(index: Any, pieces: Any, sums: list[Any]) -> tuple[Any, Any, list[Any]]:
        piece, terms = step(
            *(
                tf.slice(tensor, [0, index * rows, 0], [batch, rows, tf.shape(tensor)[2]])
                for tensor in padded
            )
        )
        added = [total + term for total, term in zip(sums, terms, strict=True)]
        for total, more in zip(sums, added, strict=True):
            more.set_shape(total.shape)
        return index + 1, pieces.write(index, piece), added

    pieces = tf.TensorArray(tensors[0].dtype, number, infer_shape=False)
    _, pieces, sums = tf.while_loop(
        lambda index, *_: index < number,
        body,
        (0, pieces, [tf.zeros_like(like) for like in sums_like]),
        parallel_iterations=1,
    )
    results = tf.transpose(pieces.stack(), (1, 0, 2, 3))
    results = tf.reshape(results, (batch, rows * number, tf.shape(results)[3]))
    return results[:, :positions], sums


def _division(batch: Any, positions: Any, fitting: int) -> tuple[Any, Any]:
    """Rows of a block, and the number of blocks: of about the same size."""
    import tensorflow as tf

    rows = min(fitting, tf.int32.max) // positions  # of all clips together
    at_once = tf.where(batch * positions <= rows, positions, tf.maximum(rows // 3 // batch, 1))
    number = -(-positions // at_once)
    return -(-positions // number), number
