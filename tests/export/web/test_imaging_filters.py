"""Filters, sampling and statistics of the web page against OpenCV and NumPy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.export.web.javascript import Node, start_node

node = pytest.fixture(scope="module")(start_node)

BORDERS = {
    "reflect101": cv2.BORDER_REFLECT_101,
    "reflect": cv2.BORDER_REFLECT,
    "replicate": cv2.BORDER_REPLICATE,
}
SHAPES = [(24, 33), (9, 1), (1, 6), (1, 1), (7, 12, 3), (5, 40, 2)]


def picture(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    values = np.random.default_rng(0).uniform(0, 255, shape)
    return np.round(values).astype(dtype) if dtype is np.uint8 else values.astype(dtype)


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal if 8-bit, else up to the rounding of sums in float32."""
    assert found.dtype == expected.dtype
    expected = expected.reshape(found.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=found.dtype.kind == "f" and 2e-4)


@pytest.mark.parametrize("border", BORDERS)
def test_gaussian(node: Node, border: str) -> None:
    for shape in SHAPES:
        source = picture(shape, np.float32)
        for sigma, sigma_y, side in [
            (0.3, 0.3, 0),
            (1, 1, 0),
            (4, 2.5, 0),
            (0.01, 1.5, 0),
            (0, 0, 5),
            (0.5, 0.5, 3),
        ]:
            found = node("imaging/filters.js", "gaussianBlur", source, sigma, sigma_y, border, side)
            expected = cv2.GaussianBlur(
                source, (side, side), sigma, sigmaY=sigma_y, borderType=BORDERS[border]
            )
            assert_same(found, expected)


@pytest.mark.parametrize("border", BORDERS)
def test_blur(node: Node, border: str) -> None:
    for shape in SHAPES:
        source = picture(shape, np.float32)
        for side in (1, 3, 11):
            expected = cv2.blur(source, (side, side), borderType=BORDERS[border])
            assert_same(node("imaging/filters.js", "blur", source, side, border), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_sobel(node: Node, dtype: type) -> None:
    for shape in SHAPES:
        source = picture(shape, dtype)
        for axis in ((1, 0), (0, 1)):
            for scale in (1, 1 / 8):
                expected = cv2.Sobel(source, cv2.CV_32F, *axis, scale=scale)
                assert_same(node("imaging/filters.js", "sobel", source, *axis, scale), expected)


@pytest.mark.parametrize("border", ["reflect", "replicate"])
def test_remap(node: Node, border: str) -> None:
    rng = np.random.default_rng(1)
    for shape in SHAPES:
        source = picture(shape, np.float32)
        # In 32nds of a pixel, to which some versions of OpenCV round.
        x, y = (
            rng.integers(-8 * 32, (size + 8) * 32, (15, 10)).astype(np.float32) / 32
            for size in (source.shape[1], source.shape[0])
        )
        found = node("imaging/remap.js", "remap", source, x, y, border)
        expected = cv2.remap(source, x, y, cv2.INTER_LINEAR, borderMode=BORDERS[border])
        assert_same(found, expected)


def test_remap_between_32nds(node: Node) -> None:
    y, x = np.mgrid[:20, :30].astype(np.float32)
    found = node("imaging/remap.js", "remap", x, x * 0.413, y * 0.371, "replicate")
    np.testing.assert_allclose(found, x * 0.413, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_statistics(node: Node, dtype: type) -> None:
    for number in (1, 2, 7, 64):
        values = picture((number,), dtype)
        assert node("imaging/statistics.js", "median", values) == np.median(values)
        for rank in (0, 25, 85, 90.5, 100):
            found = node("imaging/statistics.js", "percentile", values, rank)
            assert found == np.percentile(values, rank)


def test_the_weighted_median_is_where_half_of_the_weights_is_reached(node: Node) -> None:
    values, weights = np.array([5.0, 1, 3, 2]), np.array([0.1, 0.3, 0.35, 0.25])
    assert node("imaging/statistics.js", "weightedMedian", values, weights) == 2
