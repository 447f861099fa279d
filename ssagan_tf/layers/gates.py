"""The gates of `SpatialSelfAttention`: what the attended features o go through before x is added.

To add one: a subclass of `Gate` and an entry in `GATES`, and its name among the choices of
`ssa_gate` in options/networks.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ssagan_tf.layers.normalization import BatchNormalization

if TYPE_CHECKING:
    from ssagan_tf.layers.attention import SpatialSelfAttention


class Gate:
    """o + x (Sec. 5.4): the gate without weights, and the base class of the others.

    Gates have no state: their weights and sublayers are attributes of the attention layer, whose
    files name them.

    Attributes:
      convolutions: Names of the sublayers that `SpatialSelfAttention.pointwise` creates.
    """

    convolutions: ClassVar[tuple[str, ...]] = ()

    def build(self, layer: SpatialSelfAttention, input_shape: tuple) -> None:
        """Creates the weights, for an input of shape `[B, T, H, W, C]`."""

    def apply(
        self,
        layer: SpatialSelfAttention,
        attended: Any,
        *,
        training: bool | None,
        mask: Any,
        frames: int | None,
        update: bool,
    ) -> Any:
        """Returns what is added to x, of the shape of `attended`.

        Args:
          layer: The attention layer.
          attended: o, `[B, T, H, W, C]`.
          training: As in `SpatialSelfAttention.call`, like those that follow.
          mask: Boolean `[B, T, H, W]`, or None.
          frames: If given, `attended` holds the slices of a static clip (`static_clip.py`).
          update: Whether training updates moving statistics.
        """
        return attended


class GammaGate(Gate):
    """γ·o + x (Eq. 3), with a scalar γ that starts at 0."""

    def build(self, layer: SpatialSelfAttention, input_shape: tuple) -> None:
        layer.gamma = layer.add_weight(name="gamma", shape=(), initializer="zeros")

    def apply(self, layer: SpatialSelfAttention, attended: Any, **kwargs: Any) -> Any:
        return layer.gamma * attended


class ProjectedGate(Gate):
    """BN(W·o) + x, with a 1×1×1 convolution W that starts at 0, as in the released code."""

    convolutions = ("projection",)

    def build(self, layer: SpatialSelfAttention, input_shape: tuple) -> None:
        layer.projection = layer.pointwise(input_shape[-1], "projection", zeros=True)
        layer.projection.build(input_shape)
        layer.projection_norm = BatchNormalization(name="projection_norm", dtype=layer.dtype_policy)
        layer.projection_norm.build(input_shape)

    def apply(self, layer: SpatialSelfAttention, attended: Any, **kwargs: Any) -> Any:
        return layer.projection_norm(layer.projection(attended), **kwargs)


GATES: dict[str, Gate] = {"gamma": GammaGate(), "none": Gate(), "projected": ProjectedGate()}
