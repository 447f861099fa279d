"""Requirements on every registered network, and Table 1 and the paper's parameter counts."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import get_args, get_type_hints

import keras
import numpy as np
import pytest
import tensorflow as tf

import ssagan_tf
from ssagan_tf import models
from ssagan_tf.layers.gates import GATES
from ssagan_tf.models import table1
from ssagan_tf.options import ComputeOptions, ModelOptions, OptionError
from tests.exactness import (
    assert_as_good,
    assert_exact,
    assert_rounded,
    in_float64,
    rounding_response,
)

pytestmark = pytest.mark.numeric

SMALL = ModelOptions(resolution=64, base_filters=1)
VARIANTS = {
    "plain": SMALL,
    "add": dataclasses.replace(SMALL, skips="add"),
    "none": dataclasses.replace(SMALL, ssa_gate="none", ssa_ratio=0.5),
    "projected": dataclasses.replace(SMALL, ssa_gate="projected"),
    "spectral": dataclasses.replace(SMALL, spectral_norm=True, ssa_layers="none"),
    "chosen": dataclasses.replace(SMALL, ssa_layers="conv3,deconv2"),
    "128": ModelOptions(resolution=128, base_filters=1, ssa_layers="conv2,deconv3"),
    "256": ModelOptions(resolution=256, base_filters=2, ssa_layers="conv4,deconv2"),
}
NETWORKS = {
    name: ModelOptions(network=name, resolution=64, base_filters=1) for name in models.REGISTRY
}
BASELINES = [name for name, spec in models.REGISTRY.items() if not spec.variants]
every_network = pytest.mark.parametrize("options", NETWORKS.values(), ids=NETWORKS)


def photos(options: ModelOptions, number: int = 2) -> np.ndarray:
    side = options.resolution
    return noise(number, side, side, 3)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


def parameters(model: keras.Model) -> int:
    """Trainable ones, as PyTorch counts them: without moving statistics."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


EVERY = {**VARIANTS, **{name: NETWORKS[name] for name in NETWORKS if name != "ssagan"}}

# Networks that several tests read and none alters: building one takes as long as using it.
shared_generator = functools.cache(ssagan_tf.build_generator)
shared_discriminator = functools.cache(ssagan_tf.build_discriminator)


@pytest.mark.parametrize("options", EVERY.values(), ids=EVERY)
@pytest.mark.slow
def test_shapes_and_keras_round_trip(options: ModelOptions, tmp_path) -> None:
    generator, discriminator = (
        ssagan_tf.build_generator(options),
        ssagan_tf.build_discriminator(options),
    )
    assert (len(generator.input_axes) == 4) == models.REGISTRY[options.network].takes_clip
    number = 2 if options.resolution == 64 else 1
    images = noise(number, *generator.input_axes)
    # Updates moving statistics and power iterations, so that saved and initial values differ.
    clips = generator(images, training=True)
    assert tuple(clips.shape) == (len(images), 32, options.resolution, options.resolution, 3)
    assert np.abs(clips).max() <= 1
    scores = discriminator(clips, training=True)
    assert tuple(scores.shape) == (len(images), 1)
    for network, inputs in ((generator, images), (discriminator, clips)):
        expected = network(inputs)
        assert tuple(network.compute_output_shape(inputs.shape)) == tuple(expected.shape)
        network.save(tmp_path / "network.keras")
        again = keras.models.load_model(tmp_path / "network.keras")
        assert again.options == options
        np.testing.assert_array_equal(again(inputs), expected)


@every_network
@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_clips_do_not_depend_on_the_batch(options: ModelOptions) -> None:
    generator = ssagan_tf.build_generator(options)
    images = noise(2, *generator.input_axes)
    together = generator(images)
    for index in range(2):
        alone = generator(images[index : index + 1])
        assert_exact([alone[0]], [together[index]])


