"""Frames that the exported site draws, against those of Python."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ssagan_tf
from tests.export.web.browser import Visit, visit  # noqa: F401
from tests.export.web.exported import manifest, site  # noqa: F401

pytestmark = pytest.mark.slow

SIDE = 192
PHOTO = Path(__file__).parents[3] / "docs" / "photo.jpg"
COMPARED = (0, 7, 60)  # of the 200 frames
FRAMES = """async ([site, scripts, side, encoded, directions, indices]) => {
  const { Engine } = await import(`${site}${scripts}/engine.js`);
  const { Renderer } = await import(`${site}${scripts}/renderer/renderer.js`);
  const { picture } = await import(`${site}${scripts}/imaging/picture.js`);
  const photo = picture(side, side, 3, Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0)));
  const engine = new Engine(site);
  const motion = await engine.estimate(photo);
  const renderer = new Renderer(document.createElement('canvas'));
  const drawn = {};
  for (const direction of directions) {
    const settings = { direction, speed: 1, strength: 1, seconds: 8, fps: 25 };
    const layers = await engine.layers(photo, motion, settings);
    renderer.setLayers(layers);
    drawn[direction] = indices.map((index) => {
      const frame = renderer.frame((index * layers.cycles / 200) % 1);
      return btoa(Array.from(frame, (byte) => String.fromCharCode(byte)).join(''));
    });
  }
  return drawn;
}"""
TEXT = "onnxruntime-web-1.30.0/ort.wasm.min.js"
"""A file of the site that is not its page, which loads an engine of its own."""


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.asarray(Image.open(PHOTO).convert("RGB").resize((SIDE, SIDE)))


def test_frames_are_those_of_python(
    photo: np.ndarray,
    site: Path,  # noqa: F811
    visit: Callable[..., Visit],  # noqa: F811
) -> None:
    visited, scripts = visit(site, TEXT), manifest(site)["scripts"]
    encoded = base64.b64encode(photo.tobytes()).decode()
    drawn = visited.page.evaluate(
        FRAMES, [visited.address, scripts, SIDE, encoded, ["right", "left"], COMPARED]
    )
    generator = ssagan_tf.load_generator()
    for direction, texts in drawn.items():
        frames = ssagan_tf.animate(photo, 8.0, direction=direction, generator=generator)
        frames = list(itertools.islice(frames, max(COMPARED) + 1))
        for index, text in zip(COMPARED, texts, strict=True):
            frame = np.frombuffer(base64.b64decode(text), np.uint8).reshape(SIDE, SIDE, 4)[..., :3]
            assert (np.abs(frame.astype(int) - frames[index]) <= 2).mean() > 0.99
            assert (np.abs(frame.astype(int) - photo) > 2).mean() > 0.1
