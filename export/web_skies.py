"""Pictures for the web page to try: procedural skies, as a camera would take them."""

from __future__ import annotations

import dataclasses
import io

from PIL import Image

from ssagan_tf.skies import scene

WIDTH = 1280  # pixels
_SEED = 7
_QUALITY = 80  # of the WebPs


@dataclasses.dataclass(frozen=True)
class Sky:
    """A scene, chosen for its looks.

    Attributes:
      name: What the page calls it.
      index: Index of the scene among those of one seed.
    """

    name: str
    index: int

    def draw(self, width: int) -> bytes:
        """Returns a WebP of this width, in the shape that the scene's camera takes."""
        sampled = scene.sample_scene(_SEED, self.index)
        # Scenes imitate bad photos as well.
        clean = dataclasses.replace(sampled.lens, noise=0.0, softness=0.0, quality=0, bars=0.0)
        renderer = scene.SceneRenderer(dataclasses.replace(sampled, lens=clean), width)
        [square] = renderer.frames(1)
        across, down = sampled.camera.focal
        size = width, round(width * across / down)
        buffer = io.BytesIO()
        picture = Image.fromarray(square).resize(size, Image.Resampling.BOX)
        picture.save(buffer, "WEBP", quality=_QUALITY)
        return buffer.getvalue()


SKIES = (Sky("Summer clouds", 52), Sky("Evening", 34), Sky("Sunset at sea", 57))
