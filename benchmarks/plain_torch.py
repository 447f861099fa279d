"""The paper's networks and training step in plain PyTorch, to measure ours against.

Written from the paper (Table 1, Eq. 1-7) the straightforward way: channels first, the image
repeated 32 times, every layer a module. `copy_weights` fills them from our Keras networks; with
the same weights they give the same clips and scores, which a test holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import numpy as np

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:  # pragma: no cover - depends on the environment
    raise ImportError("PyTorch is not installed: pip install ssagan_tf[torch]") from error

FRAMES = 32
CORE_RESOLUTION = 64
ATTENTIONS = ("naive", "fused")


class SpatialSelfAttention(nn.Module):
    """Eq. 1-3: every position of `[B, C, T, H, W]` attends to all positions.

    Args:
      channels: C. Queries and keys have as many.
      attention: `"naive"`: softmax(q kᵀ) v as three operations; `"fused"`: PyTorch's
        `scaled_dot_product_attention`.
    """

    def __init__(self, channels: int, attention: str = "naive"):
        super().__init__()
        if attention not in ATTENTIONS:
            raise ValueError(f"attention must be one of {ATTENTIONS}, not {attention!r}")
        self.attention = attention
        self.query = nn.Conv3d(channels, channels, 1)
        self.key = nn.Conv3d(channels, channels, 1)
        self.value = nn.Conv3d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        attend = naive_attention if self.attention == "naive" else fused_attention
        # [B, C, T, H, W] -> [B, C·T, N]: a column per position.
        query, key, value = (
            layer(x).flatten(1, 2).flatten(2) for layer in (self.query, self.key, self.value)
        )
        return self.gamma * attend(query, key, value).reshape_as(x) + x


def naive_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(q kᵀ) v; all `[B, features, positions]`."""
    weights = torch.softmax(torch.bmm(query.transpose(1, 2), key), dim=-1)
    return torch.bmm(value, weights.transpose(1, 2))


def fused_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The same by PyTorch's own operation."""
    # One head, `[B, 1, positions, features]`. Rows that are not contiguous would make PyTorch
    # fall back to the plain formula.
    rows = [x.transpose(1, 2).unsqueeze(1).contiguous() for x in (query, key, value)]
    attended = functional.scaled_dot_product_attention(*rows, scale=1.0)
    return attended.squeeze(1).transpose(1, 2)


