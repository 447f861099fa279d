"""`python -m ssagan_tf.demo`: a page where a photo is dropped and a video comes out."""

from __future__ import annotations

import functools
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

from ssagan_tf import program, video
from ssagan_tf.errors import DataError, require_extra
from ssagan_tf.options import ComputeOptions, DemoOptions, SourceOptions
from ssagan_tf.startup import load_tensorflow, reach_directly
from ssagan_tf.training import source
from ssagan_tf.training.run import FLAGS_FILE
from ssagan_tf.training.source import Source

ABOUT = """
Opens a page in the browser: drop a photo of a sky or a sea, choose a model, see the video, download
it. Nothing leaves this machine, and no network is needed.
"""
FITS = {
    "as the model was trained": "auto",
    "stretch": "stretch",
    "crop the centre": "crop",
    "black bars": "letterbox",
}
KEPT = 3600  # seconds that a video stays to be downloaded


def find_models(places: tuple[str, ...]) -> dict[str, Source]:
    """The generators that can be chosen from, by name.

    Args:
      places: Runs, folders that hold runs, or `.keras` files.

    Raises:
      DataError: There is none, or a run's settings cannot be read.
    """
    found: list[Source] = []
    for place in map(Path, places):
        if place.is_file():
            found.append(source.find(SourceOptions(model=str(place))))
            continue
        runs = [place, *sorted(place.glob("*/"))]
        runs = [run for run in runs if (run / FLAGS_FILE).is_file()]
        found += [source.find(SourceOptions(run_dir=str(run))) for run in runs]
        if not runs:
            raise DataError(f"{place} holds no run; train one, or name others with --runs")
    return {each.name: each for each in found}


class Maker:
    """Makes the videos of the page; keeps the generators it has used last.

    Args:
      models: By name, what can be chosen.
      compute: How they are computed.
      folder: Where the files go.
      fps: Frames per second.
    """

    def __init__(
        self, models: dict[str, Source], compute: ComputeOptions, folder: Path, fps: float
    ):
        self._models, self._folder, self._fps = models, folder, fps
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

        image = video.read_image(photo)
        generator = self._load(name)
        how = self._models[name].how(fit)
        square = video.fit(image, generator.options.resolution, how)
        clip = to_uint8(generator(to_float(square[None]), training=False))[0]
        frames = video.unfit(clip, image.shape[:2], how)
        for old in self._folder.iterdir():  # a server may run for months
            if time.time() - old.stat().st_mtime > KEPT:
                shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
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
        except DataError as error:
            raise gradio.Error(str(error)) from error
        return mp4, strip, mp4, gif

    with gradio.Blocks(
        title="ssagan_tf", analytics_enabled=False, delete_cache=(KEPT, KEPT)
    ) as blocks:
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
    import gradio

    return gradio


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as server:
        return server.getsockname()[1]


def demo(options: DemoOptions, compute: ComputeOptions) -> None:
    """Serves the page until it is interrupted.

    Raises:
      DataError: There is no model, gradio is not installed, or the port is taken.
    """
    models = find_models(options.runs)
    require_extra("demo", "gradio")
    load_tensorflow()  # first: gradio imports it, too, where it can, and not as quietly
    gradio = _gradio()
    reach_directly(options.host)  # gradio asks its own page whether it is there
    fonts = ["system-ui", "sans-serif"]  # the default ones are fetched from afar
    theme = gradio.themes.Default(font=fonts, font_mono=["monospace"])
    with tempfile.TemporaryDirectory(prefix="ssagan-demo-") as folder:
        maker = Maker(models, compute, Path(folder), options.fps)
        blocks = page(maker, list(models))
        try:
            _, address, _ = blocks.launch(
                server_name=options.host,
                server_port=options.port or _free_port(options.host),
                allowed_paths=[folder],
                ssr_mode=False,
                prevent_thread_lock=True,
                theme=theme,
                quiet=True,
            )
        except OSError as error:
            raise DataError(
                f"cannot listen on {options.host}:{options.port}: {error}; name another --port"
            ) from error
        print(
            f"{len(models)} model(s); open {address} and drop a photo; Ctrl-C ends it", flush=True
        )
        blocks.block_thread()


def main() -> None:
    program.run("demo", ABOUT, [DemoOptions, ComputeOptions], demo)


if __name__ == "__main__":
    main()
