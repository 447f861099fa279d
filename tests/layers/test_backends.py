"""The layers and networks on Keras' other backends, each in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.numeric

COMMON = """
import numpy as np, keras
import ssagan_tf
from ssagan_tf.layers import BatchNormalization, SpatialSelfAttention
from ssagan_tf.layers.blocked_attention import spatial_attention, spatial_attention_naive
from ssagan_tf.layers.convolution import plain_convolutions
from ssagan_tf.options import ModelOptions

numbers = np.random.default_rng(0)
qkv = [numbers.standard_normal((2, 3, 24, 24, 4)).astype("float32") for _ in range(3)]
ways = [spatial_attention_naive, spatial_attention, lambda *a: spatial_attention(*a, memory=1)]

generator = ssagan_tf.build_generator(ModelOptions(resolution=64, base_filters=2))
image = numbers.uniform(-1, 1, (2, 64, 64, 3)).astype("float32")
clips = [
    keras.ops.convert_to_numpy(generator(image, training=False, static_clip=static))
    for static in (True, False)
]
with plain_convolutions():
    clips.append(keras.ops.convert_to_numpy(generator(image, training=False)))
for other in clips[1:]:
    np.testing.assert_allclose(clips[0], other, atol=1e-5)

half = np.arange(576) < 288
for memory in (256, 1):
    layer = SpatialSelfAttention(gate="none", memory=memory)
    masked = layer(qkv[0], attention_mask=np.stack([half, half]))
    inner = layer(qkv[0][:, :, :12])
    np.testing.assert_allclose(
        *(keras.ops.convert_to_numpy(x)[:, :, :12] for x in (masked, inner)), atol=1e-4
    )
"""
GRADIENTS = {
    "jax": """
import jax

def derivatives(norm):
    slope = jax.grad(lambda x: (norm(x) ** 3).sum())
    return [slope(qkv[0]), jax.grad(lambda x: (slope(x) ** 2).sum())(qkv[0])]

def gradients(attend):
    loss = lambda *qkv: (attend(*qkv) ** 2).sum()
    return jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(*qkv)

def of_network(static):
    def loss(trained, state):
        clip, _ = generator.stateless_call(trained, state, image, training=True, static_clip=static)
        return (clip**2).mean()

    weights = generator.trainable_variables, generator.non_trainable_variables
    return jax.grad(loss)(*([w.value for w in some] for some in weights))

both = of_network(True), of_network(False)
largest = max(float(abs(gradient).max()) for gradient in both[0])
for one, other in zip(*both):
    np.testing.assert_allclose(one, other, atol=1e-4 * largest)

clip, losses = qkv[0], []
for jit in (True, False):  # in blocks
    keras.utils.set_random_seed(0)
    inputs = keras.Input(clip.shape[1:])
    layer = SpatialSelfAttention(gate="projected", memory=1)
    model = keras.Model(inputs, layer(inputs))
    model.compile("sgd", "mse", jit_compile=jit)
    losses.append(model.fit(clip, clip**2, epochs=2, verbose=0).history["loss"])
np.testing.assert_allclose(*losses, rtol=1e-4)
assert jax.grad(lambda clip: layer(clip).sum())(clip[:0]).shape == (0, *clip.shape[1:])
""",
    "torch": """
import torch

def derivatives(norm):
    x = torch.tensor(qkv[0], requires_grad=True)
    [slope] = torch.autograd.grad((norm(x) ** 3).sum(), x, create_graph=True)
    (slope**2).sum().backward()
    return [slope.detach(), x.grad]

def gradients(attend):
    tensors = [torch.tensor(x, requires_grad=True) for x in qkv]
    attend(*tensors).pow(2).sum().backward()
    return [tensor.grad.numpy() for tensor in tensors]
""",
}
COMPARED = """
layer = BatchNormalization()
layer.build(qkv[0].shape)

def by_formula(x):
    centred = x - x.mean((0, 1, 2, 3))
    return centred / ((centred**2).mean((0, 1, 2, 3)) + 1e-5) ** 0.5

def ours(x):
    return layer(x, training=True, update=False)

for one, other in zip(derivatives(ours), derivatives(by_formula)):
    np.testing.assert_allclose(one, other, atol=1e-4 * float(abs(other).max()))

plain, *others = [gradients(attend) for attend in ways]
for other in others:
    for one, another in zip(plain, other):
        np.testing.assert_allclose(one, another, atol=1e-4)
"""


@pytest.mark.parametrize("backend", GRADIENTS)
def test_values_and_gradients(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    run = subprocess.run(
        [sys.executable, "-c", COMMON + GRADIENTS[backend] + COMPARED],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
