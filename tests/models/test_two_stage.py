from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import ssagan_tf
from ssagan_tf import generate, video
from ssagan_tf.errors import DataError
from ssagan_tf.models import Network, TwoStage
from ssagan_tf.models.loading import load_generator, load_network
from ssagan_tf.options import ComputeOptions, GenerateOptions, ModelOptions
from tests.models.plain import noise, varied

pytestmark = pytest.mark.numeric

FIRST = ModelOptions(network="mdgan_stage1", resolution=64, base_filters=1)
SECOND = dataclasses.replace(FIRST, network="mdgan_stage2")


def make(network: ModelOptions = SECOND, first: ModelOptions = FIRST) -> TwoStage:
    both = (varied(ssagan_tf.build_generator(options)) for options in (first, network))
    joined = TwoStage(*both, name="generator")
    joined.build_variables()
    return joined


def test_the_second_reads_the_clips_of_the_first() -> None:
    joined, image = make(), noise(2, 64, 64, 3)
    assert joined.input_axes == (64, 64, 3)
    expected = joined.second(joined.first(image))
    assert np.abs(expected - joined.first(image)).max() > 0.1
    np.testing.assert_array_equal(joined(image), expected)
    assert joined.compute_output_shape(image.shape) == tuple(expected.shape)


def test_the_first_is_frozen_and_in_inference_mode() -> None:
    joined, image = make(), noise(2, 64, 64, 3)
    second = [weight.path for weight in joined.second.trainable_weights]
    assert [weight.path for weight in joined.trainable_weights] == second
    before = joined.first.get_weights()
    moving = [np.array(weight) for weight in joined.second.non_trainable_weights]
    clip = joined(image, training=True)
    expected = make().second(joined.first(image), training=True)
    np.testing.assert_array_equal(clip, expected)
    for one, other in zip(before, joined.first.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    after = joined.second.non_trainable_weights
    assert all((one != other).any() for one, other in zip(moving, after, strict=True))


@pytest.mark.slow
def test_one_file_holds_both(tmp_path) -> None:
    options = dataclasses.replace(SECOND, network="ssagan_stage2", ssa_ratio=0.5)
    joined, image = make(options), noise(1, 64, 64, 3)
    joined.save(tmp_path / "both.keras")
    again = keras.models.load_model(tmp_path / "both.keras")
    assert (again.first.options, again.second.options) == (FIRST, options)
    np.testing.assert_array_equal(again(image), joined(image))
    compute = ComputeOptions(precision="mixed_bfloat16", attention_memory=64)
    mixed = load_generator(tmp_path / "both.keras", compute)
    for stage in mixed.stages():
        assert stage.compute == compute
        assert stage.dtype_policy.name == compute.precision
    for one, other in zip(mixed.get_weights(), joined.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_generate_makes_videos_with_it(tmp_path) -> None:
    make().save(tmp_path / "both.keras")
    photo = (127.5 * (noise(64, 64, 3) + 1)).astype("uint8")
    Image.fromarray(photo).save(tmp_path / "photo.png")
    options = GenerateOptions(
        model=str(tmp_path / "both.keras"),
        image=(str(tmp_path / "photo.png"),),
        output=str(tmp_path / "frames"),
    )
    generate.generate(options, ComputeOptions())
    frames = [video.read_image(path) for path in sorted((tmp_path / "frames").iterdir())]
    expected = np.asarray(make()((photo / np.float32(127.5) - 1)[None])[0])
    np.testing.assert_allclose(np.stack(frames) / 127.5 - 1, expected, atol=0.005)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (SECOND, SECOND, "mdgan_stage2 takes clips, a first stage takes images"),
        (FIRST, FIRST, "mdgan_stage1 at resolution 64 is no second stage"),
        (
            FIRST,
            dataclasses.replace(SECOND, resolution=128),
            "mdgan_stage2 at resolution 128 is no second stage for mdgan_stage1 at resolution 64",
        ),
    ],
)
def test_stages_that_do_not_go_together(first, second, message) -> None:
    with pytest.raises(ValueError, match=message):
        make(second, first)


def test_a_discriminator_is_no_second_stage() -> None:
    with pytest.raises(ValueError, match="no second stage"):
        TwoStage(ssagan_tf.build_generator(FIRST), ssagan_tf.build_discriminator(FIRST))


def test_files_that_hold_something_else(tmp_path) -> None:
    path = tmp_path / "network.keras"
    with pytest.raises(DataError, match="not found"):
        load_network(path)
    path.write_bytes(b"not a model")
    with pytest.raises(DataError, match=r"cannot load .*network\.keras"):
        load_network(path)
    ssagan_tf.build_generator(SECOND).save(path)
    assert isinstance(load_network(path), Network)
    with pytest.raises(DataError, match="UNet takes clips"):
        load_generator(path)
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save(path)
    with pytest.raises(DataError, match="has no generator or discriminator"):
        load_network(path)


def test_gradients_reach_the_second_only() -> None:
    joined = make()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(joined(noise(1, 64, 64, 3), training=True)))
    gradients = tape.gradient(loss, [weight.value for weight in joined.trainable_weights])
    assert all(gradient is not None for gradient in gradients)
