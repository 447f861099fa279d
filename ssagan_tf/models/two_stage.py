"""Two stages as one generator: the first makes a clip of the image, the second refines it.

In: image `[B, H, W, 3]`, float in [-1, 1]. Out: clip `[B, 32, H, W, 3]`, float32 or,
under a float64 policy, float64, in (-1, 1).
"""

from __future__ import annotations

from typing import Any

import keras

from ssagan_tf.models.network import Network
from ssagan_tf.options import ComputeOptions


@keras.saving.register_keras_serializable("ssagan_tf")
class TwoStage(Network):
    """Image → clip by a first stage, which is frozen, and a second stage that reads its clips.

    The first stage always runs in inference mode, also in training. Its `.keras` file carries
    both. `options` and `compute` are the second stage's.

    Args:
      first: A generator of clips from images; is made untrainable.
      second: A generator of clips from clips, of the same resolution.

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
        # It hands the image on; the policy of the user's Keras could round it before.
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

    def computed(self, compute: ComputeOptions) -> TwoStage:
        again = TwoStage(
            self.first.computed(compute), self.second.computed(compute), name=self.name
        )
        again.build_variables()
        return again

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for own in ("options", "quantized"):  # each stage has its own
            config.pop(own, None)
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


def joined(first: Network, second: Network) -> TwoStage:
    """Both stages as one generator, built.

    Raises:
      ValueError: As of `TwoStage`.
    """
    network = TwoStage(first, second, name="generator")
    network.build_variables()
    return network


def _output_axes(network: Network) -> tuple[int, ...]:
    return tuple(network.compute_output_shape((None, *network.input_axes))[1:])
