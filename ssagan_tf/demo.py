"""`python -m ssagan_tf.demo`: a page where a photo is dropped and a video comes out."""

from __future__ import annotations

import functools
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from ssagan_tf import box, program, video
from ssagan_tf.errors import DataError, Stopped, require_extra
from ssagan_tf.options import ComputeOptions, DemoOptions
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training import source
from ssagan_tf.training.run import FLAGS_FILE
from ssagan_tf.training.source import Source
from ssagan_tf.web.scratch import Scratch, scratch

ABOUT = """
Opens a page in the browser: drop a photo of a sky or a sea, choose a model, see the video, download
it. Nothing leaves this machine, and no network is needed. Photos and videos are removed after an
hour and at the end.
"""
FITS = {
    "as the model was trained": "auto",
    "stretch": "stretch",
    "crop the centre": "crop",
    "black bars": "letterbox",
}
KEPT = 3600  # seconds that a photo stays, and a video to be downloaded
MIB = 2**20
LARGEST = 32 * MIB  # bytes of a photo
MEGAPIXELS = 64
PHOTOS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")  # as Pillow calls them
_DISK = 1024 * MIB  # of photos and videos together
_CONNECTIONS = 128
_WAITING = 16  # visitors; the videos are made one after the other
_FOLDER = "ssagan-demo-"
_RUNS = "runs"
# Gradio's page has its scripts and styles within; whatever runs there reaches this server only.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)


def find_models(places: tuple[str, ...]) -> dict[str, Source]:
    """The generators that can be chosen from, by name.

    Args:
      places: Names of models of the package, runs, folders that hold runs, or `.keras` files.
        Without any: all models of the package, the default one first, and the runs in `runs`.

    Raises:
      DataError: There is none, or a run's settings cannot be read.
    """
    found: list[Source] = []
    for place in places or (*box.boxes(), *_usual()):
        if box.is_name(place) or Path(place).is_file():
            found.append(source.at(place))
            continue
        runs = _runs_in(Path(place))
        if not runs:
            raise DataError(f"{place} holds no run; train one, or name others with --runs")
        found += map(source.at, runs)
    return dict(zip(_short([each.name for each in found]), found, strict=True))


def _usual() -> tuple[str, ...]:
    """Where runs are, if there are some, or else nothing comes with the package either."""
    return (_RUNS,) if _runs_in(Path(_RUNS)) or not box.boxes() else ()


def _runs_in(folder: Path) -> list[Path]:
    """A run, or those that a folder holds."""
    return [run for run in (folder, *sorted(folder.glob("*/"))) if (run / FLAGS_FILE).is_file()]


def _short(names: list[str]) -> list[str]:
    """Ends of paths, as long as it takes to tell them apart: visitors need not know the rest."""
    parts = [Path(name).parts for name in names]

    def end(of: tuple[str, ...], length: int) -> str:
        return "/".join(of[-length:])

    def length(of: tuple[str, ...]) -> int:
        others = [other for other in parts if other != of]
        lengths = range(1, len(of) + 1)
        alone = (n for n in lengths if all(end(other, n) != end(of, n) for other in others))
        return next(alone, len(of))

    return [end(of, length(of)) for of in parts]


def check_photo(path: Path) -> None:
    """Looks at a file's head, before its pixels take memory.

    Raises:
      DataError: It is no picture of the usual kinds, or too large.
    """
    try:
        with Image.open(path, formats=PHOTOS) as image:
            width, height = image.size
    except Image.DecompressionBombError as error:
        raise DataError(f"the photo is too large; at most {MEGAPIXELS} megapixels") from error
    except Exception as error:  # Pillow raises all sorts of things on broken files
        raise DataError("this is no photo that can be read; give a JPEG, PNG or WebP") from error
    if width * height > MEGAPIXELS * 10**6:
        raise DataError(
            f"the photo is too large: {width}×{height} pixels; at most {MEGAPIXELS} megapixels"
        )


class Maker:
    """Makes the videos of the page; keeps the generators it has used last.

    Args:
      models: By name, what can be chosen.
      compute: How they are computed.
      room: Where the files go.
      fps: Frames per second.
    """

    def __init__(
        self, models: dict[str, Source], compute: ComputeOptions, room: Scratch, fps: float
    ):
        self._models, self._room, self._fps = models, room, fps
        self._load = functools.lru_cache(maxsize=2)(lambda name: models[name].load(compute))

    def make(self, photo: str, name: str, fit: str) -> tuple[str, str, str]:
        """Makes a video.

        Args:
          photo: Path.
          name: Of the model.
          fit: As the setting `--fit`.

        Returns:
          Paths of the mp4, the GIF and the strip.

        Raises:
          DataError: The photo or the model cannot be read.
        """
        from ssagan_tf.pixels import to_float, to_uint8

        check_photo(Path(photo))
        image = video.read_image(photo)
        generator = self._load(name)
        how = self._models[name].how(fit)
        square = video.fit(image, generator.options.resolution, how)
        clip = to_uint8(generator(to_float(square[None]), training=False))[0]
        frames = video.unfit(clip, image.shape[:2], how)
        self._room.sweep()
        folder = self._room.folder / secrets.token_urlsafe(16)  # not to be guessed by others
        folder.mkdir()
        stem = Path(photo).stem or "photo"
        mp4, gif, strip = (folder / f"{stem}.{kind}" for kind in ("mp4", "gif", "png"))
        video.write_mp4(mp4, frames, self._fps)
        video.write_gif(gif, frames, self._fps)
        input_frame = video.unfit(square[None], image.shape[:2], how)
        video.write_image(strip, video.strip([("photo", input_frame), ("video", frames)]))
        return str(mp4), str(gif), str(strip)


