"""The models of the package, and its pages, are in what is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = """
from setuptools import build_meta
build_meta.build_wheel("out")
build_meta.build_sdist("out")
"""


@pytest.mark.slow
def test_wheel_and_sdist_have_them(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", reason="setuptools is not installed")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for room in (".", "box", "demo_page", "study", "study/page"):  # enough, and quick
        folder = tmp_path / "ssagan_tf" / room
        folder.mkdir(exist_ok=True)
        for path in (ROOT / "ssagan_tf" / room).iterdir():
            if path.is_file():
                shutil.copy(path, folder)
    files = {f"ssagan_tf/box/box-test.{kind}" for kind in ("keras", "json")}
    for name in files:
        (tmp_path / name).write_bytes(b"x")
    files |= {f"ssagan_tf/demo_page/painter.{kind}" for kind in ("html", "css", "js")}
    (tmp_path / "out").mkdir()
    subprocess.run([sys.executable, "-c", BUILD], cwd=tmp_path, capture_output=True, check=True)
    [wheel] = (tmp_path / "out").glob("*.whl")
    [sdist] = (tmp_path / "out").glob("*.tar.gz")
    assert files <= set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        assert files <= {name.partition("/")[2] for name in archive.getnames()}
