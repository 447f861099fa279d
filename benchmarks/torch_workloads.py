"""Workloads of the plain PyTorch implementation, eager, as it is commonly run."""

from __future__ import annotations

from functools import partial

from benchmarks.cases import Case
from benchmarks.plain_torch import (
    FRAMES,
    Discriminator,
    Generator,
    SpatialSelfAttention,
    adam,
    autocast,
    fused_attention,
    naive_attention,
    torch,
    training_step,
)
from benchmarks.workload import Workload, matrix_products

GAMMA = 0.5  # as in tensorflow_workloads


def prepare(case: Case) -> dict[str, Workload]:
    """Builds the workload of a case by its name; for `matmul`, several."""
    torch.manual_seed(0)
    if case.work == "matmul":
        return _matmul(case)
    if case.work == "attention":
        return {case.implementation: _attention(case)}
    if case.work == "generator":
        return {case.implementation: _generator(case)}
    return {case.implementation: _step(case)}


def _matmul(case: Case) -> dict[str, Workload]:
    dtype = getattr(torch, case.precision)
    return {
        name: Workload(
            partial(torch.matmul, torch.randn(first).to(dtype), torch.randn(second).to(dtype)),
            operations=operations,
        )
        for name, (operations, first, second) in matrix_products(
            case.positions, case.channels
        ).items()
    }


def _attention(case: Case) -> Workload:
    features = case.frames * case.channels
    shape = (case.batch, features, case.positions)
    dtype = getattr(torch, case.precision)
    query, key, value = (torch.randn(shape, dtype=dtype) for _ in range(3))
    query, key = (x * features**-0.25 for x in (query, key))  # logits of variance 1
    attend = naive_attention if case.variant == "naive" else fused_attention
    arguments = (query, key, value)

    def forward() -> None:
        with torch.inference_mode():
            attend(*arguments)

    def gradients() -> None:
        for argument in arguments:
            argument.grad = None
        attend(*arguments).square().sum().backward()

    for argument in arguments:
        argument.requires_grad_(case.mode == "gradients")
    return Workload(forward if case.mode == "forward" else gradients)


def _generator(case: Case) -> Workload:
    generator = _with_gamma(Generator(case.resolution, case.base_filters, case.variant))
    generator.train(case.mode == "gradients")
    image = torch.rand(case.batch, 3, case.resolution, case.resolution) * 2 - 1

    def forward() -> None:
        with torch.inference_mode(), autocast(case.precision):
            generator(image)

    def gradients() -> None:
        generator.zero_grad(set_to_none=True)
        with autocast(case.precision):
            clip = generator(image)
        clip.float().square().mean().backward()

    return Workload(forward if case.mode == "forward" else gradients)


def _step(case: Case) -> Workload:
    generator = _with_gamma(Generator(case.resolution, case.base_filters, case.variant)).train()
    discriminator = Discriminator(case.resolution, case.base_filters).train()
    optimizers = adam(generator), adam(discriminator)
    shape = (case.batch, case.updates, 3, FRAMES, case.resolution, case.resolution)
    clips = torch.randint(0, 256, shape, dtype=torch.uint8)

    def run(clips: torch.Tensor) -> None:
        training_step(generator, discriminator, *optimizers, clips, case.precision)

    # After one update of each network every operation has run once.
    return Workload(lambda: run(clips), warm_up=lambda: run(clips[:, :1]))


def _with_gamma(network: Generator) -> Generator:
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, SpatialSelfAttention):
                module.gamma.fill_(GAMMA)
    return network
