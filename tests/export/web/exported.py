"""The exported site of the bundled model, with the real ONNX Runtime Web.

Use it as a fixture: `from tests.export.web.exported import site  # noqa: F401`. SSAGAN_WEB_PACKAGES
may name a folder with the npm packages; otherwise npm downloads them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from export import to_web as exporting
from export.options import WebOptions
from export.to_web import to_web
from ssagan_tf.errors import DataError


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the site, whose skies are small; exported once for all processes of the tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "site"
    with _alone(shared / "site.lock"), pytest.MonkeyPatch.context() as patch:
        if not folder.exists():
            patch.setattr(exporting, "_SKIES", _small_skies(shared / "small_skies"))
            runtime = os.environ.get("SSAGAN_WEB_PACKAGES", "")
            try:
                to_web(WebOptions(output=str(folder), runtime=runtime))
            except DataError as error:
                if not str(error).startswith(("npm", "tar")):
                    raise
                pytest.skip(str(error))
    return folder


def _small_skies(folder: Path) -> Path:
    folder.mkdir()
    for path in exporting._SKIES.glob("*.webp"):
        picture = Image.open(path)
        picture.thumbnail((160, 160))
        picture.save(folder / path.name)
    return folder


def manifest(site: Path) -> dict[str, Any]:
    return json.loads((site / "manifest.json").read_text())


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
