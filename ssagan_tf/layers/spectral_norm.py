"""Spectral normalisation of a kernel (Miyato et al., ICLR 2018)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ssagan_tf.precision import at_least_float32

# The same number as in PyTorch's `torch.nn.utils.parametrizations.spectral_norm`.
FIRST_ITERATIONS = 15


@keras.saving.register_keras_serializable("ssagan_tf")
class SpectralNormalization(keras.layers.Layer):
    """Divides a kernel by its largest singular value σ, estimated by power iteration.

    The kernel is reshaped to a matrix W `[outputs, everything else]`. Each call in training makes
    one power iteration and stores its vectors: v ← Wᵀu/‖Wᵀu‖, u ← Wv/‖Wv‖; then σ = uᵀWv, whose
    gradient flows to the kernel (u and v are treated as constants). Inference uses the stored
    vectors. Unlike `keras.layers.SpectralNormalization`, it never changes the stored kernel,
    differentiates σ, and takes any output axis (-2 for transposed convolutions).

    Args:
      output_axis: The kernel's axis of output channels.
      epsilon: Added to the norms.

    Raises:
      ValueError: The kernel's shape is not fully known.
    """

    def __init__(self, output_axis: int = -1, epsilon: float = 1e-12, **kwargs: Any):
        super().__init__(**kwargs)
        self.output_axis = output_axis
        self.epsilon = epsilon

    def build(self, kernel_shape: tuple) -> None:
        if None in kernel_shape:
            raise ValueError(
                f"SpectralNormalization needs a kernel of known shape. Received: {kernel_shape}"
            )
        outputs = kernel_shape[self.output_axis]
        rest = 1
        for size in kernel_shape:
            rest *= size
        rest //= outputs
        for name, size in (("u", outputs), ("v", rest)):
            vector = self.add_weight(
                name=name,
                shape=(size,),
                initializer="random_normal",
                trainable=False,
                dtype=at_least_float32(self.variable_dtype),
                autocast=False,
            )
            setattr(self, name, vector)

    def initialize_vectors(self, kernel: Any) -> None:
        """Iterates on a new kernel, so that inference before training has useful vectors."""
        matrix, u = self._matrix(kernel), ops.convert_to_tensor(self.u)
        for _ in range(FIRST_ITERATIONS):
            u, v = self._iterate(matrix, u)
        self.u.assign(u)
        self.v.assign(v)

    def call(self, kernel: Any, training: bool | None = None) -> Any:
        matrix = self._matrix(kernel)
        u, v = ops.convert_to_tensor(self.u), ops.convert_to_tensor(self.v)
        if training:
            u, v = self._iterate(ops.stop_gradient(matrix), u)
            self.u.assign(u)
            self.v.assign(v)
        sigma = ops.sum(u * self._times(matrix, v))
        return kernel / ops.cast(sigma, kernel.dtype)

    def _matrix(self, kernel: Any) -> Any:
        outputs = kernel.shape[self.output_axis]
        matrix = ops.reshape(ops.moveaxis(kernel, self.output_axis, 0), (outputs, -1))
        return ops.cast(matrix, self.u.dtype)

    def _iterate(self, matrix: Any, u: Any) -> tuple[Any, Any]:
        v = self._unit(self._times(ops.transpose(matrix), u))
        return self._unit(self._times(matrix, v)), v

    @staticmethod
    def _times(matrix: Any, vector: Any) -> Any:
        return ops.matmul(matrix, ops.expand_dims(vector, -1))[:, 0]

    def _unit(self, vector: Any) -> Any:
        return vector / (ops.sqrt(ops.sum(ops.square(vector))) + self.epsilon)

    def compute_output_shape(self, kernel_shape: tuple) -> tuple:
        return tuple(kernel_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "output_axis": self.output_axis,
            "epsilon": self.epsilon,
        }
