"""Counts floating-point operations of the networks: the minimum of work that they take.

    python -m benchmarks.flops [resolution]

prints a table per layer. Matrix products and convolutions are counted, multiplications and
additions separately; normalisation, activations, softmax and memory transfers are not. Only kernel
taps that meet a value count (a transposed kernel of 4 with stride 2 has 2 per axis and output);
taps that meet zero padding count, too.

The exact algorithm computes the same result as the plain one with less work, because the
generator's input is a still clip: the encoder computes only the distinct slices of each feature map
(three, up to 128²), and in the decoder the part of each deconvolution that reads a skip connection
computes only a few slices as well.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from benchmarks.cases import Case
from ssagan_tf.options import FRAMES, ModelOptions
from ssagan_tf.startup import load_tensorflow

if TYPE_CHECKING:  # elsewhere it is imported late, since it loads Keras
    from ssagan_tf.models.table1 import Row


@dataclasses.dataclass(frozen=True)
class Count:
    """Operations of one matrix product or convolution, for one clip.

    Attributes:
      name: The layer, and which part of it.
      forward: Operations of the forward pass.
      weight_gradient: Operations of the gradient with respect to its weights; 0 without weights.
      input_gradient: Operations of the gradients with respect to its inputs.
      recomputed: Operations that the backward pass repeats because their result was not kept.
    """

    name: str
    forward: int
    weight_gradient: int = 0
    input_gradient: int = 0
    recomputed: int = 0

    @property
    def backward(self) -> int:
        return self.weight_gradient + self.input_gradient + self.recomputed


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """How the generator is computed.

    Attributes:
      static_encoder: Whether the encoder computes distinct slices only.
      static_skips: Whether the part of the decoder that reads skips computes a few slices only.
      attention_memory: MiB. Attention weights of a batch that need more are recomputed in the
        backward pass. None: they are always kept.
      bytes_per_weight: Bytes per attention weight.
    """

    static_encoder: bool = True
    static_skips: bool = True
    attention_memory: float | None = None
    bytes_per_weight: int = 4

    def keeps(self, positions: int, batch: int) -> bool:
        """Whether attention weights of this many positions are kept for the backward pass."""
        if self.attention_memory is None:
            return True
        return self.bytes_per_weight * batch * positions**2 <= self.attention_memory * 2**20


EXACT = Algorithm()
PLAIN = Algorithm(static_encoder=False, static_skips=False)


def forward(counts: Iterable[Count]) -> int:
    """Returns the operations of a forward pass."""
    return sum(count.forward for count in counts)


def backward(counts: Iterable[Count], weights: bool = True) -> int:
    """Returns the operations of a backward pass, with or without gradients of weights."""
    return sum(count.backward - (0 if weights else count.weight_gradient) for count in counts)


def attention(
    positions: int, features: int, value_features: int | None = None, kept: bool = True
) -> Count:
    """Counts softmax(q kᵀ) v.

    Args:
      positions: Number of positions.
      features: Features per position of queries and keys: frames × channels.
      value_features: Features per position of the values; by default as many.
      kept: Whether the attention weights are kept for the backward pass.
    """
    scores = 2 * positions**2 * features
    attended = 2 * positions**2 * (features if value_features is None else value_features)
    return Count(
        "attention",
        forward=scores + attended,
        input_gradient=2 * (scores + attended),
        recomputed=0 if kept else scores,
    )


def generator(options: ModelOptions, algorithm: Algorithm = EXACT, batch: int = 1) -> list[Count]:
    """Counts the generator's layers for one clip, in order.

    Args:
      options: The network.
      algorithm: How it is computed.
      batch: Clips per batch; affects only whether attention weights are kept.
    """
    from ssagan_tf.models.table1 import IMAGE_CHANNELS, decoder_rows, encoder_rows, ssa_layers
    from ssagan_tf.models.unet_variants import skips_of

    counts: list[Count] = []
    with_ssa = ssa_layers(options)
    frames, side, channels = FRAMES, options.resolution, IMAGE_CHANNELS
    border = 0  # slices at either end of a feature map that differ from those between
    maps = []

    def follow(row: Row, slices: int, side: int) -> None:
        if row.name in with_ssa:
            kept = algorithm.keeps(side**2, batch)
            counts.extend(_ssa(row.name, options, slices, side, row.filters, kept))

    for row in encoder_rows(options):
        frames, side = _smaller(frames, row, 0), _smaller(side, row, 1)
        border = math.ceil((border + 1) / row.strides[0])
        slices = min(frames, 2 * border + 1) if algorithm.static_encoder else frames
        work = 2 * slices * side**2 * math.prod(row.kernel_size) * channels * row.filters
        counts.append(_convolution(row.name, work, reads_data=not maps))
        follow(row, slices, side)
        channels = row.filters
        maps.append((frames, side, channels, border))

    frames, side, channels, _ = maps.pop()
    skips = 0  # none is read by the first deconvolution
    for row in decoder_rows(options):
        per_channel = 2 * side**2 * math.prod(row.kernel_size) * row.filters
        counts.append(_convolution(row.name, per_channel * channels * frames))
        if skips:
            # Enough for every distinct slice of the output: those at either end, and one period of
            # those between.
            few = 2 * border + (2 if row.strides[0] == 2 else 3)
            slices = min(frames, few) if algorithm.static_skips else frames
            counts.append(_convolution(f"{row.name}, skip", per_channel * skips * slices))
        if maps:
            frames, side, channels, border = maps.pop()
        else:
            frames, side = FRAMES, options.resolution
        skips = channels if skips_of(options) == "concatenate" else 0
        follow(row, frames, side)
    return counts


def discriminator(options: ModelOptions) -> list[Count]:
    """Counts the discriminator's layers for one clip, in order."""
    from ssagan_tf.models.table1 import IMAGE_CHANNELS, encoder_rows

    counts = []
    frames, side, channels = FRAMES, options.resolution, IMAGE_CHANNELS
    *features, last = encoder_rows(options)
    for row in (*features, dataclasses.replace(last, name="score", filters=1)):
        frames, side = _smaller(frames, row, 0), _smaller(side, row, 1)
        work = 2 * frames * side**2 * math.prod(row.kernel_size) * channels * row.filters
        counts.append(_convolution(row.name, work))
        channels = row.filters
    return counts


