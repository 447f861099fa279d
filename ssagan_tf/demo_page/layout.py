"""What visitors see, and the calls that programs may make: `animate` and `generate`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

from ssagan_tf.demo_page.maker import SECONDS, Maker, VisitorError
from ssagan_tf.errors import DataError
from ssagan_tf.options import MotionOptions, OptionError

FITS = {
    "as the model was trained": "auto",
    "stretch": "stretch",
    "crop the centre": "crop",
    "black bars": "letterbox",
}
_ABOUT = (
    "# A photo of a sky or a sea becomes a time-lapse video\n"
    "Its sky or its water moves, in an endless loop as large as the photo (to 4K); what else is in "
    "it stands still. Photos and videos stay on this server for an hour at most."
)
# What painter.js offers, called before and after the server is.
_SHOW = "photo => window.painter.show(photo?.url)"
_WITH_MASK = "async (photo, mask, ...rest) => [photo, await window.painter.mask(), ...rest]"
_FOUND = """mask => {
  for (const film of document.querySelectorAll("video")) film.muted = true;
  window.painter.found(mask?.url);
}"""
_ONE_AT_A_TIME: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "videos"}


def import_gradio() -> Any:
    """Gradio, which then asks nobody for news and keeps no history."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"  # of versions that keep one
    import gradio

    return gradio


def page(maker: Maker, names: Sequence[str]) -> Any:
    """The page, a `gradio.Blocks`.

    Args:
      maker: Makes the videos.
      names: Of the models.
    """
    gradio = import_gradio()
    usual = MotionOptions()

    def animate(
        photo: str | None,
        mask: str | None = None,
        direction: str = usual.direction,
        seconds: float = usual.seconds,
        speed: float = usual.speed,
        strength: float = usual.strength,
        light: float = usual.light,
        model: str = names[0],
        progress: Any = gradio.Progress(),  # noqa: B008  Gradio finds it here
    ) -> tuple[str, str]:
        with _telling(gradio):
            options = MotionOptions(
                direction=direction, seconds=seconds, speed=speed, strength=strength, light=light
            )
            return maker.animate(_given(photo), mask or "", model, options, progress)

    def generate(
        photo: str | None, fit: str = next(iter(FITS)), model: str = names[0]
    ) -> tuple[str, str, str, str]:
        with _telling(gradio):
            mp4, gif, strip = maker.generate(_given(photo), model, FITS[fit])
            return mp4, strip, mp4, gif

    def film(label: str, *buttons: str) -> Any:
        return gradio.Video(
            label=label, autoplay=True, loop=True, interactive=False, buttons=list(buttons)
        )

    # image_mode=None: files as they are, which Pillow then turns upright.
    picture: dict[str, Any] = {"type": "filepath", "image_mode": None}
    with gradio.Blocks(title="ssagan_tf", analytics_enabled=False) as blocks:
        gradio.Markdown(_ABOUT)
        with gradio.Row():
            with gradio.Column():
                photo = gradio.Image(label="Photo", sources=["upload", "clipboard"], **picture)
                mask = gradio.Image(label="What moves (white)", visible="hidden", **picture)
                gradio.HTML(
                    html_template=_part("painter.html"),
                    css_template=_part("painter.css"),
                    js_on_load=_part("painter.js"),
                    container=True,
                )
                model = gradio.Dropdown(
                    list(names),
                    value=names[0],
                    label="Model",
                    visible=True if len(names) > 1 else "hidden",
                )
            with gradio.Column():
                with gradio.Tab("Moving photo"):
                    moving = film("Moving photo", "download")
                    found = gradio.Image(
                        label="What moves", visible="hidden", interactive=False, **picture
                    )
                    with gradio.Row():
                        direction = gradio.Radio(
                            ["right", "left"], value=usual.direction, label="Clouds drift to the"
                        )
                        seconds = gradio.Slider(
                            2, SECONDS, value=usual.seconds, step=1, label="Seconds"
                        )
                    with gradio.Row():
                        speed = gradio.Slider(0.25, 4, value=usual.speed, step=0.05, label="Speed")
                        strength = gradio.Slider(
                            0.25, 2, value=usual.strength, step=0.05, label="Strength"
                        )
                        light = gradio.Slider(0, 3, value=usual.light, step=0.1, label="Light")
                    move = gradio.Button("Make it move", variant="primary")
                with gradio.Tab("The network's own frames"):
                    fit = gradio.Radio(list(FITS), value=next(iter(FITS)), label="Made square by")
                    button = gradio.Button("Make the video", variant="primary")
                    clip = film("Video")
                    with gradio.Row():
                        mp4 = gradio.DownloadButton("Download mp4")
                        gif = gradio.DownloadButton("Download GIF")
                    strip = gradio.Image(label="Frames", interactive=False, buttons=["fullscreen"])
        photo.change(None, [photo], None, js=_SHOW)
        move.click(
            animate,
            [photo, mask, direction, seconds, speed, strength, light, model],
            [moving, found],
            js=_WITH_MASK,
            api_name="animate",
            **_ONE_AT_A_TIME,
        ).success(None, [found], None, js=_FOUND)
        button.click(
            generate,
            [photo, fit, model],
            [clip, strip, mp4, gif],
            api_name="generate",
            **_ONE_AT_A_TIME,
        )
    return blocks


def _given(photo: str | None) -> str:
    if not photo:
        raise VisitorError("first drop a photo")
    return photo


@contextlib.contextmanager
def _telling(gradio: Any) -> Iterator[None]:
    """Tells the visitor in a line what is wrong, but nothing about this machine."""
    try:
        yield
    except (VisitorError, OptionError) as error:
        line = str(error)
        raise gradio.Error(line[0].upper() + line[1:], print_exception=False) from error
    except DataError as error:  # it may name files of this machine
        print(f"demo: {error}", file=sys.stderr, flush=True)
        line = "This video could not be made; the server says why."
        raise gradio.Error(line, print_exception=False) from error


def _part(name: str) -> str:
    return resources.files("ssagan_tf.demo_page").joinpath(name).read_text("utf-8")
