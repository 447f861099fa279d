"""The networks and the training step in plain PyTorch, a reference for tests and benchmarks.

A straightforward implementation of the paper (Table 1, Eq. 1-7): channels first, the image repeated
32 times, every layer a module. Modules are named as in the released code, so that state dicts match
its checkpoints. `copy_weights` copies the weights of our Keras networks; a test checks that clips
and scores are then the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:  # pragma: no cover - depends on the environment
    raise ImportError("PyTorch is not installed: pip install ssagan_tf[torch]") from error

FRAMES = 32
CORE_RESOLUTION = 64
ATTENTIONS = ("naive", "fused")
# Where the released code has the discriminator's convolutions after the first.
SLICES = {2: ("slice2", 0), 3: ("slice2", 3), 4: ("slice3", 0), 5: ("slice3", 3), 6: ("slice4", 0)}


@dataclasses.dataclass(frozen=True)
class Variant:
    """How the released networks differ. The default is SSA-GAN as in the paper.

    Attributes:
      skips: `"concatenate"`, `"add"`, or `"add_inner"`, which omits the two outer ones.
      ssa: Whether attention follows all layers except conv6 and the last.
      gate: `"gamma"`, `"none"` or `"projected"`.
      ratio: Channels of queries and keys, divided by those of the features.
      spectral_norm: Whether all convolutions outside the attention have spectral normalisation.
    """

    skips: str = "concatenate"
    ssa: bool = True
    gate: str = "gamma"
    ratio: float = 1.0
    spectral_norm: bool = False


class SpatialSelfAttention(nn.Module):
    """Eq. 1-3: every position of `[B, C, T, H, W]` attends to all positions.

    Args:
      channels: C.
      attention: `"naive"`: softmax(q kᵀ) v as three operations; `"fused"`: PyTorch's
        `scaled_dot_product_attention`.
      gate: `"gamma"`: γ·o + x; `"none"`: o + x; `"projected"`: BN(W·o) + x.
      ratio: Channels of queries and keys over C.
    """

    def __init__(
        self, channels: int, attention: str = "naive", gate: str = "gamma", ratio: float = 1.0
    ):
        super().__init__()
        if attention not in ATTENTIONS:
            raise ValueError(f"attention must be one of {ATTENTIONS}, not {attention!r}")
        self.attention = attention
        key_channels = max(1, round(channels * ratio))
        self.query_conv = nn.Conv3d(channels, key_channels, 1)
        self.key_conv = nn.Conv3d(channels, key_channels, 1)
        self.value_conv = nn.Conv3d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1)) if gate == "gamma" else None
        self.W = None
        if gate == "projected":
            self.W = nn.Sequential(nn.Conv3d(channels, channels, 1), nn.BatchNorm3d(channels))

    def forward(self, x: Tensor) -> Tensor:
        attend = naive_attention if self.attention == "naive" else fused_attention
        # [B, C, T, H, W] -> [B, C·T, N]: a column per position.
        query, key, value = (
            layer(x).flatten(1, 2).flatten(2)
            for layer in (self.query_conv, self.key_conv, self.value_conv)
        )
        attended = attend(query, key, value).reshape_as(x)
        if self.gamma is not None:
            attended = self.gamma * attended
        elif self.W is not None:
            attended = self.W(attended)
        return attended + x


def naive_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(q kᵀ) v; all `[B, features, positions]`."""
    weights = torch.softmax(torch.bmm(query.transpose(1, 2), key), dim=-1)
    return torch.bmm(value, weights.transpose(1, 2))


def fused_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The same with PyTorch's `scaled_dot_product_attention`."""
    # One head, `[B, 1, positions, features]`. With rows that are not contiguous PyTorch would fall
    # back to the plain formula.
    rows = [x.transpose(1, 2).unsqueeze(1).contiguous() for x in (query, key, value)]
    attended = functional.scaled_dot_product_attention(*rows, scale=1.0)
    return attended.squeeze(1).transpose(1, 2)


