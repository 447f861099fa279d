from __future__ import annotations

import keras
import numpy as np
import pytest

import ssagan_tf
from ssagan_tf.data.evaluation_clips import open_footage
from ssagan_tf.evaluation.baselines import BASELINES, baseline_systems
from ssagan_tf.evaluation.real_clips import RealClips, sample_indices
from ssagan_tf.evaluation.systems import Generator, clip_of
from ssagan_tf.options import ModelOptions, PrepareOptions
from ssagan_tf.pixels import to_float, to_uint8
from tests.exactness import EPSILON

pytestmark = [pytest.mark.numeric, pytest.mark.slow]

TINY = ModelOptions(resolution=64, base_filters=1, ssa_layers="conv5", spectral_norm=True)


@pytest.fixture(scope="module")
def real(synthetic_set) -> RealClips:
    footage = open_footage(PrepareOptions(source=str(synthetic_set)), "train")
    return RealClips(footage, range(5), (64, 64), "stretch")


@pytest.fixture(scope="module")
def network():
    """A generator whose running statistics differ from those of a batch.

    In float64, so that batches of different sizes give the same float32.
    """
    keras.config.set_dtype_policy("float64")
    generator = ssagan_tf.build_generator(TINY)
    keras.config.set_dtype_policy("float32")
    rng = np.random.default_rng(0)
    for weight in generator.weights:
        if "moving" not in weight.path:
            weight.assign(weight + rng.normal(0, 0.2, weight.shape))
    return generator


def test_baselines(real: RealClips) -> None:
    names = [name for name in BASELINES if not BASELINES[name].needs_truth]  # in test_baselines
    rows = {row.name: row for row in baseline_systems(names, real)}
    assert list(rows) == names
    assert [row.name for row in baseline_systems((), real)] == ["copy_first_frame"]
    positions, clips = next(real.batches(5))
    made = {name: row.clips(positions, clips) for name, row in rows.items()}
    for values in made.values():
        assert values.shape == clips.shape
        assert values.dtype == np.float32
    for name in ("copy_first_frame", "pan", "blur", "constant_wind", "real_motion"):
        np.testing.assert_array_equal(to_uint8(made[name][:, 0]), clips[:, 0])
    np.testing.assert_array_equal(to_uint8(made["copy_first_frame"][:, 31]), clips[:, 0])
    np.testing.assert_array_equal(to_uint8(made["pan"][:, 7, :, 7:]), clips[:, 0, :, :-7])
    error = {name: np.square(values - to_float(clips)).mean() for name, values in made.items()}
    assert error["mean_frame"] == min(error[n] for n in ("mean_frame", "copy_first_frame", "blur"))
    videos = np.array(real.videos)
    others = to_uint8(made["other_clip"])
    for index, other in enumerate(others):
        [match] = [i for i, clip in enumerate(clips) if np.array_equal(clip, other)]
        assert videos[match] != videos[index]


def test_clips_with_running_statistics_do_not_depend_on_the_batch(real, network) -> None:
    system = Generator("g", "path", network, "running", 4)
    positions, clips = next(real.batches(3))
    together = system.clips(positions, clips)
    expected = np.asarray(network(to_float(clips[:, 0]), training=False))
    np.testing.assert_array_equal(together, expected.astype("float32"))
    alone = clip_of(system, real, 1, 4)
    np.testing.assert_allclose(alone, together[1], atol=EPSILON)


def test_batch_statistics(real, network) -> None:
    """In training mode, but updating nothing; the first clips fill up the last batch."""
    before = [weight.numpy() for weight in network.weights]
    system = Generator("g", "path", network, "batch", 3)
    batches = [system.clips(positions, clips) for positions, clips in real.batches(3)]
    for weight, value in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value, err_msg=weight.path)

    photos = np.stack([real.clip(i)[0] for i in (3, 4, 0)])
    expected = np.asarray(network(to_float(photos), training=True))
    for weight, value in zip(network.weights, before, strict=True):
        weight.assign(value)
    np.testing.assert_allclose(batches[1], expected[:2], atol=EPSILON)
    running = np.asarray(network(to_float(photos[:2]), training=False))
    assert np.abs(batches[1] - running).mean() > 0.05
    np.testing.assert_allclose(clip_of(system, real, 4, 3), batches[1][1], atol=EPSILON)


def test_sample_indices() -> None:
    some = sample_indices(50, 10, seed=3)
    assert some == sorted(set(some)) == sample_indices(50, 10, seed=3)
    assert some != sample_indices(50, 10, seed=4)
    assert len(some) == 10
    assert sample_indices(50, 0, 1) == sample_indices(50, 60, 1) == list(range(50))
