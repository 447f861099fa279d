"""The demo page, driven in a browser as a person would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

import ssagan_tf
from ssagan_tf import box, video
from ssagan_tf.demo import find_models
from ssagan_tf.demo_page.maker import Maker
from ssagan_tf.errors import DataError
from ssagan_tf.options import ComputeOptions, DemoOptions, ModelOptions
from ssagan_tf.skies.any_wind import synthetic_clip
from ssagan_tf.web.temporary_files import TemporaryFiles
from tests.surroundings import elsewhere

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SECONDS = 60
NO_PHOTOS = (
    ("empty.jpg", b"", "the file is empty; please use a JPEG, PNG or WebP"),
    (
        "a.heic",
        b"\0\0\0\x18ftypheic" + bytes(64),
        "this HEIC photo cannot be read on this server",
    ),
)
SCRATCH = "50% of räume's #1"  # which JSON, addresses and HTML write each in another way


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "generator.keras"
    options = ModelOptions(resolution=64, base_filters=2, ssa_layers="conv4")
    ssagan_tf.build_generator(options).save(path)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo stored sideways, as phones do."""
    turned = Image.Exif()
    turned[0x0112] = 6
    path = tmp_path / "sky.jpg"
    Image.fromarray(synthetic_clip(0, 0, 96, frames=1)[0][:64]).save(path, exif=turned)
    return path


def test_makes_a_video_a_gif_and_a_strip(model: Path, photo: Path, tmp_path: Path) -> None:
    models = find_models(DemoOptions(model=str(model)))
    assert list(models) == ["generator.keras"]
    (tmp_path / "room").mkdir()
    room = TemporaryFiles(tmp_path / "room", max_age=3600, max_bytes=2**30)
    maker = Maker(models, ComputeOptions(), room, fps=12.0)
    mp4, gif, strip = maker.generate(str(photo), "generator.keras", "auto")
    frames = list(video.read_video(mp4))
    assert (len(frames), frames[0].shape) == (32, (96, 64, 3))  # upright
    with Image.open(gif) as animation:
        assert animation.n_frames > 1
    assert video.read_image(strip).shape[0] > 2 * 96
    assert Path(mp4).name == "sky.mp4"

    # Old files are deleted.
    os.utime(Path(mp4).parent, (0, 0))
    again, _, _ = maker.generate(str(photo), "generator.keras", "auto")
    assert Path(again).is_file()
    assert not Path(mp4).parent.exists()


