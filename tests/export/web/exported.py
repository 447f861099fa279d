"""The exported site of the bundled model, with the real ONNX Runtime Web.

Use it as a fixture: `from tests.export.web.exported import site  # noqa: F401`.
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

from export import npm_packages, web_skies
from export.npm_packages import MEDIABUNNY, ONNX_RUNTIME
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
    with _alone(shared / "site.lock"):
        if not folder.exists():
            _export(folder)
    return folder


def manifest(site: Path) -> dict[str, Any]:
    return json.loads((site / "manifest.json").read_text())


def _export(folder: Path) -> None:
    modules = folder.with_name("node_modules")
    if not modules.exists():
        modules.mkdir()
        try:
            with npm_packages.folders_of((ONNX_RUNTIME, MEDIABUNNY), "") as folders:
                for package, path in folders.items():
                    path.rename(modules / package.name)
        except DataError as error:
            pytest.skip(str(error))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web_skies, "WIDTH", 160)
        to_web(WebOptions(output=str(folder), runtime=str(modules)))


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
