"""The exported site of the bundled model, with the real ONNX Runtime Web.

Use them as fixtures: `from tests.export.web.exported import node_modules, site  # noqa: F401`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from export import npm_packages, web_skies
from export.npm_packages import MEDIABUNNY, ONNX_RUNTIME
from export.options import WebOptions
from export.to_web import to_web
from ssagan_tf.errors import DataError


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the npm packages: SSAGAN_WEB_PACKAGES if set, else npm downloads them."""
    if given := os.environ.get("SSAGAN_WEB_PACKAGES"):
        return Path(given).resolve()
    shared = _shared(tmp_path_factory)
    folder = shared / "node_modules"
    with _alone(shared / "node_modules.lock"):
        if not folder.exists():
            try:
                with npm_packages.folders_of((ONNX_RUNTIME, MEDIABUNNY), "") as folders:
                    for package, path in folders.items():
                        shutil.copytree(path, folder / package.name)
            except DataError as error:
                pytest.skip(str(error))
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, node_modules: Path) -> Path:
    """Folder of the site, whose skies are small; exported once for all processes of the tests."""
    shared = _shared(tmp_path_factory)
    folder = shared / "site"
    with _alone(shared / "site.lock"), pytest.MonkeyPatch.context() as patch:
        if not folder.exists():
            patch.setattr(web_skies, "WIDTH", 160)
            to_web(WebOptions(output=str(folder), runtime=str(node_modules)))
    return folder


def manifest(site: Path) -> dict[str, Any]:
    return json.loads((site / "manifest.json").read_text())


def _shared(factory: pytest.TempPathFactory) -> Path:
    """Returns a folder that all processes of the tests share."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