@pytest.mark.parametrize(
    "options",
    [
        dataclasses.replace(VARIANTS["projected"], spectral_norm=True),
        *(pytest.param(NETWORKS[name], marks=pytest.mark.long) for name in BASELINES),
    ],
    ids=["unet", *BASELINES],
)
@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_float64_is_float64(options: ModelOptions) -> None:
    """No value is cast to another float type, in the forward pass or in the gradient."""
    generator, discriminator = (
        ssagan_tf.build_generator(options),
        ssagan_tf.build_discriminator(options),
    )
    variables = generator.trainable_weights + discriminator.trainable_weights

    @tf.function(autograph=False)
    def run(inputs: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            clip = generator(inputs, training=True)
            loss = tf.reduce_mean(discriminator(clip, training=True)) + tf.reduce_mean(clip**2)
        still = generator(inputs, training=False)
        return [still, *tape.gradient(loss, [weight.value for weight in variables])]

    assert {weight.dtype for weight in generator.weights + discriminator.weights} == {"float64"}
    graph = run.get_concrete_function(tf.TensorSpec((2, *generator.input_axes), "float64")).graph
    other = {
        f"{operation.type} {operation.name}"
        for operation in graph.get_operations()
        for tensor in operation.outputs
        if tensor.dtype.is_floating and tensor.dtype != "float64" and tensor.consumers()
    }
    assert not other


@pytest.mark.parametrize("floatx", ["float16", "float64"])
def test_floatx_has_no_effect(floatx: str, monkeypatch) -> None:
    policy = keras.config.dtype_policy()
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)  # what Keras makes of it
    try:
        generator = ssagan_tf.build_generator(SMALL)
        assert {weight.dtype for weight in generator.weights} == {"float32"}
        assert generator(noise(1, 64, 64, 3)).dtype == "float32"
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy(policy)


@every_network
def test_wrong_input_is_refused(options: ModelOptions) -> None:
    for network in (shared_generator(options), shared_discriminator(options)):
        with pytest.raises(ValueError, match="64, 64, 3"):
            network(photos(VARIANTS["128"]))


def test_options_name_every_network_and_gate() -> None:
    """`options` does not import the networks, so this checks what it says about them."""
    fields = {field.name: field for field in dataclasses.fields(ModelOptions)}
    named = re.findall(r"\w+", fields["network"].metadata["help"])
    assert set(models.REGISTRY) <= set(named)
    assert get_args(get_type_hints(ModelOptions)["ssa_gate"]) == tuple(GATES)


def test_unknown_network() -> None:
    with pytest.raises(OptionError, match="must be one of ssagan"):
        ssagan_tf.build_generator(ModelOptions(network="nothing"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 52_319_370),
        ({"resolution": 64}, 51_942_664),
        ({"ssa_gate": "none"}, 52_319_360),
        ({"ssa_gate": "projected"}, 53_023_680),
        ({"network": "mdgan_stage1"}, 39_072_576),
        ({"network": "mdgan_stage2"}, 39_072_576),
        ({"network": "ssagan_stage2"}, 41_173_642),
        ({"network": "ssagan_stage2", "ssa_ratio": 0.125}, 39_948_026),
        ({"network": "vgan", "resolution": 64}, 68_211_847),
        ({"network": "rnngan", "resolution": 64}, 19_103_363),
    ],
)
@pytest.mark.usefixtures("only_zeros")
def test_parameters_of_generators(changes: dict, expected: int) -> None:
    assert parameters(ssagan_tf.build_generator(ModelOptions(**changes))) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 11_164_032),
        ({"resolution": 64}, 11_040_512),
        ({"network": "vgan", "resolution": 64}, 44_101_249),
        ({"network": "rnngan", "resolution": 64}, 4_315_649),
    ],
)
@pytest.mark.usefixtures("only_zeros")
def test_parameters_of_discriminators(changes: dict, expected: int) -> None:
    assert parameters(ssagan_tf.build_discriminator(ModelOptions(**changes))) == expected


# Table 1 of the paper: name, output (time, side, filters) at 128².
TABLE_1 = [
    ("conv1", 32, 64, 32),
    ("conv2", 16, 32, 64),
    ("conv3", 8, 16, 128),
    ("conv4", 4, 8, 256),
    ("conv5", 2, 4, 512),
    ("conv6", 1, 1, 512),
    ("deconv1", 2, 4, 512),
    ("deconv2", 4, 8, 256),
    ("deconv3", 8, 16, 128),
    ("deconv4", 16, 32, 64),
    ("deconv5", 32, 64, 32),
    ("deconv6", 32, 128, 3),
]


def layer_outputs(generator: keras.Model, image: np.ndarray, monkeypatch) -> dict[str, tuple]:
    shapes = {}
    for block in (*generator.encoder, *generator.decoder):

        def call(*args, block=block, original=block.call, **kwargs):
            output = original(*args, **kwargs)
            shapes[block.name] = tuple(output.shape[1:])
            return output

        monkeypatch.setattr(block, "call", call)
    generator(image, static_clip=False)  # else the encoder carries fewer slices than frames
    return shapes


