"""Stores float64 outputs of the PyTorch networks, so that tests compare ours without PyTorch.

    python -m benchmarks.torch_references

writes `tests/torch_weights/references/*.json`, a few kB each. Weights and inputs are generated from
names and shapes (`random_state_dict`, `random_inputs`), so only part of each output is stored: a
sample of its values, and weighted sums of all of them.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parents[1] / "tests" / "torch_weights" / "references"
VALUES, SUMS = 96, 8  # stored of each output


@dataclasses.dataclass(frozen=True)
class Case:
    """A network of `plain_torch`.

    Attributes:
      model: Network to name to `import_torch`, where the state dict does not identify it.
      variant: Arguments of `plain_torch.Variant`; None: a discriminator.
      spectral_norm: Whether convolutions have spectral normalisation.
      resolution: Side of its frames in pixels.
    """

    model: str = ""
    variant: Mapping[str, Any] | None = None
    spectral_norm: bool = False
    resolution: int = 64

    @property
    def input_shape(self) -> tuple[int, ...]:
        side = self.resolution
        if self.variant is None:
            return (3, 32, side, side, 3)
        is_second = self.variant.get("skips") == "add_inner"
        return (2, 32, side, side, 3) if is_second else (2, side, side, 3)


CASES = {
    "ssagan": Case(variant={}),
    "ssagan_spectral": Case(variant={}, spectral_norm=True),
    "ssagan_without_gamma": Case(variant={"gate": "none"}),
    "ssagan_projected": Case(variant={"gate": "projected"}, spectral_norm=True),
    "ssagan_stage2": Case(variant={"skips": "add_inner", "ratio": 0.5}, spectral_norm=True),
    "mdgan_stage1": Case("mdgan_stage1", {"skips": "add", "ssa": False}),
    "mdgan_stage1_spectral": Case("mdgan_stage1", {"skips": "add", "ssa": False}, True),
    "mdgan_stage2": Case("mdgan_stage2", {"skips": "add_inner", "ssa": False}),
    "discriminator": Case(),
    "discriminator_128_spectral": Case(spectral_norm=True, resolution=128),
}


def random_state_dict(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Returns a state dict of float32 arrays that depend only on their keys and shapes.

    They come from `RandomState`, whose stream is the same in every version of NumPy.
    """
    state, spectral = {}, any(key.endswith("_orig") for key in shapes)
    for key, shape in shapes.items():
        draw = np.random.RandomState(zlib.crc32(key.encode()))
        if len(shape) > 1:
            fan = np.prod(shape[1:]) if "upConv" not in key else shape[0] * np.prod(shape[2:]) / 8
            # Small logits: large ones amplify rounding errors in any implementation.
            scale = 0.1 if "query" in key or "key" in key else 1.0
            value = draw.normal(0, scale * fan**-0.5, shape)
        elif key.endswith("running_var"):
            # Outputs should be neither flat nor saturated.
            value = draw.uniform(*((0.05, 0.3) if spectral else (0.5, 3.0)), shape)
        elif key.endswith("num_batches_tracked"):
            value = np.zeros(shape)
        else:
            offset = 1.0 if "BN" in key and key.endswith("weight") else 0.0
            value = offset + draw.uniform(-0.3, 0.3, shape)
        state[key] = value.astype("float32")
    for key in [key for key in state if key.endswith("_orig")]:
        name = key.removesuffix("orig")
        kernel = state[key].astype("float64")
        kernel = np.moveaxis(kernel, 1, 0) if "upConv" in key else kernel
        u, _, vt = np.linalg.svd(kernel.reshape(len(kernel), -1), full_matrices=False)
        # Close to the singular vectors, as after some training, and of unit length.
        for vector, exact in (("u", u[:, 0] * np.sign(vt[0, 0])), ("v", vt[0] * np.sign(vt[0, 0]))):
            near = exact + 0.2 * state[name + vector] * np.abs(exact).mean()
            state[name + vector] = (near / np.linalg.norm(near)).astype("float32")
    return state


def random_inputs(case: Case) -> np.ndarray:
    """Returns clips or images in [-1, 1] that differ, float64 values that float32 represents."""
    inputs = np.random.RandomState(1).uniform(-1, 1, case.input_shape).astype("float32")
    offsets = np.linspace(-0.5, 0.5, len(inputs), dtype="float32")
    return (inputs / 2 + offsets.reshape(-1, *[1] * (inputs.ndim - 1))).astype("float64")


def digest(result: np.ndarray) -> np.ndarray:
    """Returns a sample of an array's values, and sums with different random weights."""
    flat = np.ravel(np.asarray(result, "float64"))
    draw = np.random.RandomState(2)
    values = flat[draw.randint(flat.size, size=VALUES)]
    sums = [np.mean(flat * draw.uniform(-1, 1, flat.size)) for _ in range(SUMS)]
    return np.concatenate([values, sums])


def state_digest(state: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns a sum of each array that a training pass updates, in the order of their keys.

    Moving variances are left out: PyTorch's are unbiased (divided by N - 1), Keras' are not.
    """
    moving = ("running_mean", "_u", "_v")
    return np.array([digest(state[key])[-1] for key in sorted(state) if key.endswith(moving)])


def read(name: str) -> tuple[dict[str, tuple[int, ...]], dict[str, np.ndarray]]:
    """Reads a case's reference: the shapes of its state dict, and digests of its outputs."""
    stored = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    shapes = {key: tuple(shape) for key, shape in stored.pop("shapes").items()}
    return shapes, {result: np.array(numbers) for result, numbers in stored.items()}


def main() -> None:
    import torch

    from benchmarks import plain_torch

    FOLDER.mkdir(exist_ok=True)
    for name, case in CASES.items():
        if case.variant is None:
            network = plain_torch.Discriminator(case.resolution, 2, case.spectral_norm)
        else:
            variant = plain_torch.Variant(**case.variant, spectral_norm=case.spectral_norm)
            network = plain_torch.Generator(case.resolution, 1, variant=variant)
        shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
        state = random_state_dict(shapes)
        network.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
        network.double()
        inputs = torch.tensor(np.moveaxis(random_inputs(case), -1, 1))
        results: dict[str, Any] = {}
        for mode in ("inference", "training"):
            with torch.no_grad():
                result = network.train(mode == "training")(inputs).numpy()
            results[mode] = digest(np.moveaxis(result, 1, -1)).tolist()
        after = {key: value.numpy() for key, value in network.state_dict().items()}
        results |= {"state": state_digest(after).tolist(), "shapes": shapes}
        path = FOLDER / f"{name}.json"
        path.write_text(json.dumps(results), encoding="utf-8")
        print(f"{name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
