"""The wheel holds everything that runs, and the sdist builds the same wheel."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ssagan_tf

ROOT = Path(__file__).parents[2]
FOLDERS = {"ssagan_tf": "ssagan_tf", "export": "ssagan_tf/export", "configs": "ssagan_tf/configs"}
FILES = ("setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
CHECKOUT_ONLY = {"ssagan_tf.export.to_box"}  # writes into the package itself
BUILD = """
import os, tarfile
from setuptools import build_meta
build_meta.build_wheel("built")
with tarfile.open("built/" + build_meta.build_sdist("built")) as archive:
    archive.extractall("unpacked", filter="data")
[name] = os.listdir("unpacked")
os.chdir(f"unpacked/{name}")
build_meta.build_wheel("../../rebuilt")
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packaged files, with its wheel in built/ and its sdist's wheel in rebuilt/."""
    pytest.importorskip("setuptools", reason="setuptools is not installed")
    root = tmp_path_factory.mktemp("checkout")
    for name in FILES:
        shutil.copy(ROOT / name, root)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("built", "rebuilt"):
        (root / name).mkdir()
    built = subprocess.run([sys.executable, "-c", BUILD], cwd=root, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return root


def _members(folder: Path) -> dict[str, int]:
    """Names and checksums of what a folder's wheel installs."""
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {each.filename: each.CRC for each in archive.infolist()}


@pytest.mark.slow
def test_the_wheel_holds_every_file(checkout: Path) -> None:
    expected = {
        f"{installed}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, installed in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    installed = {name for name in _members(checkout / "built") if ".dist-info/" not in name}
    assert installed == expected


@pytest.mark.slow
def test_the_sdist_builds_the_same_wheel(checkout: Path) -> None:
    assert _members(checkout / "built") == _members(checkout / "rebuilt")


@pytest.mark.slow
def test_modules_and_recipes_of_the_wheel_are_found(checkout: Path, tmp_path: Path) -> None:
    [wheel] = (checkout / "built").glob("*.whl")
    code = """
import importlib.resources, ssagan_tf.export.onnx_generate
from ssagan_tf.export.serving import client
print(ssagan_tf.__file__, client.ClientOptions.__module__)
print((importlib.resources.files("ssagan_tf.configs") / "demo.cfg").is_file())
"""
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert found == f"{wheel}/ssagan_tf/__init__.py ssagan_tf.export.options\nTrue\n"


def test_every_program_has_a_console_script() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options.entry_points"]["console_scripts"].split("\n")
    scripts = dict(line.split(" = ") for line in filter(None, lines))
    programs = {
        ".".join([*Path(installed).parts, *path.relative_to(ROOT / folder).with_suffix("").parts])
        for folder, installed in FOLDERS.items()
        for path in (ROOT / folder).rglob("*.py")
        if _is_program(path)
    }
    assert len(programs) > 15
    assert set(scripts.values()) == {f"{name}:main" for name in programs - CHECKOUT_ONLY}
    assert all(name.startswith("ssagan-") for name in scripts)


def _is_program(path: Path) -> bool:
    statements = ast.parse(path.read_text("utf-8")).body
    return any(
        isinstance(each, ast.If) and ast.unparse(each.test) == "__name__ == '__main__'"
        for each in statements
    )


def test_the_workflow_runs_ci_on_the_lowest_python() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lowest = setup["options"]["python_requires"].removeprefix(">=")
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    assert f'python: ["{lowest}", ' in workflow
    assert "- run: .ci/run\n" in workflow


def test_the_version_is_the_same_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    released = [line for line in changelog.splitlines() if re.match(r"## \d", line)]
    date = released[0].rpartition("(")[2].removesuffix(")")
    assert released[0] == f"## {ssagan_tf.__version__} ({date})"
    assert f"\nversion: {ssagan_tf.__version__}\ndate-released: {date}\n" in citation