def test_no_models(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no run found in this folder; train one"):
        find_models(DemoOptions(runs=(str(tmp_path),)))


def test_damaged_runs_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/bad").mkdir(parents=True)
    (tmp_path / "runs/bad/flags.cfg").write_text("--no_such_flag=1\n")
    assert list(find_models(DemoOptions())) == list(box.bundled_models())
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("skipped: cannot read the run in runs/bad: ")
    with pytest.raises(DataError, match="cannot read the run in runs/bad"):
        find_models(DemoOptions(runs=("runs/bad",)))
    (tmp_path / "runs/worse").mkdir()
    (tmp_path / "runs/worse/flags.cfg").write_bytes(b"\xff")
    with pytest.raises(DataError, match="--runs=runs: none of these runs can be read"):
        find_models(DemoOptions(runs=("runs",)))


@pytest.fixture
def address(model: Path, tmp_path: Path) -> Iterator[str]:
    """The running program, with unreachable proxies; it cleans up at the end."""
    pytest.importorskip("gradio", reason="the extra 'demo' is not installed")
    (tmp_path / SCRATCH).mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "ssagan_tf.demo", f"--model={model}", "--port=0"],
        cwd=ROOT,
        env={**elsewhere(tmp_path), "TMPDIR": str(tmp_path / SCRATCH)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output = ""
        while "open http" not in output:
            line = process.stdout.readline()
            assert line, output
            output += line
        yield output.split("open ")[1].split()[0]
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=SECONDS)
    assert "all photos and videos were deleted" in said
    assert process.returncode == 128 + signal.SIGTERM
    assert not list((tmp_path / SCRATCH).glob("ssagan-demo-*"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:gradio_client")
def test_in_a_browser_and_by_a_program(
    browser, address: str, photo: Path, tmp_path: Path, monkeypatch
) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 1400})
    page.set_default_timeout(1000 * SECONDS)
    asked = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url)))
    page.goto(address)
    for name, content, told in NO_PHOTOS:
        (tmp_path / name).write_bytes(content)
        page.locator("input[type=file]").first.set_input_files(tmp_path / name)
        page.get_by_text(told).wait_for()
        page.goto(address)
    page.set_viewport_size({"width": 390, "height": 844})  # a phone's
    page.locator("input[type=file]").first.set_input_files(photo)
    page.locator("img[src*='sky']").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.set_viewport_size({"width": 1200, "height": 1400})

    # It moves, where it is painted: all of it, as the brush is as large.
    film = page.locator("video[src*='.mp4']:visible")
    page.get_by_text("Paint what moves").click()
    page.get_by_label("Brush").fill("25")
    canvas = page.locator("canvas[data-name=canvas]")
    canvas.click()  # a tap paints a dot
    opacity = "c => c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[3]"
    assert canvas.evaluate(opacity) == 255
    page.locator("[data-name=clear]").click()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + box["height"] / 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] / 4, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Make it move").click()
    film.wait_for()
    page.wait_for_function("film => film.readyState >= 2", arg=film.element_handle())
    shown = film.evaluate("film => [film.videoWidth, film.videoHeight, film.loop, film.autoplay]")
    assert shown == [64, 96, True, True]
    if folder := os.environ.get("SSAGAN_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / "demo_moving.png")
    [moving] = (tmp_path / SCRATCH).glob("ssagan-demo-*/*/sky.mp4")
    frames = list(video.read_video(moving))
    assert (len(frames), frames[0].shape) == (200, (96, 64, 3))
    painted = video.read_image(moving.with_suffix(".png"))
    assert painted.shape == (96, 64, 3)
    assert painted[24].min() == 255
    assert painted[60:].max() == 0
    assert np.ptp(np.stack(frames), axis=0)[20:28].mean() > 5

    page.get_by_role("tab", name="Raw network output").click()
    page.get_by_role("button", name="Make the video").click()
    film.wait_for()
    page.wait_for_function("film => film.readyState >= 2", arg=film.element_handle())
    assert film.evaluate("film => [film.videoWidth, film.videoHeight]") == [64, 96]  # upright
    page.locator("img[src*='sky.png']:visible").wait_for()  # the strip
    assert len(list((tmp_path / SCRATCH).glob("ssagan-demo-*/*/sky.mp4"))) == 2
    if folder := os.environ.get("SSAGAN_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / "demo.png")

    for kind in ("mp4", "GIF"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Download {kind}").click()
        assert download.value.suggested_filename == f"sky.{kind.lower()}"
        download.value.save_as(tmp_path / f"made.{kind.lower()}")
    assert len(list(video.read_video(tmp_path / "made.mp4"))) == 32
    with Image.open(tmp_path / "made.gif") as animation:
        assert animation.n_frames > 1
    assert {url.hostname for url in asked if url.scheme.startswith("http")} == {"127.0.0.1"}
    page.close()

    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    gradio_client = pytest.importorskip("gradio_client")
    client = gradio_client.Client(
        address, download_files=tmp_path / "got", analytics_enabled=False, verbose=False
    )
    sent = gradio_client.handle_file(photo)
    moving, _ = client.predict(photo=sent, seconds=2, direction="left", api_name="/animate")
    assert sum(1 for _ in video.read_video(moving)) == 50
    with pytest.raises(Exception, match="Value 100 is greater"):
        client.predict(photo=sent, seconds=100, api_name="/animate")
    client.close()