@pytest.mark.usefixtures("only_zeros")
def test_table_1(monkeypatch) -> None:
    options = ModelOptions(ssa_layers="none")
    shapes = layer_outputs(ssagan_tf.build_generator(options), photos(options, 1), monkeypatch)
    assert shapes == {name: (t, side, side, c) for name, t, side, c in TABLE_1}


@pytest.mark.usefixtures("only_zeros")
def test_64_and_256_follow_the_same_rule(monkeypatch) -> None:
    options = ModelOptions(resolution=64, ssa_layers="none")
    shapes = layer_outputs(ssagan_tf.build_generator(options), photos(options, 1), monkeypatch)
    # The 128² network without conv1 and deconv6; deconv5 writes the picture.
    expected = {name: (t, side, side, c) for name, t, side, c in TABLE_1[1:-2]}
    assert shapes == {**expected, "deconv5": (32, 64, 64, 3)}

    options = ModelOptions(resolution=256, base_filters=4, ssa_layers="none")
    shapes = layer_outputs(ssagan_tf.build_generator(options), photos(options, 1), monkeypatch)
    expected = {name: (t, side, side, c // 8) for name, t, side, c in TABLE_1[:-1]}
    assert shapes == {
        **expected,
        "conv0": (32, 128, 128, 2),
        "deconv6": (32, 128, 128, 2),
        "deconv7": (32, 256, 256, 3),
    }


@pytest.mark.parametrize(("resolution", "modules"), [(64, 8), (128, 10), (256, 12)])
def test_attention_modules(resolution: int, modules: int) -> None:
    generator = ssagan_tf.build_generator(ModelOptions(resolution=resolution, base_filters=4))
    blocks = [*generator.encoder, *generator.decoder]
    with_ssa = [block.name for block in blocks if block.ssa is not None]
    assert len(with_ssa) == modules
    assert {block.name for block in blocks} - set(with_ssa) == {"conv6", blocks[-1].name}
    gammas = [w for w in generator.weights if w.name == "gamma" and w.shape == ()]
    assert len(gammas) == modules
    everywhere = table1.ssa_layers(ModelOptions(resolution=resolution, ssa_layers="all"))
    assert everywhere == {block.name for block in blocks}


def test_attention_everywhere_runs() -> None:
    options = dataclasses.replace(SMALL, ssa_layers="all")
    generator = ssagan_tf.build_generator(options)
    assert np.isfinite(np.asarray(generator(photos(options)))).all()


def test_normalisation_and_activations() -> None:
    for resolution, first in ((64, "conv2"), (128, "conv1")):
        options = ModelOptions(resolution=resolution, base_filters=2)
        generator = shared_generator(options)
        for block in (*generator.encoder, *generator.decoder):
            bare = block.name in (first, "conv6", generator.decoder[-1].name)
            assert (block.batch_norm is None) == bare
            config = block.get_config()
            transposed = block.name.startswith("deconv")
            active = "relu" if transposed else "leaky_relu"
            assert config["activation"] == (None if bare else active)
        for block in shared_discriminator(options).features:
            assert (block.batch_norm is None) == (block.name == first)
            slope = 0.01 if block.name == "conv5" else 0.2
            assert block.get_config()["negative_slope"] == slope


def test_initial_weights() -> None:
    generator = ssagan_tf.build_generator(ModelOptions(resolution=64, base_filters=8))
    for weight in generator.trainable_weights:
        if weight.name == "kernel" and np.prod(weight.shape) > 1000:
            np.testing.assert_allclose(np.std(weight), 0.02, rtol=0.1)
            assert abs(np.mean(weight)) < 0.002
    kernels = [w for w in generator.weights if w.name == "kernel"]
    assert len({float(np.ravel(kernel)[0]) for kernel in kernels}) == len(kernels)


@pytest.mark.parametrize("network", BASELINES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 128}, "resolution=128: {} supports only resolution"),
        ({"skips": "add"}, "skips=add: {} has no such setting"),
        ({"spectral_norm": True}, "spectral_norm=True: {} has no such setting"),
    ],
)
def test_settings_that_a_network_does_not_have(network: str, change: dict, message: str) -> None:
    options = dataclasses.replace(NETWORKS[network], **change)
    for build in (ssagan_tf.build_generator, ssagan_tf.build_discriminator):
        with pytest.raises(OptionError, match=message.format(network)):
            build(options)


def test_unknown_layer() -> None:
    with pytest.raises(OptionError, match="there is no conv1 at resolution 64"):
        ssagan_tf.build_generator(ModelOptions(resolution=64, ssa_layers="conv1"))