class Block(nn.Module):
    """(De)convolution, batch norm, activation, attention: a row of Table 1."""

    def __init__(
        self,
        convolution: nn.Module,
        norm_channels: int | None = None,
        activation: nn.Module | None = None,
        ssa: SpatialSelfAttention | None = None,
    ):
        super().__init__()
        self.convolution = convolution
        self.norm = nn.BatchNorm3d(norm_channels) if norm_channels else nn.Identity()
        self.activation = activation or nn.Identity()
        self.ssa = ssa or nn.Identity()
        nn.init.normal_(convolution.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return self.ssa(self.activation(self.norm(self.convolution(x))))


def _levels(resolution: int, base_filters: int) -> list[tuple[int, tuple, tuple]]:
    """Filters, kernel and stride of every convolution but conv6, from the outside inwards."""
    outer, side = [], CORE_RESOLUTION
    while side < resolution:
        outer.insert(0, (base_filters // 2 ** len(outer), (3, 4, 4), (1, 2, 2)))
        side *= 2
    if side != resolution:
        raise ValueError(f"resolution must be 64·2^k, not {resolution}")
    return outer + [(base_filters * 2**n, (4, 4, 4), (2, 2, 2)) for n in range(1, 5)]


class Generator(nn.Module):
    """Image `[B, 3, H, W]` → clip `[B, 3, 32, H, W]`, both in [-1, 1].

    Args:
      resolution: Side of the frames, 64·2^k.
      base_filters: Filters of the 128² network's first convolution.
      attention: `"naive"` or `"fused"`.
    """

    def __init__(self, resolution: int = 128, base_filters: int = 32, attention: str = "naive"):
        super().__init__()
        levels = _levels(resolution, base_filters)
        inner = 16 * base_filters
        self.encoder = nn.ModuleList()
        channels = 3
        for number, (filters, kernel, stride) in enumerate(levels):
            self.encoder.append(
                Block(
                    nn.Conv3d(channels, filters, kernel, stride, padding=1, bias=False),
                    norm_channels=filters if number else None,
                    activation=nn.LeakyReLU(0.2, inplace=True) if number else None,
                    ssa=SpatialSelfAttention(filters, attention),
                )
            )
            channels = filters
        self.encoder.append(Block(nn.Conv3d(inner, inner, (2, 4, 4), bias=False)))

        self.decoder = nn.ModuleList(
            [
                Block(
                    nn.ConvTranspose3d(inner, inner, (2, 4, 4), bias=False),
                    norm_channels=inner,
                    activation=nn.ReLU(inplace=True),
                    ssa=SpatialSelfAttention(inner, attention),
                )
            ]
        )
        outputs = [3, *(filters for filters, _, _ in levels[:-1])]
        for (channels, kernel, stride), filters in zip(levels[:0:-1], outputs[:0:-1], strict=True):
            # Twice the channels: the decoder's own and those of the skip.
            self.decoder.append(
                Block(
                    nn.ConvTranspose3d(2 * channels, filters, kernel, stride, 1, bias=False),
                    norm_channels=filters,
                    activation=nn.ReLU(inplace=True),
                    ssa=SpatialSelfAttention(filters, attention),
                )
            )
        channels, kernel, stride = levels[0]
        self.decoder.append(
            Block(nn.ConvTranspose3d(2 * channels, 3, kernel, stride, 1, bias=False))
        )

    def forward(self, image: Tensor) -> Tensor:
        x = image.unsqueeze(2).expand(-1, -1, FRAMES, -1, -1)
        skips = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        skips.pop()
        for number, block in enumerate(self.decoder):
            x = block(x)
            if skips:
                skip = skips.pop()
                x = torch.cat((x, skip) if number else (skip, x), dim=1)
        return torch.tanh(x)


class Discriminator(nn.Module):
    """Clip `[B, 3, 32, H, W]` in [-1, 1] → score logits `[B, 1]`.

    Args:
      resolution: Side of the frames, 64·2^k.
      base_filters: Filters of the 128² network's first convolution.
    """

    def __init__(self, resolution: int = 128, base_filters: int = 32):
        super().__init__()
        levels = _levels(resolution, base_filters)
        self.blocks = nn.ModuleList()
        channels = 3
        for number, (filters, kernel, stride) in enumerate(levels, start=1):
            # The released code leaves the last slope at its framework's default.
            slope = 0.01 if number == len(levels) else 0.2
            self.blocks.append(
                Block(
                    nn.Conv3d(channels, filters, kernel, stride, padding=1, bias=False),
                    norm_channels=filters if number > 1 else None,
                    activation=nn.LeakyReLU(slope, inplace=True),
                )
            )
            channels = filters
        self.blocks.append(Block(nn.Conv3d(channels, 1, (2, 4, 4), bias=False)))

    def forward(self, clip: Tensor) -> Tensor:
        for block in self.blocks:
            clip = block(clip)
        return clip.flatten(1)


def autocast(precision: str) -> contextlib.AbstractContextManager:
    """PyTorch's mixed precision on CPUs, or nothing for float32."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast("cpu", dtype=torch.bfloat16)


def adam(network: nn.Module) -> torch.optim.Optimizer:
    """The paper's optimizer (Sec. 4)."""
    return torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.9))


def training_step(
    generator: Generator,
    discriminator: Discriminator,
    generator_optimizer: torch.optim.Optimizer,
    discriminator_optimizer: torch.optim.Optimizer,
    clips: Tensor,
    precision: str = "float32",
) -> dict[str, float]:
    """One update of the discriminator on each batch, then one of the generator on the last.

    Args:
      generator: In training mode, as the discriminator.
      discriminator: Scores the clips.
      generator_optimizer: Of the generator's parameters.
      discriminator_optimizer: Of the discriminator's parameters.
      clips: uint8 `[B, updates, 3, T, H, W]`.
      precision: `"float32"`, or `"bfloat16"` by autocast.

    Returns:
      The losses; the discriminator's is the mean of its updates.
    """
    losses = []
    for batch in clips.unbind(1):
        real = batch.float() / 127.5 - 1
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
    loss = _log_loss(logits, 1.0) + functional.l1_loss(fake.float(), real)
    loss.backward()
    generator_optimizer.step()
    discriminator.requires_grad_(True)
    return {
        "discriminator_loss": float(torch.stack(losses).mean()),
        "generator_loss": float(loss.detach()),
    }


def _log_loss(logits: Tensor, target: float) -> Tensor:
    """-log D where the target is 1, -log(1 - D) where it is 0."""
    logits = logits.float()
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def copy_weights(keras_network: Any, network: Generator | Discriminator) -> None:
    """Gives a network here the weights of the same one of `ssagan_tf`.

    Args:
      keras_network: Built by `build_generator` or `build_discriminator`, with the options that
        the networks here have: concatenated skips, γ, attention where the paper has it.
      network: Is overwritten.
    """
    if isinstance(network, Generator):
        pairs = [
            *zip(keras_network.encoder, network.encoder, strict=True),
            *zip(keras_network.decoder, network.decoder, strict=True),
        ]
    else:
        pairs = zip((*keras_network.features, keras_network.score), network.blocks, strict=True)
    with torch.no_grad():
        for source, target in pairs:
            _copy_block(source, target)


def _copy_block(source: Any, target: Block) -> None:
    _copy((target.convolution.weight,), (_channels_first(source.convolution.kernel),))
    if source.batch_norm is not None:
        norm, batch_norm = target.norm, source.batch_norm
        _copy(
            (norm.weight, norm.bias, norm.running_mean, norm.running_var),
            (batch_norm.gamma, batch_norm.beta, batch_norm.moving_mean, batch_norm.moving_variance),
        )
    if source.ssa is not None:
        for name in ("query", "key", "value"):
            dense, convolution = getattr(source.ssa, name), getattr(target.ssa, name)
            kernel = np.asarray(dense.kernel).T[:, :, None, None, None]
            _copy((convolution.weight, convolution.bias), (kernel, dense.bias))
        _copy((target.ssa.gamma,), (source.ssa.gamma,))


def _channels_first(kernel: Any) -> np.ndarray:
    """`[t, h, w, X, Y]` → `[Y, X, t, h, w]`, for convolutions and transposed ones alike."""
    return np.transpose(np.asarray(kernel), (4, 3, 0, 1, 2))


def _copy(targets: Iterable[Tensor], values: Iterable[Any]) -> None:
    for target, value in zip(targets, values, strict=True):
        value = torch.tensor(np.asarray(value))
        if value.shape != target.shape:
            raise ValueError(f"a weight of shape {value.shape} for one of {target.shape}")
        target.copy_(value)
