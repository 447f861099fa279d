"""What the networks share: made from `ModelOptions`, saved with them, checked inputs."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from ssagan_tf.options import ComputeOptions, ModelOptions


class Network(keras.Model):
    """A Keras model made from `ModelOptions`, which its `.keras` file carries.

    Subclasses set `input_axes`, the input's shape without the batch.
    """

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

    def build_variables(self) -> None:
        """Creates the weights."""
        self.build((None, *self.input_axes))

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
