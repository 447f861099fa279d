"""What every registered network must do, and the paper's table and counts."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

import ssagan_tf
from ssagan_tf import models
from ssagan_tf.models import table1
from ssagan_tf.options import ModelOptions, OptionError

SMALL = ModelOptions(resolution=64, base_filters=2)
VARIANTS = {
    "plain": SMALL,
    "add": dataclasses.replace(SMALL, skips="add"),
    "none": dataclasses.replace(SMALL, ssa_gate="none", ssa_ratio=0.5),
    "projected": dataclasses.replace(SMALL, ssa_gate="projected"),
    "spectral": dataclasses.replace(SMALL, spectral_norm=True, ssa_layers="none"),
    "chosen": dataclasses.replace(SMALL, ssa_layers="conv3,deconv2"),
    "128": ModelOptions(resolution=128, base_filters=2, ssa_layers="conv2,deconv3"),
    "256": ModelOptions(resolution=256, base_filters=2, ssa_layers="conv4,deconv2"),
}
every_variant = pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
every_network = pytest.mark.parametrize("name", models.REGISTRY)


def photos(options: ModelOptions, number: int = 2) -> np.ndarray:
    side = options.resolution
    return np.random.default_rng(0).uniform(-1, 1, (number, side, side, 3)).astype("float32")


def parameters(model: keras.Model) -> int:
    """Trainable ones, as PyTorch counts them: without moving statistics."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@every_network
@every_variant
def test_shapes_and_keras_round_trip(name: str, options: ModelOptions, tmp_path) -> None:
    options = dataclasses.replace(options, network=name)
    generator, discriminator = (
        ssagan_tf.build_generator(options),
        ssagan_tf.build_discriminator(options),
    )
    images = photos(options, 2 if options.resolution == 64 else 1)
    # Moving statistics and power iterations move: what is saved is not what is built.
    clips = generator(images, training=True)
    assert tuple(clips.shape) == (len(images), 32, options.resolution, options.resolution, 3)
    assert np.abs(clips).max() <= 1
    scores = discriminator(clips, training=True)
    assert tuple(scores.shape) == (len(images), 1)
    for network, inputs in ((generator, images), (discriminator, clips)):
        assert tuple(network.compute_output_shape(inputs.shape)) == tuple(network(inputs).shape)
        network.save(tmp_path / "network.keras")
        again = keras.models.load_model(tmp_path / "network.keras")
        assert again.options == options
        np.testing.assert_array_equal(again(inputs), network(inputs))


@every_network
def test_any_batch_gives_the_same_clips(name: str) -> None:
    generator = ssagan_tf.build_generator(dataclasses.replace(SMALL, network=name))
    images = photos(SMALL, 3)
    together = generator(images)
    for index in range(3):
        np.testing.assert_allclose(
            generator(images[index : index + 1])[0], together[index], atol=1e-5
        )


@every_network
def test_wrong_input_is_refused(name: str) -> None:
    options = dataclasses.replace(SMALL, network=name)
    for network in (ssagan_tf.build_generator(options), ssagan_tf.build_discriminator(options)):
        with pytest.raises(ValueError, match="64, 64, 3"):
            network(photos(VARIANTS["128"]))


def test_unknown_network() -> None:
    with pytest.raises(OptionError, match="must be one of ssagan"):
        ssagan_tf.build_generator(ModelOptions(network="nothing"))


@pytest.mark.parametrize(
    ("changes", "generator", "discriminator"),
    [
        ({}, 52_319_370, 11_164_032),
        ({"resolution": 64}, 51_942_664, 11_040_512),
        ({"ssa_gate": "none"}, 52_319_360, 11_164_032),
        ({"ssa_gate": "projected"}, 53_023_680, 11_164_032),
        ({"skips": "add", "ssa_layers": "none"}, 39_072_576, 11_164_032),
    ],
)
def test_parameter_counts(changes: dict, generator: int, discriminator: int) -> None:
    options = ModelOptions(**changes)
    assert parameters(ssagan_tf.build_generator(options)) == generator
    assert parameters(ssagan_tf.build_discriminator(options)) == discriminator


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
    generator(image)
    return shapes


def test_table_1(monkeypatch) -> None:
    options = ModelOptions(ssa_layers="none")
    shapes = layer_outputs(ssagan_tf.build_generator(options), photos(options, 1), monkeypatch)
    assert shapes == {name: (t, side, side, c) for name, t, side, c in TABLE_1}


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


def test_normalisation_and_activations_are_where_the_paper_has_them() -> None:
    for resolution, first in ((64, "conv2"), (128, "conv1")):
        options = ModelOptions(resolution=resolution, base_filters=2)
        generator = ssagan_tf.build_generator(options)
        for block in (*generator.encoder, *generator.decoder):
            bare = block.name in (first, "conv6", generator.decoder[-1].name)
            assert (block.batch_norm is None) == bare
            config = block.get_config()
            transposed = block.name.startswith("deconv")
            active = "relu" if transposed else "leaky_relu"
            assert config["activation"] == (None if bare else active)
        for block in ssagan_tf.build_discriminator(options).features:
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


def test_unknown_layer() -> None:
    with pytest.raises(OptionError, match="there is no conv1 at resolution 64"):
        ssagan_tf.build_generator(ModelOptions(resolution=64, ssa_layers="conv1"))


def test_order_of_joined_features(monkeypatch) -> None:
    # At the innermost level the encoder's features come first, at the others the decoder's.
    generator = ssagan_tf.build_generator(SMALL)
    seen = {}
    for block in (*generator.encoder, *generator.decoder):

        def call(x, block=block, original=block.call, **kwargs):
            seen[block.name] = (np.asarray(x), np.asarray(original(x, **kwargs)))
            return original(x, **kwargs)

        monkeypatch.setattr(block, "call", call)
    generator(photos(SMALL, 1))
    for number in range(2, 6):
        encoded, decoded = seen[f"conv{7 - number}"][1], seen[f"deconv{number - 1}"][1]
        assert (encoded != decoded).any()
        pair = [encoded, decoded] if number == 2 else [decoded, encoded]
        np.testing.assert_array_equal(seen[f"deconv{number}"][0], np.concatenate(pair, -1))
