"""What the networks share: made from `ModelOptions`, saved with them, checked inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, ClassVar

import keras

from ssagan_tf.options import ComputeOptions, ModelOptions


class Network(keras.Model):
    """A Keras model made from `ModelOptions`, which its `.keras` file carries.

    Subclasses set `input_axes`, the input's shape without the batch.

    Attributes:
      largest_kernel: Weights of its largest kernel for one base filter. They grow with the square.
    """

    largest_kernel: ClassVar[int] = 0

    def __init__(
        self,
        options: ModelOptions | None = None,
        compute: ComputeOptions | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.options = options or ModelOptions()
        self.compute = compute or ComputeOptions()

    @property
    def input_axes(self) -> tuple[int, ...]:
        raise NotImplementedError

    def stages(self) -> tuple[Network, ...]:
        """The networks that it runs one after the other, each with `options` of its own."""
        return (self,)

    @classmethod
    def least_weights(cls, options: ModelOptions) -> int:
        """Weights that such a network has at least, told before it is made."""
        return cls.largest_kernel * options.base_filters**2

    def build_variables(self) -> None:
        """Creates the weights."""
        self.build((None, *self.input_axes))

    def computed(self, compute: ComputeOptions) -> Network:
        """The same network with copies of its weights, computed otherwise."""
        again = type(self)(self.options, compute, name=self.name, dtype=policy_of(compute))
        again.build_variables()
        again.set_weights(self.get_weights())
        return again

    def check_input(self, shape: tuple) -> None:
        """Raises ValueError unless `shape` is a batch of what the network takes."""
        if tuple(shape[1:]) != self.input_axes:
            wanted = ", ".join(map(str, self.input_axes))
            raise ValueError(
                f"{type(self).__name__} takes float [B, {wanted}] in [-1, 1]. "
                f"Received: shape {tuple(shape)}"
            )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "options": dataclasses.asdict(self.options)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Network:
        return cls(**{**config, "options": ModelOptions(**config["options"])})


def policy_of(compute: ComputeOptions) -> str:
    """The Keras dtype policy of networks that are computed so.

    A policy of float64 that was set in this process makes them exact. Keras' `floatx`, which a
    file in the user's home may set, is not asked.
    """
    told = keras.config.dtype_policy().name
    if compute.precision == "float32" and told == "float64" != keras.config.floatx():
        return told
    return compute.precision


def build_in_turn(layers: Iterable[keras.layers.Layer], shape: tuple) -> tuple:
    """Builds layers, each for the output of the one before; returns the shape of the last's."""
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def call_in_turn(layers: Iterable[keras.layers.Layer], x: Any, training: bool | None) -> Any:
    """Calls layers, each with the output of the one before."""
    for layer in layers:
        x = layer(x, training=training)
    return x
