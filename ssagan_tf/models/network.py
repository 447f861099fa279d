"""What the networks share: made from `ModelOptions`, saved with them, checked inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import keras

from ssagan_tf.options import ComputeOptions, ModelOptions, current_names

# What `quantize` knows to do without more than a mode, and a file can therefore tell.
QUANTIZERS = {
    "int8": keras.quantizers.Int8QuantizationConfig,
    "int4": keras.quantizers.Int4QuantizationConfig,
}


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
        again.quantize_again(self.quantized())
        again.set_weights(self.get_weights())
        return again

    def quantized(self) -> dict[str, str]:
        """How layers were quantized by `quantize("int8")` or `("int4")`, by their paths within.

        Raises:
          ValueError: One was quantized otherwise, which a file of a network cannot tell.
        """
        modes = {}
        for layer in self._flatten_layers():
            if layer is self or (mode := layer.quantization_mode) is None:
                continue
            config = getattr(layer, "quantization_config", None)
            if mode not in QUANTIZERS or _details(config) != _details(QUANTIZERS[mode]()):
                raise ValueError(
                    f"{layer.path} is quantized otherwise than by quantize('int8') or "
                    "quantize('int4'), which the file of a network cannot tell"
                )
            modes[layer.path.removeprefix(f"{self.path}/")] = mode
        return modes

    def quantize_again(self, modes: Mapping[str, str]) -> None:
        """Quantizes layers as `quantized` says, so that weights of such a network fit.

        Raises:
          ValueError: There is no such layer, or no such mode of it.
        """
        layers = {
            layer.path.removeprefix(f"{self.path}/"): layer
            for layer in self._flatten_layers()
            if isinstance(layer, keras.layers.Dense)
        }
        for path, mode in modes.items():
            if path not in layers or not isinstance(mode, str) or mode not in QUANTIZERS:
                raise ValueError(f"no layer {str(path)[:50]!r} can be {str(mode)[:20]!r}")
            layers[path].quantize(mode)

    def check_input(self, shape: tuple) -> None:
        """Raises ValueError unless `shape` is a batch of what the network takes."""
        if tuple(shape[1:]) != self.input_axes:
            wanted = ", ".join(map(str, self.input_axes))
            raise ValueError(
                f"{type(self).__name__} takes float [B, {wanted}] in [-1, 1]. "
                f"Received: shape {tuple(shape)}"
            )

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "options": dataclasses.asdict(self.options)}
        if self.built and (quantized := self.quantized()):
            config["quantized"] = quantized
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Network:
        quantized = config.get("quantized", {})
        config = {name: value for name, value in config.items() if name != "quantized"}
        network = cls(**{**config, "options": ModelOptions(**current_names(config["options"]))})
        if quantized:
            network.build_variables()
            network.quantize_again(quantized)
        return network


def _details(config: Any) -> tuple:
    """What two quantization configs have in common if they are equal."""
    quantizers = (
        each and (type(each), each.get_config())
        for each in (
            getattr(config, "weight_quantizer", None),
            getattr(config, "activation_quantizer", None),
        )
    )
    return (type(config), *quantizers, getattr(config, "block_size", None))


def policy_of(compute: ComputeOptions) -> str:
    """The Keras dtype policy of networks that are computed so.

    A policy of float64 that was set in this process makes them exact. Keras' `floatx`, which a
    file in the user's home may set, is not asked.
    """
    told = keras.config.dtype_policy().name
    if compute.precision == "float32" and told == "float64" != keras.config.floatx():
        return told
    return compute.precision


def build_sequentially(layers: Iterable[keras.layers.Layer], shape: tuple) -> tuple:
    """Builds layers, each for the output of the one before; returns the shape of the last's."""
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def call_sequentially(layers: Iterable[keras.layers.Layer], x: Any, training: bool | None) -> Any:
    """Calls layers, each with the output of the one before."""
    for layer in layers:
        x = layer(x, training=training)
    return x
