"""The demo page, driven in a browser as a person would."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ssagan_tf
from ssagan_tf import video
from ssagan_tf.data.synthetic import synthetic_clip
from ssagan_tf.demo import Maker, find_models
from ssagan_tf.errors import DataError
from ssagan_tf.options import ComputeOptions, ModelOptions

ROOT = Path(__file__).parents[1]
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "generator.keras"
    options = ModelOptions(resolution=64, base_filters=2, ssa_layers="conv4")
    ssagan_tf.build_generator(options).save(path)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo on its side, as phones store them."""
    turned = Image.Exif()
    turned[0x0112] = 6
    path = tmp_path / "sky.jpg"
    Image.fromarray(synthetic_clip(0, 0, 96, frames=1)[0][:64]).save(path, exif=turned)
    return path


def test_makes_a_video_a_gif_and_a_strip(model: Path, photo: Path, tmp_path: Path) -> None:
    models = find_models((str(model),))
    assert list(models) == [str(model)]
    maker = Maker(models, ComputeOptions(), tmp_path, fps=12.0)
    mp4, gif, strip = maker.make(str(photo), str(model), "auto")
    frames = list(video.read_video(mp4))
    assert (len(frames), frames[0].shape) == (32, (96, 64, 3))  # upright
    with Image.open(gif) as animation:
        assert animation.n_frames > 1
    assert video.read_image(strip).shape[0] > 2 * 96
    assert Path(mp4).name == "sky.mp4"


def test_nothing_to_choose_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no run; train one"):
        find_models((str(tmp_path),))


def needs_a_browser() -> str | None:
    for module in ("gradio", "selenium"):
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed (extras 'demo' and 'test')"
    return None if CHROMIUM and DRIVER else "no chromium with chromedriver on this machine"


@pytest.fixture
def address(model: Path, tmp_path: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "ssagan_tf.demo", f"--runs={model}", "--port=0"]
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    try:
        wait(lambda: "open http" in log.read_text() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield log.read_text().split("open ")[1].split()[0]
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def browser(tmp_path: Path):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1200,1400"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path)})
    # Offline: of all hosts, only this machine is found.
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def wait(ready, seconds: float = 60.0):
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


@pytest.mark.skipif(needs_a_browser() is not None, reason=str(needs_a_browser()))
def test_in_a_browser(address: str, browser, photo: Path, tmp_path: Path) -> None:
    browser.get(address)
    [drop] = wait(lambda: browser.find_elements("css selector", "input[type=file]")[:1])
    drop.send_keys(str(photo))
    wait(lambda: browser.find_elements("css selector", "img[src*='sky']"))

    def buttons():
        return browser.find_elements("tag name", "button")

    [button] = [b for b in buttons() if b.text == "Make the video"]
    button.click()
    [film] = wait(lambda: browser.find_elements("css selector", "video[src*='.mp4']"))
    wait(lambda: browser.execute_script("return arguments[0].readyState >= 2", film))
    size = [film.get_property(name) for name in ("videoWidth", "videoHeight")]
    assert size == [64, 96]
    assert wait(lambda: browser.find_elements("css selector", "img[src*='sky.png']"))  # the strip
    browser.save_screenshot(str(tmp_path / "page.png"))
    assert np.std(video.read_image(tmp_path / "page.png")) > 10

    for kind in ("mp4", "GIF"):
        [button] = [b for b in buttons() if b.text == f"Download {kind}"]
        wait(lambda b=button: b.is_enabled())
        button.click()
    got = [tmp_path / "sky.mp4", tmp_path / "sky.gif"]
    wait(lambda: all(path.is_file() for path in got))
    assert len(list(video.read_video(got[0]))) == 32
    with Image.open(got[1]) as animation:
        assert animation.n_frames > 1
