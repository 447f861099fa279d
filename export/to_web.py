"""`to_web`: exports a generator as a static site that animates photos in the browser."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ssagan_tf
from ssagan_tf import box, cli
from ssagan_tf.errors import require_extra
from ssagan_tf.files import check_new_folder, replacing_folder, sha256_of
from ssagan_tf.options import ComputeOptions, refuse_without_effect, require
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training import generator_source
from ssagan_tf.training.generator_source import Source

from . import npm_packages, web_server
from .npm_packages import MEDIABUNNY, ONNX_RUNTIME, Package
from .options import WebOptions

ABOUT = """
Writes a static site: drop a photo of a sky or a sea and see it move, in the browser, which computes
everything. The photo is sent nowhere. Any web server can host the folder. ONNX Runtime Web and the
writer of video files are downloaded with npm and checked.
"""
FORMAT = 1
MANIFEST = "manifest.json"
_PAGE = Path(__file__).with_name("web")
_SKIES = Path(__file__).with_name("web_skies")
_INDEX = "index.html"
_DIGITS = 12  # of the hashes in names of files
_OPSET = 18
_ATTENTION_MEMORY = 256  # MiB, for a batch of one; browsers give a page about 2 GiB
_LATER = ("skies/", f"{MEDIABUNNY.folder}/")  # not needed to show the page


def to_web(options: WebOptions) -> None:
    """Writes the folder `options.output`, or nothing if anything fails; serves it if asked to.

    Raises:
      OptionError: A setting is missing or invalid.
      DataError: The generator cannot be read, the extra `onnx` or npm is not installed, a file of
        an npm package is another one, the folder cannot be written, or the port is in use.
      Stopped: A signal ended it.
    """
    refuse_without_effect(options)
    if not options.serve:
        require(options, "output")
    source = generator_source.find(options, otherwise=box.BOX)
    require_extra("onnx", "onnx", "onnxruntime", "tf2onnx")
    with contextlib.ExitStack() as stack:
        stack.enter_context(cli.stopped_by_signals("stopped"))
        if options.output:
            output = Path(options.output)
        else:
            temporary = tempfile.TemporaryDirectory(prefix="ssagan_tf-")
            output = Path(stack.enter_context(temporary)) / "site"
        check_new_folder(output)
        if options.serve:
            server = stack.enter_context(web_server.listen(output, options.port))
        _export(source, output, options.runtime)
        if options.serve:
            print(f"open {web_server.address(server)}; Ctrl-C stops the server", flush=True)
            server.serve_forever()


def _export(source: Source, output: Path, runtime: str) -> None:
    packages = ONNX_RUNTIME, MEDIABUNNY
    with replacing_folder(output) as folder:
        with npm_packages.folders_of(packages, runtime) as folders:
            for package, found in folders.items():
                package.copy(found, folder / package.folder)
        print(f"writing {output}", flush=True)
        site = {
            "format": FORMAT,
            "ssagan_tf": ssagan_tf.__version__,
            "model": _add_model(source, folder),
            "runtime": {
                "version": ONNX_RUNTIME.version,
                "module": f"{ONNX_RUNTIME.folder}/ort.wasm.min.js",
                "loader": f"{ONNX_RUNTIME.folder}/ort-wasm-simd-threaded.js",
                "wasm": f"{ONNX_RUNTIME.folder}/ort-wasm-simd-threaded.wasm",
            },
            "mediabunny": f"{MEDIABUNNY.folder}/mediabunny.min.js",
            "skies": _add_skies(folder),
            "scripts": _add_page(folder),
        }
        files = {
            path.relative_to(folder).as_posix(): {
                "bytes": path.stat().st_size,
                "sha256": sha256_of(path),
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        text = json.dumps({**site, "files": files}, indent=1, ensure_ascii=False)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    sizes = {name: about["bytes"] for name, about in files.items()}
    print(_table(sizes | {MANIFEST: (output / MANIFEST).stat().st_size}))


def _add_model(source: Source, folder: Path) -> dict[str, Any]:
    """Writes the network, with weights in float16, and returns facts about it."""
    load_tensorflow()
    from . import model_card, onnx_graph
    from .to_onnx import add_metadata, convert

    generator = source.load(ComputeOptions())
    # Photos are squeezed into squares, however the network's clips were made.
    described = model_card.settings(
        generator, source, "stretch", precision="float32", weights="float16", opset=_OPSET
    )
    model = convert(generator, _OPSET, _ATTENTION_MEMORY)
    onnx_graph.store_in_float16(model)
    onnx_graph.shorten_names(model)
    add_metadata(model, described)
    content = model.SerializeToString()
    name = _named("model", content, ".onnx")
    (folder / name).write_bytes(content)
    facts = ("source", "fingerprint", "resolution", "frames", "weights")
    licence = {"licence": described["box"]["licence"]} if "box" in described else {}
    return {
        "file": name,
        **{fact: described[fact] for fact in facts},
        "parameters": generator.count_params(),
        **licence,
    }


def _add_skies(folder: Path) -> list[dict[str, str]]:
    """Copies the pictures that visitors can try, and returns their names and files."""
    (folder / "skies").mkdir()
    skies = []
    for path in sorted(_SKIES.glob("*.webp")):
        picture = path.read_bytes()
        file = "skies/" + _named(path.stem, picture, path.suffix)
        (folder / file).write_bytes(picture)
        skies.append({"name": path.stem.replace("-", " ").capitalize(), "file": file})
    return skies


def _add_page(folder: Path) -> str:
    """Copies the page, its scripts into a folder named by their content, and returns its name."""
    paths = [path for path in sorted(_PAGE.rglob("*")) if path.is_file()]
    files = {path.relative_to(_PAGE).as_posix(): path.read_bytes() for path in paths}
    index = files.pop(_INDEX).decode()
    listing = [[name, hashlib.sha256(content).hexdigest()] for name, content in files.items()]
    scripts = _named("scripts", json.dumps(listing).encode())
    for name, content in files.items():
        target = folder / scripts / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def moved(match: re.Match[str]) -> str:
        attribute, name = match.groups()
        return f'{attribute}="{scripts}/{name}"' if name in files else match[0]

    index = re.sub(r'\b(href|src)="([^"]+)"', moved, index)
    (folder / _INDEX).write_text(index, encoding="utf-8")
    return scripts


def _named(name: str, content: bytes, suffix: str = "") -> str:
    """Returns a name that changes with the content, so that caches never mix two versions."""
    return f"{name}-{hashlib.sha256(content).hexdigest()[:_DIGITS]}{suffix}"


def _table(sizes: Mapping[str, int]) -> str:
    """Returns the sizes of the site's parts, and of what is loaded before a photo can move."""

    def total(*names: str) -> int:
        return sum(size for name, size in sizes.items() if name.startswith(names))

    def folder(package: Package) -> str:
        return f"{package.folder}/"

    rows = {
        f"ONNX Runtime Web {ONNX_RUNTIME.version}": total(folder(ONNX_RUNTIME)),
        "network": total("model-"),
        "page": total(_INDEX, MANIFEST, "scripts-"),
        "three skies": total("skies/"),
        f"Mediabunny {MEDIABUNNY.version}, for saving": total(folder(MEDIABUNNY)),
        "all": sum(sizes.values()),
        "loaded before a photo moves": sum(
            size
            for name, size in sizes.items()
            if not name.startswith(_LATER) and not name.endswith(npm_packages.LICENCE)
        ),
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:{width}} {size / 1e6:6.2f} MB" for name, size in rows.items())


def main() -> None:
    cli.run("to_web", ABOUT, [WebOptions], to_web, package=__package__)


if __name__ == "__main__":
    main()
