"""The frames that the page draws on the GPU are those of `ssagan_tf.motion`."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ssagan_tf.motion.field import Field
from ssagan_tf.motion.loop import count_phases
from ssagan_tf.motion.sun import Sun
from ssagan_tf.motion.transfer import CLIP_RATE, Motion, render_frames
from ssagan_tf.motion.warping import extend_moving_region
from tests.drifting_clips import clouds
from tests.export.web.browser import Visit, visit  # noqa: F401
from tests.export.web.javascript import WEB, Node, start_node

node = pytest.fixture(scope="module")(start_node)

FIELD = Field(0.7, np.array([[0.0067, 0.001], [0.002, 0.0032], [0.0123, 0.003]]))
RIGHT = {"direction": "right", "speed": 4.0, "strength": 1.0, "seconds": 2.0, "fps": 10.0}
LEFT = {"direction": "left", "speed": 1.7, "strength": 0.6, "seconds": 5.0, "fps": 2.2}
SLOW = {"direction": None, "speed": 0.3, "strength": 0.4, "seconds": 10.0, "fps": 0.7}

_START = """async (photos) => {
  const { Renderer } = await import(new URL('web/renderer/renderer.js', document.baseURI));
  const { makeLayers } = await import(new URL('web/motion/loop.js', document.baseURI));
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);
  const text = (data) => new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(',')[1]);
    reader.readAsDataURL(new Blob([data]));
  });
  globalThis.renderer = new Renderer(document.createElement('canvas'));
  globalThis.layersOf = ({ height, width, photo, mask, field, sun }, settings) => makeLayers(
    { height, width, channels: 3, data: bytes(photo) },
    { field, sun, mask: { height, width, channels: 1, data: floats(mask) } },
    settings,
  );
  globalThis.framesOf = async (layers, numbers) => {
    renderer.setLayers(layers);
    const { cycles, number } = layers;
    return Promise.all(numbers.map((k) => text(renderer.frame(((k * cycles) / number) % 1))));
  };
}"""
_FRAMES = "async ([still, settings, numbers]) => framesOf(layersOf(still, settings), numbers)"

_LOSE = """async ([still, right, left]) => {
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const until = async (holds) => {
    const start = performance.now();
    while (!holds() && performance.now() - start < 10000) await pause(10);
    if (!holds()) throw new Error(`waited for ${holds}`);
  };
  const first = layersOf(still, right), second = layersOf(still, left);
  const { photo, moving } = first;
  const shown = [await framesOf(first, [4])];
  shown.push(await framesOf({ ...second, photo, moving }, [4]));
  const events = [];
  for (const name of ['lost', 'restored']) renderer.addEventListener(name, () => events.push(name));
  const lender = renderer.canvas.getContext('webgl2').getExtension('WEBGL_lose_context');
  lender.loseContext();
  await until(() => events.includes('lost'));
  const { isLost } = renderer;
  renderer.draw(0);
  renderer.setLayers(first);
  await pause(0);
  lender.restoreContext();
  await until(() => events.includes('restored'));
  shown.push(await framesOf(first, [4]));
  await until(() => !Number.isNaN(renderer.milliseconds));
  let words;
  try {
    renderer.setLayers({ height: 3, width: 10 ** 6 });
  } catch (error) {
    words = error.message;
  }
  return { shown: shown.flat(), isLost, milliseconds: renderer.milliseconds, words };
}"""


@pytest.fixture
def page(visit: Callable[..., Visit], tmp_path: Path) -> Any:  # noqa: F811
    """A page with a renderer."""
    (tmp_path / "index.html").write_text('<!doctype html><link rel="icon" href="data:,">')
    (tmp_path / "web").symlink_to(WEB, target_is_directory=True)
    visited = visit(tmp_path, "index.html")
    visited.page.evaluate(_START)
    yield visited.page
    assert not visited.errors


def colourful(height: int, width: int) -> np.ndarray:
    """Clouds of changing colour with grain, above darker ground."""
    photo = clouds(height, width) * np.float32([0.9, 1, 1.1]) + np.float32([20, 10, 0])
    photo[..., 2] += np.linspace(-25, 25, width)
    photo += np.random.default_rng(2).normal(0, 3, photo.shape)
    photo[int(0.8 * height) :] *= 0.4
    return np.uint8(np.clip(photo, 0, 255))


def ridge(height: int, width: int) -> np.ndarray:
    """What moves above a ridge: 1, with a soft border."""
    x = np.arange(width) / width
    y = (np.arange(height)[:, None] + 0.5) / height
    soft = 25 * (0.75 + 0.06 * np.sin(8 * x) - y) + 0.5
    return np.float32(np.clip(soft, 0, 1))


def landscape() -> tuple[np.ndarray, Motion]:
    mask = ridge(200, 320)
    mask[:, :9] = 0  # so that the box of what moves is not the photo
    return colourful(200, 320), Motion(FIELD, mask, None, None, 1.0)


def portrait() -> tuple[np.ndarray, Motion]:
    """The mask is nowhere entirely white, and there is water."""
    mask = 0.9 * ridge(251, 163)
    mask[230:] = 0.5
    return colourful(251, 163), Motion(FIELD, np.float32(mask), None, None, 1.0)


def sunny() -> tuple[np.ndarray, Motion]:
    sun = Sun(0.6, 0.3, 0.03)
    height, width = 180, 300
    away = sun._distances(height, width)[..., None]
    light = 255 * (away < sun.radius) + 90 * np.exp(-away / 0.08) * [1, 0.9, 0.6]
    photo = np.uint8(np.clip(0.7 * colourful(height, width) + light, 0, 255))
    mask = np.float32(ridge(height, width) * (1 - sun.disc(height, width)))
    return photo, Motion(FIELD, mask, None, sun, 1.0)


def packed(photo: np.ndarray, motion: Motion) -> dict[str, Any]:
    field, sun = motion.field, motion.sun
    return {
        "height": photo.shape[0],
        "width": photo.shape[1],
        "photo": base64.b64encode(photo.tobytes()).decode(),
        "mask": base64.b64encode(motion.mask.tobytes()).decode(),
        "field": {"horizon": field.horizon, "coefficients": field.coefficients.tolist()},
        "sun": sun and {"x": sun.x, "y": sun.y, "radius": sun.radius},
    }


def unpacked(frames: list[str], shape: tuple[int, ...]) -> np.ndarray:
    pixels = [np.frombuffer(base64.b64decode(frame), np.uint8) for frame in frames]
    return np.reshape(pixels, (-1, *shape[:2], 4))


@pytest.mark.parametrize("make", [landscape, portrait, sunny])
def test_frames_are_those_of_the_package(
    page: Any, make: Callable[[], tuple[np.ndarray, Motion]]
) -> None:
    photo, motion = make()
    moving = motion.mask > 0
    for settings, numbers in [(RIGHT, [0, 1, 4]), (LEFT, [1, 5]), (SLOW, [2])]:
        drawn = page.evaluate(_FRAMES, [packed(photo, motion), settings, numbers])
        drawn = unpacked(drawn, photo.shape)
        assert (drawn[..., 3] == 255).all()
        options = dict(settings)
        number = round(options.pop("seconds") * options["fps"])
        frames = itertools.islice(render_frames(photo, motion, number, **options), numbers[-1] + 1)
        made = np.stack(list(frames))[numbers]
        difference = np.abs(made.astype(int) - drawn[..., :3])
        assert (difference[:, moving] <= 1).mean() > 0.99
        assert difference.max() <= 4
        np.testing.assert_array_equal(drawn[:, ~moving, :3], made[:, ~moving])
        assert np.abs(made[:, moving].astype(int) - photo[moving]).mean() > 1


def test_settings_may_change_and_the_gpu_may_go_away(page: Any) -> None:
    """Frames depend neither on what was drawn before, nor on a context lost in between."""
    photo, motion = landscape()
    answer = page.evaluate(_LOSE, [packed(photo, motion), RIGHT, LEFT])
    first, second, again = unpacked(answer["shown"], photo.shape)
    np.testing.assert_array_equal(first, again)
    assert (first != second).any()
    assert answer["isLost"]
    assert 0 < answer["milliseconds"] < 10_000
    assert "1000000 × 3 pixels is too large" in answer["words"]


def test_the_smallest_pictures(page: Any) -> None:
    for shape in [(1, 1), (1, 50), (50, 1), (7, 5)]:
        for share in (0.0, 0.5, 1.0):
            photo = np.full((*shape, 3), 90, np.uint8)
            still = packed(photo, Motion(FIELD, np.full(shape, share, np.float32), None, None, 1.0))
            drawn = unpacked(page.evaluate(_FRAMES, [still, RIGHT, [3]]), shape)
            np.testing.assert_array_equal(drawn[..., :3], photo[None])


def test_the_nearest_known_pixel_is_that_of_opencv(node: Node) -> None:
    draw = np.random.default_rng(0)
    known = [draw.random(shape) < share for shape, share in [((37, 23), 0.01), ((60, 80), 0.3)]]
    known += [draw.random((1, 20)) < 0.1, draw.random((20, 1)) < 0.2, ridge(70, 90) > 0.5]
    for each in known:
        each.flat[0] |= not each.any()
        inside = each.astype(np.uint8)
        _, labels = cv2.distanceTransformWithLabels(
            1 - inside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        nearest = np.zeros(labels.max() + 1, int)
        nearest[labels[each]] = np.flatnonzero(each)
        found = node("motion/warping.js", "nearestKnown", inside.ravel(), *each.shape)
        np.testing.assert_array_equal(found, nearest[labels].ravel())


@pytest.mark.parametrize("shape", [(61, 90), (150, 40), (1, 30), (30, 1)])
def test_the_moving_region_is_extended_alike(node: Node, shape: tuple[int, int]) -> None:
    photo, mask = colourful(*shape), ridge(*shape)
    mask.flat[0] = 1
    extended = node("motion/warping.js", "extendMovingRegion", photo, mask).reshape(photo.shape)
    np.testing.assert_allclose(extended, extend_moving_region(photo, mask), atol=1)
    for plain in (np.ones_like(mask), np.zeros_like(mask)):
        same = node("motion/warping.js", "extendMovingRegion", photo, plain)
        np.testing.assert_array_equal(same.reshape(photo.shape), photo)


def test_phases_are_counted_alike(node: Node) -> None:
    field = {"horizon": FIELD.horizon, "coefficients": FIELD.coefficients.tolist()}
    for shape in [(200, 320), (251, 163), (3, 5)]:
        mask = ridge(*shape)
        for number, speed, strength in [
            (200, 1.0, 1.0),
            (47, 3.0, 0.5),
            (75, 0.3, 0.1),
            (10, 0, 1),
        ]:
            advance = speed * CLIP_RATE / 25
            counted = node("motion/loop.js", "countPhases", number, advance, field, mask, strength)
            assert counted == count_phases(number, advance, FIELD, mask, strength)
