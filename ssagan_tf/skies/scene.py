"""The random scene of a clip, and its frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from ssagan_tf.skies import clouds, sea
from ssagan_tf.skies.camera import Camera, View, sample_camera
from ssagan_tf.skies.clouds import Layer, sample_layers
from ssagan_tf.skies.land import Land, sample_land
from ssagan_tf.skies.lens import Lens, sample_lens
from ssagan_tf.skies.lighting import Light, mix, sample_light, screen
from ssagan_tf.skies.randomness import RandomStream
from ssagan_tf.skies.sea import Sea, sample_sea
from ssagan_tf.skies.truth import Truth

_STARS = 150


@dataclasses.dataclass(frozen=True)
class Scene:
    """A place, time of day, weather and camera.

    Attributes:
      sea: None if there is none.
      stars: x, y and brightness of each, in [0, 1].
    """

    camera: Camera
    light: Light
    layers: tuple[Layer, ...]
    sea: Sea | None
    land: Land
    stars: np.ndarray
    lens: Lens


def sample_scene(seed: int, index: int) -> Scene:
    """Samples the scene of a clip."""
    rng = RandomStream(seed, index)
    ground = rng.choice({"none": 0.14, "land": 0.60, "sea": 0.26})
    camera = sample_camera(rng.part(0), ground != "none")
    light = sample_light(rng.part(1))
    layers = sample_layers(rng.part(2), camera, light.overcast)
    water = sample_sea(rng.part(3), camera, light) if ground == "sea" else None
    land = sample_land(rng.part(4), camera, light, ground == "sea")
    stars = rng.part(5).uniform(size=(_STARS, 3))
    return Scene(camera, light, layers, water, land, stars, sample_lens(rng.part(6)))


class SceneRenderer:
    """Renders a scene at a resolution. Static parts are rendered once.

    Args:
      scene: The scene.
      side: Height and width of the frames in pixels.
    """

    def __init__(self, scene: Scene, side: int):
        self._scene = scene
        camera, light = scene.camera, scene.light
        self._view = view = View.of_square(camera, side)
        halo = light.halo(view)
        sky = screen(light.clear_sky(view), halo * light.beam)
        if light.stars:
            sky = screen(sky, _points(scene.stars, light.stars, side) * (1 - light.hazy(view)))
        self._sky = mix(sky, np.clip(1.15 * light.beam, 0, 1), light.disc_share(view))
        self._halo = halo * light.beam
        self._clear = 1 - light.hazy(view)
        self._far, far = scene.land.far(view)
        colour, near = scene.land.near(side)
        bars = scene.lens.barred(side)
        self._near = colour * (1 - bars[..., None])
        near = 1 - (1 - near) * (1 - bars)
        water = np.zeros_like(view.above) if scene.sea is None else 1 - view.above
        self._above = 1 - water
        self._hidden = 1 - (1 - far) * (1 - near)
        self._far_share, self._near_share = far[..., None], near[..., None]
        seen = self._hidden < 1
        self._clouds = [
            clouds.LayerRenderer(layer, view, camera, light.sunward(), seen)
            for layer in scene.layers
        ]
        self._water = scene.sea and sea.SeaRenderer(scene.sea, view, camera)

    def frames(self, number: int) -> Iterator[np.ndarray]:
        """Yields frames, `[side, side, 3]` uint8 each."""
        for frame in range(number):
            yield self._scene.lens.develop(self._light_of(frame), frame)

    def truth(self, number: int) -> Truth:
        """Returns the motion of the frames."""
        scene = self._scene
        side = len(self._view.x)
        each = np.stack([x.velocities(self._view, scene.camera) for x in scene.layers]) * side
        velocity, opacity = [], []
        free = 1 - self._hidden
        # At the horizon, a pixel has a cloud and its reflection, which move apart.
        known = free * ((self._view.above == 0) | (self._view.above == 1))
        for frame in range(number):
            opaque = np.stack([layer.draw(frame)[0] for layer in self._clouds])
            opaque = opaque * self._clear[..., 0]
            most = opaque.argmax(axis=0)[None, ..., None]
            velocity.append(np.take_along_axis(each, most, axis=0)[0])
            opacity.append((1 - np.prod(1 - opaque, axis=0)) * self._above * known)
        # Water moves even where it reflects static objects.
        moving = self._above * free + (1 - self._above) * (1 - self._near_share[..., 0])
        velocity = np.stack(velocity) * (known > 0)[..., None]
        return Truth(*(np.float32(x) for x in (velocity, opacity, moving)))

    def _light_of(self, frame: int) -> np.ndarray:
        light = self._scene.light
        picture = self._sky
        for layer in self._clouds:
            opacity, brightness = layer.draw(frame)
            opacity = opacity[..., None]
            colour = mix(light.shade, light.lit, brightness[..., None])
            # Thin clouds in front of the sun glow.
            colour = screen(colour, (0.75 - 0.35 * opacity) * self._halo)
            picture = mix(picture, mix(light.horizon, colour, self._clear), opacity)
        picture = mix(picture, self._far, self._far_share)
        if self._water:
            water = self._water.draw(frame, picture)
            picture = mix(water, picture, self._above[..., None])
        return mix(picture, self._near, self._near_share)


def _points(stars: np.ndarray, brightness: float, side: int) -> np.ndarray:
    """Points of light whose total does not depend on the resolution, `[side, side, 1]`."""
    x, y = stars[:, 0] * side - 0.5, stars[:, 1] * side - 0.5
    power = brightness * stars[:, 2] ** 4 * 0.9 * (side / 64) ** 0.5
    picture = np.zeros((side + 1, side + 1))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for i in (0, 1):
        for j in (0, 1):
            weight = (1 - np.abs(x - left - j)) * (1 - np.abs(y - top - i))
            np.add.at(picture, (top + i, left + j), power * weight)
    return np.clip(picture[:side, :side, None], 0, 1)
