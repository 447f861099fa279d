"""Two stages as one generator: the first generates a clip from an image, the second refines it.

It maps an image `[B, H, W, 3]`, float in [-1, 1], to a clip `[B, 32, H, W, 3]` in (-1, 1), in
float32 or, under a float64 policy, float64.
"""

from __future__ import annotations

from typing import Any

import keras

from ssagan_tf.models.network import Network
from ssagan_tf.options import ComputeOptions


@keras.saving.register_keras_serializable("ssagan_tf")
class TwoStage(Network):
    """Image → clip by a frozen first stage and a second stage that refines its clips.

    The first stage always runs in inference mode, even in training. The `.keras` file contains
    both. `options` and `compute` are the second stage's.

    Args:
      first: A generator from images to clips; is made untrainable.
      second: A generator from clips to clips, of the same resolution.

    Raises:
      ValueError: `first` takes no images or `second` no clips, or their resolutions differ.
    """

    def __init__(self, first: Network, second: Network, **kwargs: Any):
        if len(first.input_axes) != 3:
            raise ValueError(f"{first.options.network} takes clips, a first stage takes images")
        clip = _output_axes(first)
        if not clip == second.input_axes == _output_axes(second):
            raise ValueError(
                f"{second.options.network} at resolution {second.options.resolution} is no second "
                f"stage for {first.options.network} at resolution {first.options.resolution}"
            )
        # The user's Keras policy could round the image before the first stage gets it.
        kwargs.setdefault("dtype", first.dtype_policy.name)
        super().__init__(second.options, second.compute, **kwargs)
        self.first, self.second = first, second
        self.first.trainable = False

    @property
    def input_axes(self) -> tuple[int, ...]:
        return self.first.input_axes

    def stages(self) -> tuple[Network, ...]:
        return (self.first, self.second)

    def build(self, input_shape: tuple) -> None:
        self.check_input(input_shape)
        for stage in (self.first, self.second):
            if not stage.built:
                stage.build_variables()
        self.built = True

    def call(self, image: Any, training: bool | None = None) -> Any:
        self.check_input(image.shape)
        return self.second(self.first(image, training=False), training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return self.first.compute_output_shape(input_shape)

    def with_compute(self, compute: ComputeOptions) -> TwoStage:
        copy = TwoStage(
            self.first.with_compute(compute), self.second.with_compute(compute), name=self.name
        )
        copy.build_variables()
        return copy

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("options", "quantized"):  # the configs of the stages have them
            config.pop(name, None)
        stages = {"first": self.first, "second": self.second}
        return {
            **config,
            **{name: keras.saving.serialize_keras_object(stage) for name, stage in stages.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TwoStage:
        stages = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("first", "second")
        }
        return cls(**{**config, **stages})


def join_stages(first: Network, second: Network) -> TwoStage:
    """Returns both stages as one generator, built.

    Raises:
      ValueError: As for `TwoStage`.
    """
    network = TwoStage(first, second, name="generator")
    network.build_variables()
    return network


def _output_axes(network: Network) -> tuple[int, ...]:
    return tuple(network.compute_output_shape((None, *network.input_axes))[1:])
