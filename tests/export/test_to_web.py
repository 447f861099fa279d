"""What `to_web` writes, with stand-ins for the npm packages; tests/export/web has the real ones."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import signal
import tempfile
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from export import npm_packages, onnx_graph, web_server
from export import to_web as exporting
from export.check_parity import check_parity
from export.npm_packages import MEDIABUNNY, ONNX_RUNTIME, Package
from export.options import ParityOptions, WebOptions
from export.to_web import to_web
from ssagan_tf.errors import DataError, Stopped
from ssagan_tf.options import OptionError
from tests.export.small_generators import Exports

pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of small stand-ins for the packages, which pass as the real ones."""
    for name in ("ONNX_RUNTIME", "MEDIABUNNY"):
        package = getattr(npm_packages, name)
        sums = {}
        for path in package.sha256:
            file = tmp_path / "node_modules" / package.name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(path)
            sums[path] = hashlib.sha256(path.encode()).hexdigest()
        stand_in = Package(package.name, package.version, sums, package.licence)
        monkeypatch.setattr(exporting, name, stand_in)
    return tmp_path / "node_modules"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a small page."""
    folder = tmp_path / "page"
    (folder / "deep").mkdir(parents=True)
    (folder / "index.html").write_text('<link href="a.css"><a href="b.html"><img src="deep/c.js">')
    (folder / "a.css").write_text("a")
    (folder / "deep" / "c.js").write_text("c")
    monkeypatch.setattr(exporting, "_PAGE", folder)
    return folder


def exported(output: Path) -> dict:
    return json.loads((output / "manifest.json").read_text())


@pytest.mark.slow
def test_a_site(runtime: Path, page: Path, exports: Exports, tmp_path: Path, capsys) -> None:
    def export(name: str) -> dict:
        options = {"model": str(exports.keras_file), "runtime": str(runtime)}
        to_web(WebOptions(**options, output=str(tmp_path / name)))
        return exported(tmp_path / name)

    about = export("site")
    site = tmp_path / "site"
    found = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert found == {"manifest.json", *about["files"]}
    for name, expected in about["files"].items():
        content = (site / name).read_bytes()
        assert len(content) == expected["bytes"]
        assert hashlib.sha256(content).hexdigest() == expected["sha256"]
    named = [about["model"]["file"], about["mediabunny"], *(sky["file"] for sky in about["skies"])]
    named += [about["runtime"][key] for key in ("module", "loader", "wasm")]
    assert set(named) <= found
    assert len(about["skies"]) == 3
    assert f"{about['scripts']}/deep/c.js" in found
    scripts = about["scripts"]
    assert (site / "index.html").read_text() == (
        f'<link href="{scripts}/a.css"><a href="b.html"><img src="{scripts}/deep/c.js">'
    )
    assert about["model"]["resolution"] == 64
    assert {f"{p.folder}/LICENSE" for p in (ONNX_RUNTIME, MEDIABUNNY)} <= found
    table = dict(re.findall(r"^(.*?) +([\d.]+) MB$", capsys.readouterr().out, re.MULTILINE))
    total = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    assert float(table["all"]) == round(total / 1e6, 2)

    (page / "deep" / "c.js").write_text("d")
    again = export("again")
    assert again["scripts"] != scripts  # so a cached script is never taken for the new one
    assert again["model"]["fingerprint"] == about["model"]["fingerprint"]
    assert again["skies"] == about["skies"]

    check_parity(
        ParityOptions(model=str(exports.keras_file), web=str(site), batches=("1",), repeats=1)
    )
    assert "all within tolerance" in capsys.readouterr().out


@pytest.mark.slow
def test_weights_in_float16(exports: Exports, tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    whole = onnx.load(exports.onnx())
    halved = onnx.ModelProto()
    halved.CopyFrom(whole)
    onnx_graph.store_in_float16(halved)
    onnx_graph.shorten_names(halved)
    onnx.checker.check_model(halved)
    assert halved.ByteSize() < 0.7 * whole.ByteSize()  # its graph is as large as its weights
    assert all(len(each.name) < 6 for each in halved.graph.initializer)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype("float32")
    clips = [
        onnxruntime.InferenceSession(each.SerializeToString()).run(None, {"image": image})[0]
        for each in (whole, halved)
    ]
    assert clips[1].dtype == np.float32
    assert 0 < np.abs(clips[0] - clips[1]).max() < 5e-3


def test_the_order_of_weights_does_not_change_the_file() -> None:
    from onnx import helper, numpy_helper

    weights = [numpy_helper.from_array(np.float32([value]), f"w{value}") for value in range(4)]
    ends = ["image", *(f"sum{number}" for number in range(3)), "clip"]
    nodes = [
        helper.make_node("Add", [start, f"w{number}"], [end])
        for number, (start, end) in enumerate(itertools.pairwise(ends))
    ]
    image, clip = (helper.make_tensor_value_info(name, 1, [1]) for name in ("image", "clip"))
    files = set()
    for order in itertools.permutations(weights):
        model = helper.make_model(helper.make_graph(nodes, "graph", [image], [clip], order))
        onnx_graph.shorten_names(model)
        files.add(model.SerializeToString())
    assert len(files) == 1


def test_another_file_than_that_of_the_package(runtime: Path, tmp_path: Path) -> None:
    (runtime / "mediabunny" / "LICENSE").write_text("another")
    options = WebOptions(output=str(tmp_path / "site"), runtime=str(runtime))
    with pytest.raises(DataError, match=r"LICENSE is not the file of mediabunny@\d"):
        to_web(options)
    (runtime / "mediabunny" / "LICENSE").unlink()
    with pytest.raises(DataError, match=r"LICENSE: not found; expected mediabunny@\d"):
        to_web(options)
    assert {path.name for path in tmp_path.iterdir()} == {"node_modules"}


def test_the_real_files_are_expected(tmp_path: Path) -> None:
    for package in (ONNX_RUNTIME, MEDIABUNNY):
        for path in package.sha256:
            file = tmp_path / package.name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("small")
    options = WebOptions(output=str(tmp_path / "site"), runtime=str(tmp_path))
    with pytest.raises(DataError, match="is not the file of onnxruntime-web@"):
        to_web(options)


def test_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"npm, which gets .* give --runtime=node_modules, made by"):
        to_web(WebOptions(output=str(tmp_path / "site")))


def test_npm_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("npm", "tar"):
        (tmp_path / name).write_text("#!/bin/sh\necho npm error code ENOTFOUND >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"download onnxruntime-web@.*: npm error code ENOTFOUND;"):
        to_web(WebOptions(output=str(tmp_path / "site")))
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (WebOptions(), OptionError, "^output=: is required"),
        (
            WebOptions(output="x", port=1),
            OptionError,
            "^port=1: has no effect without",
        ),
        (WebOptions(output="full"), DataError, "^full is not empty"),
        (WebOptions(output="x", run_dir="gone"), DataError, "gone"),
        (WebOptions(output="x", run_dir="a", model="b.keras"), OptionError, "^run_dir=a: give"),
    ],
)
def test_bad_settings(options, error, message, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(error, match=message):
        to_web(options)
    assert {path.name for path in tmp_path.iterdir()} == {"full"}


def test_sigterm_leaves_nothing(runtime: Path, tmp_path: Path, monkeypatch) -> None:
    def add_model(source: object, folder: Path) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(exporting, "_add_model", add_model)
    (tmp_path / "sites").mkdir()
    with pytest.raises(Stopped):
        to_web(WebOptions(output=str(tmp_path / "sites" / "one"), runtime=str(runtime)))
    assert not list((tmp_path / "sites").iterdir())
    assert signal.getsignal(signal.SIGTERM) == before


def test_serving_ends_without_a_trace(tmp_path: Path, monkeypatch, capsys) -> None:
    """The site is served from a temporary folder; here there is only one file in it."""

    def export(source: object, output: Path, runtime: str) -> None:
        output.mkdir()
        (output / "index.html").write_text("hello")

    def serve_forever(server: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(exporting, "_export", export)
    monkeypatch.setattr(web_server.http.server.ThreadingHTTPServer, "serve_forever", serve_forever)
    with pytest.raises(KeyboardInterrupt):
        to_web(WebOptions(serve=True, port=0))
    assert re.search(r"open http://127.0.0.1:\d+/; Ctrl-C stops", capsys.readouterr().out)
    assert not list(tmp_path.iterdir())


def test_types_and_headers(tmp_path: Path) -> None:
    for name in ("a.js", "b.wasm", "index.html"):
        (tmp_path / name).touch()
    with web_server.listen(tmp_path, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        types = {}
        for name in ("a.js", "b.wasm", ""):
            with urllib.request.urlopen(web_server.address(server) + name) as response:
                types[name] = response.headers["Content-Type"]
                assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        with pytest.raises(DataError, match=r"cannot listen on .*; choose another --port"):
            web_server.listen(tmp_path, server.server_port)
        server.shutdown()
        thread.join()
    assert types == {"a.js": "text/javascript", "b.wasm": "application/wasm", "": "text/html"}