def _levels(resolution: int, base_filters: int) -> dict[int, tuple[int, tuple, tuple]]:
    """Filters, kernel and stride of conv1 … conv5 by number; at 64² the first is conv2."""
    outer, side = [], CORE_RESOLUTION
    while side < resolution:
        outer.insert(0, (base_filters // 2 ** len(outer), (3, 4, 4), (1, 2, 2)))
        side *= 2
    if side != resolution:
        raise ValueError(f"resolution must be 64·2^k, not {resolution}")
    levels = outer + [(base_filters * 2**n, (4, 4, 4), (2, 2, 2)) for n in range(1, 5)]
    return dict(enumerate(levels, start=2 - len(outer)))


def _initialized(convolution: nn.Module, spectral_norm: bool) -> nn.Module:
    nn.init.normal_(convolution.weight, std=0.02)
    return nn.utils.spectral_norm(convolution) if spectral_norm else convolution


def _leaky_relu(x: Tensor) -> Tensor:
    return functional.leaky_relu_(x, 0.2)


class Generator(nn.Module):
    """Image `[B, 3, H, W]`, or clip `[B, 3, 32, H, W]`, → clip, all in [-1, 1].

    Args:
      resolution: Side of the frames, 64·2^k.
      base_filters: Filters of the first convolution at 128².
      attention: `"naive"` or `"fused"`.
      variant: By default SSA-GAN's.
    """

    def __init__(
        self,
        resolution: int = 128,
        base_filters: int = 32,
        attention: str = "naive",
        variant: Variant | None = None,
    ):
        super().__init__()
        self.variant = variant = variant or Variant()
        levels = _levels(resolution, base_filters)
        first, inner = min(levels), 16 * base_filters

        def add(name: str, convolution: nn.Module, filters: int, ssa: str = "") -> None:
            """Adds a (de)convolution and, with `ssa`, an attention of that name."""
            self.add_module(name, _initialized(convolution, variant.spectral_norm))
            if name not in (f"downConv{first}", "downConv6", f"upConv{7 - first}"):
                self.add_module(name.replace("Conv", "BN"), nn.BatchNorm3d(filters))
            if ssa and variant.ssa:
                module = SpatialSelfAttention(filters, attention, variant.gate, variant.ratio)
                self.add_module(ssa, module)

        channels = 3
        for n, (filters, kernel, stride) in levels.items():
            convolution = nn.Conv3d(channels, filters, kernel, stride, 1, bias=False)
            add(f"downConv{n}", convolution, filters, f"attn_{n}")
            channels = filters
        add("downConv6", nn.Conv3d(inner, inner, (2, 4, 4), bias=False), inner)
        add("upConv1", nn.ConvTranspose3d(inner, inner, (2, 4, 4), bias=False), inner, "up_attn_5")
        # Concatenation doubles the channels: the decoder's and those of the skip.
        times = 2 if variant.skips == "concatenate" else 1
        for n in sorted(levels, reverse=True):
            channels, kernel, stride = levels[n]
            filters = levels[n - 1][0] if n > first else 3
            convolution = nn.ConvTranspose3d(
                times * channels, filters, kernel, stride, 1, bias=False
            )
            add(f"upConv{7 - n}", convolution, filters, f"up_attn_{n - 1}" if n > first else "")
        self.down, self.up = [*levels, 6], range(1, 8 - first)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 4:
            x = x.unsqueeze(2).expand(-1, -1, FRAMES, -1, -1)
        skips = []
        for n in self.down:
            x = self._layer(x, f"downConv{n}", f"downBN{n}", f"attn_{n}", _leaky_relu)
            skips.append(x)
        skips.pop()
        for n in self.up:
            x = self._layer(x, f"upConv{n}", f"upBN{n}", f"up_attn_{6 - n}", functional.relu_)
            if skips:
                skip = skips.pop()
                if self.variant.skips == "concatenate":
                    x = torch.cat((skip, x) if n == 1 else (x, skip), dim=1)
                elif self.variant.skips == "add" or len(skips) >= 2:
                    x = x + skip
        return torch.tanh(x)

    def _layer(
        self, x: Tensor, convolution: str, norm: str, ssa: str, activate: Callable
    ) -> Tensor:
        x = self._modules[convolution](x)
        if norm in self._modules:
            x = activate(self._modules[norm](x))
        return self._modules[ssa](x) if ssa in self._modules else x


class Discriminator(nn.Module):
    """Clip `[B, 3, 32, H, W]` in [-1, 1] → score logits `[B, 1]`.

    Args:
      resolution: Side of the frames, 64·2^k.
      base_filters: Filters of the 128² network's first convolution.
      spectral_norm: Whether all convolutions have spectral normalisation.
    """

    def __init__(self, resolution: int = 128, base_filters: int = 32, spectral_norm: bool = False):
        super().__init__()
        levels = _levels(resolution, base_filters)
        channels = 3
        for n, (filters, kernel, stride) in levels.items():
            layers = [nn.Conv3d(channels, filters, kernel, stride, padding=1, bias=False)]
            layers.append(nn.BatchNorm3d(filters) if n > min(levels) else None)
            # The released code leaves the last slope at its framework's default.
            layers.append(nn.LeakyReLU(0.01 if n == 5 else 0.2, inplace=True))
            self._add(n, layers, spectral_norm)
            channels = filters
        self._add(6, [nn.Conv3d(channels, 1, (2, 4, 4), bias=False)], spectral_norm)

    def _add(self, number: int, layers: list[nn.Module | None], spectral_norm: bool) -> None:
        name, index = SLICES.get(number, (f"slice{number}", 0))
        if index == 0:
            self.add_module(name, nn.Sequential())
        layers[0] = _initialized(layers[0], spectral_norm)
        for place, layer in enumerate(layers, start=index):
            if layer is not None:
                self._modules[name].add_module(str(place), layer)

    def forward(self, clip: Tensor, features: bool = False) -> Any:
        """Returns the logits; with `features` also the outputs of slice1 and slice2."""
        found = []
        for name, layers in self.named_children():
            clip = layers(clip)
            if name in ("slice1", "slice2"):
                found.append(clip)
        return (clip.flatten(1), found) if features else clip.flatten(1)


def autocast(precision: str) -> contextlib.AbstractContextManager:
    """Returns mixed precision on the default device; for float32 a context that does nothing."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(torch.get_default_device().type, dtype=torch.bfloat16)


def adam(network: nn.Module) -> torch.optim.Optimizer:
    """Returns the paper's optimizer (Sec. 4)."""
    return torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.9))


