"""The page that visitors see, and its API for programs: `animate` and `generate`.

A new control of the motion is an entry of `_motion_controls` and a parameter of the same name of
`animate` in `page`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

from ssagan_tf.demo_page.maker import MAX_SECONDS, Maker, VisitorError
from ssagan_tf.errors import DataError
from ssagan_tf.options import MotionOptions, OptionError

FITS = {
    "as the model was trained": "auto",
    "stretch": "stretch",
    "crop the centre": "crop",
    "black bars": "letterbox",
}
"""Values of `--fit` by what the page and its API call them."""
_INTRODUCTION = (
    "# Turn a photo of the sky or the sea into a time-lapse video\n"
    "Sky and water move in an endless loop, everything else stands still. The video is as large as "
    "the photo (up to 4K). Photos and videos are deleted from this server after an hour."
)
# Functions of painter.js, called in the browser before or after the server's.
_SHOW_PHOTO = "photo => window.painter.show(photo?.url)"
_ADD_MASK = "async (photo, mask, ...rest) => [photo, await window.painter.mask(), ...rest]"
_SHOW_FOUND_MASK = """mask => {
  for (const player of document.querySelectorAll("video")) player.muted = true;
  window.painter.found(mask?.url);
}"""
_ONE_AT_A_TIME: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "videos"}


def import_gradio() -> Any:
    """Imports Gradio with its telemetry and its history switched off."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"  # in versions that keep one
    import gradio

    return gradio


def page(maker: Maker, models: Sequence[str]) -> Any:
    """Builds the page, a `gradio.Blocks`.

    Args:
      maker: Makes the videos.
      models: Names of the models; the first one is the default.
    """
    gradio = import_gradio()
    defaults = MotionOptions()

    # The names of the parameters are those of the API.
    def animate(
        photo: str | None,
        mask: str | None = None,
        direction: str = defaults.direction,
        seconds: float = defaults.seconds,
        speed: float = defaults.speed,
        strength: float = defaults.strength,
        light: float = defaults.light,
        model: str = models[0],
        progress: Any = gradio.Progress(),  # noqa: B008  Gradio looks for it here
    ) -> tuple[str, str]:
        with _errors_for_visitors(gradio):
            options = MotionOptions(
                direction=direction, seconds=seconds, speed=speed, strength=strength, light=light
            )
            return maker.animate(_required(photo), mask or "", model, options, progress)

    def generate(
        photo: str | None, fit: str = next(iter(FITS)), model: str = models[0]
    ) -> tuple[str, str, str, str]:
        with _errors_for_visitors(gradio):
            mp4, gif, strip = maker.generate(_required(photo), model, FITS[fit])
            return mp4, strip, mp4, gif

    def player(label: str, *buttons: str) -> Any:
        return gradio.Video(
            label=label, autoplay=True, loop=True, interactive=False, buttons=list(buttons)
        )

    # image_mode=None leaves files as they are; the orientation is applied when they are read.
    picture: dict[str, Any] = {"type": "filepath", "image_mode": None}
    with gradio.Blocks(title="ssagan_tf", analytics_enabled=False) as blocks:
        gradio.Markdown(_INTRODUCTION)
        with gradio.Row():
            with gradio.Column():
                photo = gradio.Image(label="Photo", sources=["upload", "clipboard"], **picture)
                mask = gradio.Image(label="What moves (white)", visible="hidden", **picture)
                gradio.HTML(
                    html_template=_resource("painter.html"),
                    css_template=_resource("painter.css"),
                    js_on_load=_resource("painter.js"),
                    container=True,
                )
                model = gradio.Dropdown(
                    list(models),
                    value=models[0],
                    label="Model",
                    visible=True if len(models) > 1 else "hidden",
                )
            with gradio.Column():
                with gradio.Tab("Moving photo"):
                    moving = player("Moving photo", "download")
                    found = gradio.Image(
                        label="What moves", visible="hidden", interactive=False, **picture
                    )
                    controls = _motion_controls(gradio, defaults)
                    move = gradio.Button("Make it move", variant="primary")
                with gradio.Tab("Raw network output"):
                    fit = gradio.Radio(
                        list(FITS), value=next(iter(FITS)), label="How to make the photo square"
                    )
                    button = gradio.Button("Make the video", variant="primary")
                    clip = player("Video")
                    with gradio.Row():
                        mp4 = gradio.DownloadButton("Download mp4")
                        gif = gradio.DownloadButton("Download GIF")
                    strip = gradio.Image(label="Frames", interactive=False, buttons=["fullscreen"])
        photo.change(None, [photo], None, js=_SHOW_PHOTO)
        move.click(
            animate,
            [photo, mask, *controls, model],
            [moving, found],
            js=_ADD_MASK,
            api_name="animate",
            **_ONE_AT_A_TIME,
        ).success(None, [found], None, js=_SHOW_FOUND_MASK)
        button.click(
            generate,
            [photo, fit, model],
            [clip, strip, mp4, gif],
            api_name="generate",
            **_ONE_AT_A_TIME,
        )
    return blocks


def _motion_controls(gradio: Any, defaults: MotionOptions) -> list[Any]:
    """Adds the controls of the motion to the page, in the order of the parameters of `animate`."""
    with gradio.Row():
        controls = [
            gradio.Radio(["right", "left"], value=defaults.direction, label="Clouds drift to the"),
            gradio.Slider(2, MAX_SECONDS, value=defaults.seconds, step=1, label="Seconds"),
        ]
    with gradio.Row():
        controls += [
            gradio.Slider(0.25, 4, value=defaults.speed, step=0.05, label="Speed"),
            gradio.Slider(0.25, 2, value=defaults.strength, step=0.05, label="Drift strength"),
            gradio.Slider(0, 3, value=defaults.light, step=0.1, label="Change of light"),
        ]
    return controls


def _required(photo: str | None) -> str:
    if not photo:
        raise VisitorError("please add a photo first")
    return photo


@contextlib.contextmanager
def _errors_for_visitors(gradio: Any) -> Iterator[None]:
    """Shows errors to the visitor in one line that reveals nothing about this machine."""
    try:
        yield
    except (VisitorError, OptionError) as error:
        line = str(error)
        raise gradio.Error(line[0].upper() + line[1:], print_exception=False) from error
    except DataError as error:  # may contain paths of this machine
        print(f"demo: {error}", file=sys.stderr, flush=True)
        line = "The video could not be made. The server's log says why."
        raise gradio.Error(line, print_exception=False) from error


def _resource(name: str) -> str:
    return resources.files("ssagan_tf.demo_page").joinpath(name).read_text("utf-8")
