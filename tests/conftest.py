"""Footage and prepared sets that many tests share."""

from __future__ import annotations

import tests.pinned  # isort: skip  # noqa: F401  before Keras is imported

import gc
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ssagan_tf import startup
from ssagan_tf.data import writer
from ssagan_tf.layers import im2col
from ssagan_tf.options import PrepareOptions
from tests.surroundings import AWKWARD
from tests.training import faults

# JAX, which Keras imports where it is installed, sets this, and programs run by tests inherit it.
os.environ.pop(startup.LOG_LEVEL, None)
# What is loaded by now is never garbage, and scanning it repeatedly takes minutes.
gc.collect()
gc.freeze()
# Two devices, for the tests of tf.distribute. This must be set before anything is computed.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


LONG = 10  # long tests run with this many trials or more


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--trials", type=int, default=1, help="Times that tests of faults break something."
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("trials") < LONG:
        skip = pytest.mark.skip(reason=f"long; with --trials={LONG}, as .ci/full does")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    keras.utils.set_random_seed(0)


@pytest.fixture
def float64() -> Iterator[None]:
    """Networks and layers built in the test compute in float64."""
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def quick_float64(float64, monkeypatch) -> None:
    """Like `float64`, with all convolutions as products of patches, whose gradients are faster in
    float64 than TensorFlow's 3D convolutions. For tests of everything but convolutions."""
    monkeypatch.setattr(im2col, "UP_TO_POSITIONS", 10**6)


@pytest.fixture
def only_zeros(monkeypatch) -> None:
    """Initialises weights with zeros, for tests in which they do not matter: faster."""
    monkeypatch.setattr(
        keras.initializers.RandomNormal,
        "__call__",
        lambda self, shape, dtype=None: keras.ops.zeros(shape, dtype),
    )


@pytest.fixture(scope="session")
def synthetic_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a prepared set: 10 training and 2 test clips of synthetic clouds at 64×64."""
    output = tmp_path_factory.mktemp("sets") / AWKWARD
    writer.prepare(
        PrepareOptions(
            layout="synthetic",
            output=str(output),
            synthetic_clips=12,
            resolution=64,
            test_fraction=0.2,
            workers=1,
        )
    )
    return output


@pytest.fixture(scope="session")
def train_apart() -> Iterator[faults.Train]:
    """Trains in a new process, optionally with an injected fault."""
    with faults.runs() as train:
        yield train


@pytest.fixture(scope="session")
def footage() -> Path:
    """Folder of real footage, named by SSAGAN_FOOTAGE: sky48/, videos/, stacked/."""
    folder = os.environ.get("SSAGAN_FOOTAGE")
    if not folder:
        pytest.skip("SSAGAN_FOOTAGE does not name a folder of real footage")
    return Path(folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium, headless; it can reach no host but this machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    if (path := next(filter(None, map(shutil.which, names)), None)) is None:
        pytest.skip("there is no Chromium on this machine")
    arguments = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    arguments += ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # WebGL without a GPU
    arguments += ["--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def write_pictures() -> Callable[..., None]:
    """Writes numbered pictures into a folder, each of its own colour."""

    def write(
        folder: Path, numbers: Iterable[int], size: tuple[int, int] = (16, 16), suffix: str = "jpg"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            # Back and forth: a jump would be a scene cut.
            moving = [abs(speed * number % 510 - 255) for speed in (1, 7)]
            colour = (*moving, sum(map(ord, folder.name)) % 256)
            name = f"{folder.name}_frames_{number:08d}.{suffix}"
            Image.new("RGB", size, colour).save(folder / name)

    return write


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Makes uint8 noise, smooth enough to be a picture."""

    def make(*shape: int, seed: int = 0) -> np.ndarray:
        coarse = np.random.default_rng(seed).integers(0, 256, (*shape[:-3], 5, 5, 3), np.uint8)
        rows, columns = (np.arange(side) * 5 // side for side in shape[-3:-1])
        return np.ascontiguousarray(coarse[..., rows[:, None], columns, :])

    return make