def seen_by_layer(generator: keras.Model, monkeypatch) -> dict[str, tuple[list, np.ndarray]]:
    """Returns the inputs and the output of each layer for one input of the network."""
    seen = {}
    for block in (*generator.encoder, *generator.decoder):

        def call(x, block=block, original=block.call, **kwargs):
            parts = [np.asarray(part) for part in (x if isinstance(x, list) else [x])]
            output = original(x, **kwargs)
            seen[block.name] = (parts, np.asarray(output))
            return output

        monkeypatch.setattr(block, "call", call)
    generator(noise(1, *generator.input_axes))
    return seen


def test_order_of_joined_features(monkeypatch) -> None:
    # At the innermost level the encoder's features come first, at the others the decoder's.
    seen = seen_by_layer(ssagan_tf.build_generator(SMALL), monkeypatch)
    for number in range(2, 6):
        encoded, decoded = seen[f"conv{7 - number}"][1], seen[f"deconv{number - 1}"][1]
        assert encoded[0].shape != decoded[0].shape or (encoded != decoded).any()
        pair = [encoded, decoded] if number == 2 else [decoded, encoded]
        parts = seen[f"deconv{number}"][0]
        assert len(parts) == 2
        for part, expected in zip(parts, pair, strict=True):
            np.testing.assert_array_equal(part, expected)
        assert encoded.shape[1] == min(3, decoded.shape[1])  # the slices of a static clip


@pytest.mark.parametrize("network", ["mdgan_stage1", "mdgan_stage2", "ssagan_stage2"])
@pytest.mark.parametrize("resolution", [64, 128])
def test_added_features(network: str, resolution: int, monkeypatch) -> None:
    """Five additive skips (four at 64²); a second stage lacks the two outer ones."""
    options = dataclasses.replace(NETWORKS[network], resolution=resolution)
    seen = seen_by_layer(ssagan_tf.build_generator(options), monkeypatch)
    levels = {64: 4, 128: 5}[resolution]
    for number in range(2, levels + 2):
        encoded, decoded = seen[f"conv{7 - number}"][1], seen[f"deconv{number - 1}"][1]
        [joined] = seen[f"deconv{number}"][0]
        joins = network == "mdgan_stage1" or number <= levels - 1
        if encoded.shape != decoded.shape:  # the slices of a static clip
            middle = np.repeat(encoded[:, 1:2], decoded.shape[1] - 2, axis=1)
            encoded = np.concatenate([encoded[:, :1], middle, encoded[:, 2:]], axis=1)
        assert np.abs(encoded).max() > 0
        np.testing.assert_array_equal(joined, decoded + encoded if joins else decoded)
    clip = seen["conv1" if resolution == 128 else "conv2"][0][0]
    assert clip.shape[1] == (1 if network == "mdgan_stage1" else 32)


@pytest.mark.parametrize("resolution", [64, 128])
def test_features_for_the_ranking_loss(resolution: int) -> None:
    """Of the first and third convolution: conv1 and conv3 at 128², as MD-GAN has it."""
    options = ModelOptions(resolution=resolution, base_filters=2)
    discriminator = ssagan_tf.build_discriminator(options)
    clip = noise(2, 32, resolution, resolution, 3)
    for training in (False, True):
        score, features = discriminator(clip, training=training, features=True)
        shapes = {64: [(16, 32, 4), (4, 8, 16)], 128: [(32, 64, 2), (8, 16, 8)]}[resolution]
        expected = [(2, frames, side, side, filters) for frames, side, filters in shapes]
        assert [tuple(layer.shape) for layer in features] == expected
        np.testing.assert_array_equal(score, discriminator(clip, training=training))
        np.testing.assert_array_equal(
            features[0], discriminator.features[0](clip, training=training)
        )


def alive(options: ModelOptions) -> keras.Model:
    """A generator with float32 weights that matter, the same at each call."""
    generator = ssagan_tf.build_generator(options)
    draws = np.random.default_rng(1)
    for weight in generator.trainable_weights:
        # As initialised, except for weights that start at 0.
        value = {"kernel": 0.02, "gamma": 0.1}.get(weight.name, 0.1) * draws.standard_normal(
            weight.shape
        )
        if weight.name == "gamma":
            value += 1.0 if weight.shape else 0.5
        weight.assign(np.float32(value + 0.1 * draws.standard_normal(weight.shape)))
    for weight in generator.non_trainable_weights:
        if weight.name in "uv":
            value = draws.standard_normal(weight.shape)
            weight.assign(np.float32(value / np.linalg.norm(value)))
    return generator


