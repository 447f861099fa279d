"""`python -m benchmarks.web_skies` draws the sample pictures of the web page: procedural skies, as
a camera would take them. Takes half a minute.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from PIL import Image

from ssagan_tf.skies import scene

FOLDER = Path(__file__).parents[1] / "export" / "web_skies"
WIDTH = 1280  # pixels
_SEED = 7
_QUALITY = 80  # of the WebPs
# Chosen for their looks: what the page calls them, and their indices among the scenes of one seed.
SKIES = {"summer-clouds": 52, "evening": 34, "sunset-at-sea": 57}


def draw(index: int, width: int) -> Image.Image:
    """Draws a scene of this width, in the shape that its camera takes."""
    sampled = scene.sample_scene(_SEED, index)
    # Scenes imitate bad photos as well.
    clean = dataclasses.replace(sampled.lens, noise=0.0, softness=0.0, quality=0, bars=0.0)
    renderer = scene.SceneRenderer(dataclasses.replace(sampled, lens=clean), width)
    [square] = renderer.frames(1)
    across, down = sampled.camera.focal
    size = width, round(width * across / down)
    return Image.fromarray(square).resize(size, Image.Resampling.BOX)


def main() -> None:
    for name, index in SKIES.items():
        draw(index, WIDTH).save(FOLDER / f"{name}.webp", quality=_QUALITY)


if __name__ == "__main__":
    main()
