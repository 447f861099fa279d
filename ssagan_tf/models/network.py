"""The base class of all networks: created from `ModelOptions`, which their files carry."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import keras

from ssagan_tf.options import ComputeOptions, ModelOptions, current_names

# The quantization modes that need no further arguments, so that naming one in a file is enough.
QUANTIZERS = {
    "int8": keras.quantizers.Int8QuantizationConfig,
    "int4": keras.quantizers.Int4QuantizationConfig,
}


class Network(keras.Model):
    """A Keras model created from `ModelOptions`, which its `.keras` file carries.

    Subclasses define `create_layers`, `input_axes`, `build`, `call` and `compute_output_shape`.

    Args:
      options: The settings of the architecture; the paper's 128² network by default.
      compute: How it is computed, except for the precision, which is the layer argument `dtype`.

    Attributes:
      largest_kernel: Weights of the largest kernel for one base filter; they grow with the square.
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
        self.create_layers()

    def create_layers(self) -> None:
        """Creates the layers, unbuilt, from `options` and `compute`."""

    @property
    def input_axes(self) -> tuple[int, ...]:
        """The input's shape without the batch."""
        raise NotImplementedError

    def stages(self) -> tuple[Network, ...]:
        """The networks that it runs one after the other; each has `options` of its own."""
        return (self,)

    @classmethod
    def min_weights(cls, options: ModelOptions) -> int:
        """A lower bound on the weights of such a network, known before it is created."""
        return cls.largest_kernel * options.base_filters**2

    def build_variables(self) -> None:
        """Creates the weights."""
        self.build((None, *self.input_axes))

    def with_compute(self, compute: ComputeOptions) -> Network:
        """A copy of the network that is computed in another way."""
        copy = type(self)(self.options, compute, name=self.name, dtype=policy_name(compute))
        copy.build_variables()
        copy.quantize_layers(self.quantization_modes())
        copy.set_weights(self.get_weights())
        return copy

    def quantization_modes(self) -> dict[str, str]:
        """The modes, `"int8"` or `"int4"`, of quantized layers, by their paths in the network.

        Raises:
          ValueError: A layer was quantized in another way, which a network's file cannot describe.
        """
        modes = {}
        for layer in self._sublayers():
            if (mode := layer.quantization_mode) is None:
                continue
            config = getattr(layer, "quantization_config", None)
            if mode not in QUANTIZERS or _details(config) != _details(QUANTIZERS[mode]()):
                raise ValueError(
                    f"{layer.path} was not quantized by quantize('int8') or quantize('int4'), the "
                    "only ways that a network's file can describe"
                )
            modes[layer.path.removeprefix(f"{self.path}/")] = mode
        return modes

    def quantize_layers(self, modes: Mapping[str, str]) -> None:
        """Quantizes layers as `quantization_modes` described them, for weights saved that way.

        Raises:
          ValueError: A layer or mode does not exist.
        """
        layers = {
            layer.path.removeprefix(f"{self.path}/"): layer
            for layer in self._sublayers()
            if isinstance(layer, keras.layers.Dense)
        }
        for path, mode in modes.items():
            if path not in layers or not isinstance(mode, str) or mode not in QUANTIZERS:
                raise ValueError(f"there is no layer {str(path)[:50]!r} to make {str(mode)[:20]!r}")
            layers[path].quantize(mode)

    def _sublayers(self) -> Iterable[keras.layers.Layer]:
        """The layers at any depth. Keras has no public way: `layers` has the outermost only."""
        return self._flatten_layers(include_self=False)

    def check_input(self, shape: tuple) -> None:
        """Raises ValueError unless `shape` is that of a batch of inputs."""
        if tuple(shape[1:]) != self.input_axes:
            wanted = ", ".join(map(str, self.input_axes))
            raise ValueError(
                f"{type(self).__name__} takes float [B, {wanted}] in [-1, 1]. "
                f"Received: shape {tuple(shape)}"
            )

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "options": dataclasses.asdict(self.options)}
        if self.built and (quantized := self.quantization_modes()):
            config["quantized"] = quantized
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Network:
        quantized = config.get("quantized", {})
        config = {name: value for name, value in config.items() if name != "quantized"}
        network = cls(**{**config, "options": ModelOptions(**current_names(config["options"]))})
        if quantized:
            network.build_variables()
            network.quantize_layers(quantized)
        return network


def _details(config: Any) -> tuple:
    """What makes two quantization configs equal."""
    quantizers = (
        each and (type(each), each.get_config())
        for each in (
            getattr(config, "weight_quantizer", None),
            getattr(config, "activation_quantizer", None),
        )
    )
    return (type(config), *quantizers, getattr(config, "block_size", None))


def policy_name(compute: ComputeOptions) -> str:
    """The name of the Keras dtype policy for networks with this `ComputeOptions`.

    A float64 policy that was set in this process is used in place of float32. Keras' `floatx`,
    which a file in the user's home may set, has no effect.
    """
    current = keras.config.dtype_policy().name
    if compute.precision == "float32" and current == "float64" != keras.config.floatx():
        return current
    return compute.precision


def build_sequentially(layers: Iterable[keras.layers.Layer], shape: tuple) -> tuple:
    """Builds layers, each for the output of the one before; returns the last output's shape."""
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def call_sequentially(layers: Iterable[keras.layers.Layer], x: Any, training: bool | None) -> Any:
    """Calls layers, each with the output of the one before; returns the last output."""
    for layer in layers:
        x = layer(x, training=training)
    return x