def step(
    options: ModelOptions,
    algorithm: Algorithm = EXACT,
    batch: int = 1,
    discriminator_updates: int = 5,
    shared_forward: bool = True,
) -> int:
    """Returns the operations of one training step, per clip of a batch.

    Args:
      options: The networks.
      algorithm: How the generator is computed.
      batch: Clips per batch; affects only whether attention weights are kept.
      discriminator_updates: Discriminator updates before the generator's.
      shared_forward: Whether the generator's update reuses the clips of the last discriminator
        update instead of generating new ones.
    """
    g, d = generator(options, algorithm, batch), discriminator(options)
    # The gradient with respect to the discriminator's input is not needed here.
    own_update = 2 * (forward(d) + backward(d) - d[0].input_gradient)
    generated = discriminator_updates + (0 if shared_forward else 1)
    through_discriminator = forward(d) + backward(d, weights=False)
    return (
        discriminator_updates * own_update
        + generated * forward(g)
        + through_discriminator
        + backward(g)
    )


def of_case(case: Case) -> int | None:
    """Returns the operations of a case with its implementation's algorithm; None if unknown."""
    from ssagan_tf.options import ComputeOptions

    if case.work in ("matmul", "learning", "photo") or case.remat:
        return None
    memory = case.memory or ComputeOptions().attention_memory
    if case.framework == "torch":
        # Fused attention does not keep its weights.
        memory = 0 if case.variant == "fused" else None
    elif case.work == "attention" and case.variant == "naive":
        memory = None
    algorithm = dataclasses.replace(
        EXACT if case.variant == "static" else PLAIN,
        attention_memory=memory,
        bytes_per_weight=2 if case.precision == "bfloat16" else 4,
    )
    if case.work == "attention":
        kept = algorithm.keeps(case.positions, case.batch)
        counts = [attention(case.positions, case.frames * case.channels, kept=kept)]
    else:
        options = ModelOptions(resolution=case.resolution, base_filters=case.base_filters)
        if case.work in ("step", "training"):
            shared = case.framework == "tensorflow"
            return case.batch * step(options, algorithm, case.batch, case.updates, shared)
        counts = generator(options, algorithm, case.batch)
    work = forward(counts) + (backward(counts) if case.mode == "gradients" else 0)
    return case.batch * work


def table(counts: Iterable[Count]) -> str:
    """Formats counts as a table, in GFLOP."""
    lines = [f"{'GFLOP':30} {'forward':>9} {'backward':>9} {'recomputed':>11}"]
    counts = list(counts)
    for count in [*counts, _total(counts)]:
        kept = count.backward - count.recomputed
        lines.append(
            f"{count.name:30} {count.forward / 1e9:9.3f} {kept / 1e9:9.3f}"
            f" {count.recomputed / 1e9:11.3f}"
        )
    return "\n".join(lines)


def _total(counts: list[Count]) -> Count:
    names = [field.name for field in dataclasses.fields(Count) if field.name != "name"]
    return Count("total", **{n: sum(getattr(count, n) for count in counts) for n in names})


def _convolution(name: str, work: int, reads_data: bool = False) -> Count:
    return Count(name, work, work, 0 if reads_data else work)


def _ssa(
    layer: str, options: ModelOptions, slices: int, side: int, channels: int, kept: bool
) -> list[Count]:
    """Counts the attention after a layer, and its 1×1×1 convolutions."""
    key_channels = max(1, round(channels * options.ssa_ratio))
    pointwise = 2 * slices * side**2 * channels
    maps = 2 * key_channels + channels + (channels if options.ssa_gate == "projected" else 0)
    attended = attention(side**2, slices * key_channels, slices * channels, kept)
    return [
        _convolution(f"{layer} SSA: 1×1×1", pointwise * maps),
        dataclasses.replace(attended, name=f"{layer} SSA: attention"),
    ]


def _smaller(length: int, row: Row, axis: int) -> int:
    if row.padding == "valid":
        return length - row.kernel_size[axis] + 1
    return length // row.strides[axis]


def main() -> None:
    parser = argparse.ArgumentParser(description="Counts operations per clip, layer by layer.")
    parser.add_argument("resolution", nargs="?", type=int, default=128)
    options = ModelOptions(resolution=parser.parse_args().resolution)
    load_tensorflow()
    exact = dataclasses.replace(EXACT, attention_memory=0)
    for title, counts in (
        ("Generator, plain", generator(options, PLAIN)),
        ("Generator, exact, attention weights recomputed", generator(options, exact)),
        ("Discriminator", discriminator(options)),
    ):
        print(f"\n{title}\n{table(counts)}")
    print("\nStep of 5 + 1 updates, per clip of a batch, GFLOP")
    print(f"plain {step(options, PLAIN, shared_forward=False) / 1e9:.1f}")
    print(f"exact {step(options, exact) / 1e9:.1f}")


if __name__ == "__main__":
    main()