def page(maker: Maker, names: list[str]) -> Any:
    """The page, a `gradio.Blocks`."""
    gradio = _gradio()

    def make(photo: str | None, name: str, fit: str):
        if not photo:
            raise gradio.Error("First drop a photo.")
        try:
            mp4, gif, strip = maker.make(photo, name, FITS[fit])
        except video.UnreadableError as error:
            raise gradio.Error(f"The photo cannot be read: {error.why}") from error
        except DataError as error:  # it may name files of this machine
            print(f"demo: {error}", file=sys.stderr, flush=True)
            raise gradio.Error("This video could not be made; the server says why.") from error
        return mp4, strip, mp4, gif

    with gradio.Blocks(title="ssagan_tf", analytics_enabled=False) as blocks:
        gradio.Markdown("# A photo of a sky or a sea becomes a time-lapse video")
        with gradio.Row():
            with gradio.Column():
                # image_mode=None: the file as it is, which Pillow then turns upright.
                photo = gradio.Image(
                    label="Photo", type="filepath", image_mode=None, sources=["upload", "clipboard"]
                )
                model = gradio.Dropdown(names, value=names[0], label="Model")
                fit = gradio.Radio(list(FITS), value=next(iter(FITS)), label="Made square by")
                button = gradio.Button("Make the video", variant="primary")
            with gradio.Column():
                film = gradio.Video(
                    label="Video", autoplay=True, loop=True, interactive=False, buttons=[]
                )
                with gradio.Row():
                    mp4 = gradio.DownloadButton("Download mp4")
                    gif = gradio.DownloadButton("Download GIF")
        strip = gradio.Image(label="Frames", interactive=False, buttons=["fullscreen"])
        button.click(make, [photo, model, fit], [film, strip, mp4, gif])
    return blocks


def _gradio() -> Any:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # it would ask for news
    os.environ["GRADIO_RUN_HISTORY"] = "False"  # of versions that keep one
    import gradio

    return gradio


def make_app(
    maker: Maker,
    names: list[str],
    room: Scratch,
    *,
    access: str = "",
    called: dict[str, Any] | None = None,
) -> Any:
    """The page as an ASGI application, guarded.

    Args:
      maker: Makes the videos.
      names: Of the models.
      room: Where Gradio and the maker put files.
      access: Token that visitors must bring; empty: none.
      called: How the server may be called: arguments of `web.guard.Guard`.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(room.folder)  # where uploads go
    gradio = _gradio()
    import fastapi

    from ssagan_tf.web.gradio_front import UPLOAD, GradioFront
    from ssagan_tf.web.guard import Guard, Limits

    blocks = page(maker, names)
    blocks.queue(max_size=_WAITING, default_concurrency_limit=1, api_open=False)
    fonts = ["system-ui", "sans-serif"]  # the default ones are fetched from afar
    app = gradio.mount_gradio_app(
        fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        path="/",
        show_error=False,
        allowed_paths=[],
        max_file_size=LARGEST,
        enable_monitoring=False,
        mcp_server=False,
        ssr_mode=False,
        pwa=False,
        footer_links=[],
        theme=gradio.themes.Default(font=fonts, font_mono=["monospace"]),
    )
    upload = LARGEST + 64 * 1024  # with the form around it
    limits = Limits(body=64 * 1024, larger={UPLOAD: upload}, bodies=4 * upload, seconds=60.0)
    front = GradioFront(app, room, check_photo, LARGEST)
    return Guard(
        front,
        token=access,
        limits=limits,
        headers={"Content-Security-Policy": _POLICY},
        **(called or {}),
    )


def demo(options: DemoOptions, compute: ComputeOptions) -> None:
    """Serves the page until it is interrupted.

    Raises:
      DataError: There is no model, gradio is not installed, or the port is taken.
      Stopped: A signal ended it.
    """
    models = find_models(options.runs)
    require_extra("demo", "gradio")
    load_tensorflow()  # first: gradio imports it, too, where it can, and not as quietly
    from ssagan_tf.web import listening

    place = listening.listen(options.host, options.port, options.names)
    access = secrets.token_urlsafe(16) if place.is_open else ""
    for number in (signal.SIGTERM, signal.SIGHUP):  # by default they end it without clearing up
        signal.signal(number, _stop)
    with scratch(_FOLDER, KEPT, _DISK) as room:
        maker = Maker(models, compute, room, options.fps)
        app = make_app(maker, list(models), room, access=access, called=place.called())
        if access:
            print(
                f"warning: --host={options.host} opens the page to others on the network, without "
                "encryption; they need this link"
            )
        print(
            f"{len(models)} model(s); open {place.url(access)} and drop a photo; Ctrl-C ends it",
            flush=True,
        )
        listening.serve(app, [place.socket], connections=_CONNECTIONS)
    raise KeyboardInterrupt


def _stop(number: int, frame: object) -> None:
    raise Stopped("stopped; photos and videos are removed", number)


def main() -> None:
    program.run("demo", ABOUT, [DemoOptions, ComputeOptions], demo)


if __name__ == "__main__":
    main()
