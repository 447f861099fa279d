"""A generator's clip by plain PyTorch on the CPU, for a process that must not load it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor

import numpy as np


def reference_clip(
    state: Mapping[str, np.ndarray], image: np.ndarray, base_filters: int
) -> np.ndarray:
    """Computes a clip in float32, in a process of its own.

    Args:
      state: The generator's weights, as `torch_weights.to_state_dict` returns them.
      image: `[B, H, W, 3]`.
      base_filters: The generator's.

    Returns:
      `[B, 32, H, W, 3]`.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        return other.submit(_clip, dict(state), image, base_filters).result()


def _clip(state: dict[str, np.ndarray], image: np.ndarray, base_filters: int) -> np.ndarray:
    from benchmarks.plain_torch import Generator, torch

    generator = Generator(image.shape[1], base_filters).eval()
    generator.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    with torch.inference_mode():
        clip = generator(torch.tensor(np.moveaxis(image, -1, 1)))
    return np.moveaxis(clip.numpy(), 1, -1)