def training_step(
    generator: Generator,
    discriminator: Discriminator,
    generator_optimizer: torch.optim.Optimizer,
    discriminator_optimizer: torch.optim.Optimizer,
    clips: Tensor,
    precision: str = "float32",
) -> dict[str, float]:
    """Updates the discriminator on each batch, then the generator on the last.

    Args:
      generator: The generator, in training mode.
      discriminator: The discriminator, in training mode.
      generator_optimizer: Optimizer of the generator's parameters.
      discriminator_optimizer: Optimizer of the discriminator's parameters.
      clips: uint8 `[B, updates, 3, T, H, W]`.
      precision: `"float32"`, or `"bfloat16"` with autocast.

    Returns:
      The losses; the discriminator's is the mean over its updates.
    """
    losses = []
    for batch in clips.unbind(1):
        real = batch.to(next(generator.parameters()).dtype) / 127.5 - 1
        discriminator_optimizer.zero_grad(set_to_none=True)
        with autocast(precision):
            with torch.no_grad():
                fake = generator(real[:, :, 0])
            real_logits, fake_logits = discriminator(real), discriminator(fake)
        loss = _log_loss(real_logits, 1.0) + _log_loss(fake_logits, 0.0)
        loss.backward()
        discriminator_optimizer.step()
        losses.append(loss.detach())

    generator_optimizer.zero_grad(set_to_none=True)
    discriminator.requires_grad_(False)
    with autocast(precision):
        fake = generator(real[:, :, 0])
        logits = discriminator(fake)
    loss = functional.l1_loss(fake.to(real.dtype), real) - _log_loss(logits, 0.0)  # Eq. 4, 5, 7
    loss.backward()
    generator_optimizer.step()
    discriminator.requires_grad_(True)
    return {
        "discriminator_loss": float(torch.stack(losses).mean()),
        "generator_loss": float(loss.detach()),
    }


def _log_loss(logits: Tensor, target: float) -> Tensor:
    """-log D for target 1, -log(1 - D) for target 0."""
    logits = logits if logits.dtype == torch.float64 else logits.float()
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def copy_weights(keras_network: Any, network: Generator | Discriminator) -> None:
    """Copies the weights of a network of `ssagan_tf` into its counterpart here.

    Args:
      keras_network: Built by `build_generator` or `build_discriminator`.
      network: Built with the same options; its weights are overwritten.
    """
    from ssagan_tf.torch_weights import to_state_dict  # it loads Keras

    state = {key: torch.tensor(array) for key, array in to_state_dict(keras_network).items()}
    network.load_state_dict(state)