def both_ways(
    generator: keras.Model,
    images: np.ndarray,
    training: bool,
    ways: tuple = (True, False),
    gradients: bool = True,
) -> list[list]:
    """Clips, state and gradients, with static clips and with all frames."""
    found = []
    start = [np.array(weight) for weight in generator.non_trainable_weights]
    weights = [weight.value for weight in generator.trainable_weights]
    for static_clip in ways:
        for weight, value in zip(generator.non_trainable_weights, start, strict=True):
            weight.assign(value)
        with tf.GradientTape() as tape:
            clips = generator(images, training=training, static_clip=static_clip)
            # Each number weighs differently.
            factors = np.sin(np.arange(np.prod(clips.shape[1:])) % 1009)
            factors = factors.reshape(clips.shape[1:]).astype(clips.dtype.name)
            loss = tf.reduce_mean(clips * factors)
        state = [np.array(weight) for weight in generator.non_trainable_weights]
        found.append([clips, *state, *(tape.gradient(loss, weights) if gradients else [])])
    return found


# One of each thing that a static clip meets: both ways to join, all gates, some layers and all,
# spectral norm, and the outer layers of larger sizes, with which its border grows.
STATIC = {
    "concatenated": dataclasses.replace(
        SMALL, ssa_gate="projected", ssa_ratio=0.5, spectral_norm=True
    ),
    "added": VARIANTS["add"],
    "some": dataclasses.replace(VARIANTS["chosen"], ssa_gate="none"),
    "128": VARIANTS["128"],
    "256": VARIANTS["256"],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [*list(STATIC.values())[:-1], pytest.param(STATIC["256"], marks=pytest.mark.long)],
    ids=STATIC,
)
@pytest.mark.usefixtures("quick_float64")
@pytest.mark.slow
def test_static_clip_changes_nothing(options: ModelOptions) -> None:
    images = photos(options, 2 if options.resolution == 64 else 1)
    generator = alive(options)
    gradients = options.resolution < 256  # which take 10 s there, and are the layers' own
    fast, plain = both_ways(generator, images, training=True, gradients=gradients)
    assert np.std(fast[0]) > 0.05
    assert_exact(fast, plain)
    still = [generator(images, training=False, static_clip=static) for static in (True, False)]
    assert_exact(still[:1], still[1:])


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.slow
@pytest.mark.long
def test_static_clip_in_float32(training: bool) -> None:
    """Compares both ways with float64. In training, batch norm over few values amplifies rounding
    in either way, so that amplification is measured too, for clips and state."""
    images = photos(SMALL)
    generator = alive(SMALL)
    count = 1 + len(generator.non_trainable_weights) if training else None
    fast, plain = (found[:count] for found in both_ways(generator, images, training))
    assert fast[0].dtype == "float32"
    exactly = in_float64(alive(SMALL))

    def run(images: np.ndarray, *weights: np.ndarray) -> list:
        for weight, value in zip(exactly.weights, weights, strict=True):
            weight.assign(value)
        if not training:
            return both_ways(exactly, images, training, ways=(True,))[0]
        return [exactly(images, training=True), *exactly.non_trainable_weights]

    start = [images.astype("float64"), *map(np.array, exactly.weights)]
    slack = rounding_response(run, start, times=2) if training else None
    assert_as_good(fast, plain, run(*start), slack)


RECOMPUTED = ["projected", "spectral", *BASELINES]


@pytest.mark.parametrize("options", [EVERY[name] for name in RECOMPUTED], ids=RECOMPUTED)
def test_every_block_supports_gradient_checkpointing(options: ModelOptions) -> None:
    """All blocks are checkpointed; tests/layers/test_blocks.py tests their results."""
    generator = ssagan_tf.build_generator(options, ComputeOptions(remat=True))
    blocks = [layer for layer in generator._flatten_layers() if hasattr(layer, "frames_after")]
    assert len(blocks) > 8
    assert all(block.get_config()["remat"] for block in blocks)


@every_network
def test_mixed_precision(options: ModelOptions) -> None:
    compute = ComputeOptions(precision="mixed_bfloat16")
    exact, mixed = shared_generator(options), ssagan_tf.build_generator(options, compute)
    mixed.set_weights(exact.get_weights())
    assert all(weight.dtype == "float32" for weight in mixed.weights)
    inputs = noise(1, *exact.input_axes)
    expected, clip = exact(inputs), mixed(inputs)
    assert clip.dtype == "float32"
    assert_rounded(clip, expected, "bfloat16")
    score = ssagan_tf.build_discriminator(options, compute)(clip[:1], training=True)
    assert score.dtype == "float32"
