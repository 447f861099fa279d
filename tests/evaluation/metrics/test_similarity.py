from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from ssagan_tf.evaluation.metrics import similarity
from ssagan_tf.evaluation.metrics.metric import Clip, Pair
from ssagan_tf.evaluation.protocols import PAPER, PROTOCOLS, STANDARD, EvaluationProtocol
from ssagan_tf.pixels import to_float


@pytest.fixture
def pair(noise) -> tuple[np.ndarray, np.ndarray]:
    """A real clip, uint8, and a similar one, floats with values beyond [-1, 1]."""
    real = noise(3, 40, 56, 3)
    fake = to_float(real) + np.random.default_rng(1).normal(0, 0.2, real.shape).astype("float32")
    return real, fake


def measured(
    real: np.ndarray, fake: np.ndarray, protocol: EvaluationProtocol
) -> dict[str, np.ndarray]:
    pair = Pair(Clip(real, protocol), Clip(fake, protocol))
    return {metric.name: metric.compute(pair) for metric in similarity.METRICS}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_equal_to_scikit_image(name: str, pair) -> None:
    real, fake = pair
    found = measured(real, fake, PROTOCOLS[name])
    if name == "paper":
        real, fake, value_range = real / 127.5 - 1, fake.astype("float64"), 2
    else:
        real, fake, value_range = real / 255, (np.clip(fake.astype("float64"), -1, 1) + 1) / 2, 1
    for t in range(3):
        one = real[t], fake[t]
        # The fake is float32, as networks make it; to_float rounds the real one to it as well.
        assert found["mse"][t] == pytest.approx(mean_squared_error(*one), rel=1e-6)
        psnr = peak_signal_noise_ratio(*one, data_range=value_range)
        assert found["psnr"][t] == pytest.approx(psnr, abs=1e-5)
        ssim = structural_similarity(*one, channel_axis=-1, data_range=value_range)
        assert found["ssim"][t] == pytest.approx(ssim, abs=1e-7)


@pytest.mark.parametrize("size", [(7, 7), (7, 9), (16, 8)])
def test_ssim_of_small_frames(size) -> None:
    draw = np.random.default_rng(2)
    real, fake = draw.uniform(-1, 1, (2, 1, *size, 3))
    expected = structural_similarity(real[0], fake[0], channel_axis=-1, data_range=2)
    assert similarity.structural_similarity(real, fake, 2.0)[0] == pytest.approx(
        expected, abs=1e-12
    )
    with pytest.raises(ValueError, match="7×7"):
        similarity.structural_similarity(real[:, :6], fake[:, :6], 2.0)


def test_the_papers_peak_depends_on_the_real_frame() -> None:
    real = np.full((2, 8, 8, 3), 128, np.uint8)  # 0.0039: nothing negative
    real[1, 0, 0, 0] = 0
    fake = np.clip(to_float(real) + 0.1, -1, 1).astype("float32")
    psnr = measured(real, fake, PAPER)["psnr"]
    np.testing.assert_allclose(psnr, [20.0, 20 + 20 * np.log10(2)], atol=1e-4)


def test_equal_frames() -> None:
    real = np.full((2, 8, 8, 3), 9, np.uint8)
    found = measured(real, to_float(real), STANDARD)
    np.testing.assert_array_equal(found["mse"], 0)
    np.testing.assert_array_equal(found["psnr"], np.inf)
    np.testing.assert_allclose(found["ssim"], 1)
