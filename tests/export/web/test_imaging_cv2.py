"""Resizing, colours, morphology and connected components of the web page against OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from tests.export.web.javascript import Node, start_node

node = pytest.fixture(scope="module")(start_node)

SHAPES = [(31, 45), (1, 20), (20, 1), (1, 1)]


def noise(shape: tuple[int, ...], dtype: Any = np.uint8) -> np.ndarray:
    values = np.random.default_rng(0).uniform(0, 256, shape)
    return values.astype(np.uint8) if dtype is np.uint8 else (values / 256).astype(np.float32)


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal if 8-bit, else up to the rounding of sums in float32."""
    assert found.dtype == expected.dtype
    atol = 0 if found.dtype == np.uint8 else 3e-6
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("method", "dtype"), [("Area", np.float32), ("Area", np.uint8), ("Linear", np.float32)]
)
def test_resizing(node: Node, dtype: Any, method: str) -> None:
    """Smaller by whole, half and odd factors, larger, and larger in one direction only."""
    sizes = [(32, 24), (16, 12), (23, 17), (1, 1), (64, 48), (101, 97), (70, 31), (31, 70)]
    flag = {"Area": cv2.INTER_AREA, "Linear": cv2.INTER_LINEAR}[method]
    for shape in [(48, 64), (48, 64, 3), (1, 9, 3), (9, 1)]:
        source = noise(shape, dtype)
        for size in sizes:
            if dtype is np.uint8 and (size[0] > source.shape[1] or size[1] > source.shape[0]):
                continue  # bytes are only reduced
            found = node("imaging/resize.js", f"resize{method}", source, *size)
            assert_same(found, cv2.resize(source, size, interpolation=flag))


def test_grey(node: Node) -> None:
    source = noise((33, 41, 3))
    found = node("imaging/color.js", "rgbToGray", source)
    assert_same(found, cv2.cvtColor(source, cv2.COLOR_RGB2GRAY))


def test_lab(node: Node) -> None:
    source = noise((64, 65, 3), np.float32) * np.float32(1.2) - np.float32(0.1)
    source[:8] = np.float32(np.round(source[:8]))  # pure colours
    source[8:30] = np.float32(noise((22, 65, 3))) / 255
    found = node("imaging/color.js", "rgbToLab", source)
    errors = np.abs(found - cv2.cvtColor(source, cv2.COLOR_RGB2LAB))
    assert errors.max() <= 1 / 64  # one step of the table
    assert (errors > 1e-5).mean() < 0.002


@pytest.mark.parametrize("operation", ["dilate", "erode", "open", "close"])
def test_morphology_of_rectangles(node: Node, operation: str) -> None:
    code = getattr(cv2, f"MORPH_{operation.upper()}")
    for shape in SHAPES:
        for dtype in (np.uint8, np.float32):
            source = noise(shape, dtype)
            for side in (1, 3, 5, 15):
                found = node("imaging/morphology.js", operation, source, side)
                expected = cv2.morphologyEx(source, code, np.ones((side, side), np.uint8))
                assert_same(found, expected)


def test_morphology_of_ellipses(node: Node) -> None:
    for side in (1, 3, 7, 13, 21):
        expected = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        rows = node("imaging/morphology.js", "ellipse", side)
        np.testing.assert_array_equal(2 * rows + 1, expected.sum(axis=1))
        for operation, code in [("open", cv2.MORPH_OPEN), ("close", cv2.MORPH_CLOSE)]:
            source = noise((31, 45))
            found = node("imaging/morphology.js", operation, source, rows)
            assert_same(found, cv2.morphologyEx(source, code, expected))


@pytest.mark.parametrize("connectivity", [4, 8])
def test_components(node: Node, connectivity: int) -> None:
    """Labels have OpenCV's order, which decides between parts that are equally large."""
    for shape in [*SHAPES, (100, 201)]:
        for share in (0.2, 0.5, 0.7):
            source = np.uint8(noise(shape, np.float32) < share)
            number, labels, stats, centres = cv2.connectedComponentsWithStats(
                source, connectivity=connectivity
            )
            found = node("imaging/components.js", "connectedComponents", source, connectivity)
            assert found["number"] == number
            np.testing.assert_array_equal(found["labels"], labels.ravel())
            names = ("left", "top", "width", "height", "area")
            for label in range(1, number):
                assert [found["stats"][label][name] for name in names] == stats[label].tolist()
                assert found["centroids"][label] == pytest.approx(centres[label].tolist())
