"""The engine of the exported site in Chromium: the network's numbers, requests, errors in words."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.onnx_session import OnnxGenerator
from ssagan_tf.pixels import to_float
from ssagan_tf.skies import procedural_clip
from tests.export.web.browser import ISOLATED, Visit, visit  # noqa: F401
from tests.export.web.exported import manifest, site  # noqa: F401

pytestmark = pytest.mark.slow

RUN = """async ([site, scripts, encoded]) => {
  const { Engine } = await import(`${site}${scripts}/engine.js`);
  const values = new Float32Array(Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0)).buffer);
  const engine = new Engine(site);
  let told = [];
  engine.onprogress = (loaded, total) => { told = [loaded, total]; };
  const { data, dims } = await engine.run(values);
  engine.close();
  let text = '';
  for (const byte of new Uint8Array(data.buffer)) text += String.fromCharCode(byte);
  return { clip: btoa(text), dims, told, isolated: crossOriginIsolated };
}"""
FAIL = """async ([site, scripts]) => {
  const { Engine } = await import(`${site}${scripts}/engine.js`);
  return new Engine(site).ready.then(() => '', (error) => error.reason);
}"""
TEXT = "onnxruntime-web-1.30.0/ort.wasm.min.js"
"""A file of the site that is not its page, which loads an engine of its own."""

# What the policy of the page says to a worker that asks for something else.
ASK_ELSEWHERE = """() => new Promise((answer) => {
    addEventListener('securitypolicyviolation', (event) => answer(event.effectiveDirective));
    const asked = () => setTimeout(answer, 1000, 'asked');
    fetch('http://localhost:9/').then(asked, asked);
})"""


@pytest.mark.parametrize(
    ("page", "headers"),
    [("", {}), pytest.param(TEXT, ISOLATED, marks=pytest.mark.long)],
    ids=["one thread", "threads"],
)
def test_the_network_computes_what_it_computes_in_python(
    page: str,
    headers: dict[str, str],
    site: Path,  # noqa: F811
    visit: Callable[..., Visit],  # noqa: F811
) -> None:
    about = manifest(site)
    photo = to_float(procedural_clip(3, 0, 64, frames=1, wind="canonical"))
    visited = visit(site, page, headers=headers)
    encoded = base64.b64encode(photo.tobytes()).decode()
    result = visited.page.evaluate(RUN, [visited.address, about["scripts"], encoded])
    clip = np.frombuffer(base64.b64decode(result["clip"]), "float32").reshape(result["dims"])
    expected = OnnxGenerator(site / about["model"]["file"])(photo)
    assert clip.shape == expected.shape
    assert np.abs(clip - expected).max() < 1e-3
    assert expected.std() > 0.05
    assert result["isolated"] == bool(headers)
    loaded = about["model"]["file"], about["runtime"]["wasm"]
    assert result["told"] == [sum(about["files"][name]["bytes"] for name in loaded)] * 2
    assert visited.elsewhere == []
    if page:
        return  # beside which the browser asks for an icon
    assert visited.errors == []
    [worker] = visited.page.workers
    assert worker.evaluate(ASK_ELSEWHERE) == "connect-src"
    assert set(visited.files) <= {"", "manifest.json", *about["files"]}
    assert {*loaded, about["runtime"]["module"]} <= set(visited.files)


def damage(path: Path) -> None:
    content = path.read_bytes()
    replace(path, content[:-1] + bytes([content[-1] ^ 1]))


def renew(path: Path) -> None:
    about = json.loads(path.read_text())
    replace(path, json.dumps({**about, "scripts": "scripts-0123"}).encode())


def replace(path: Path, content: bytes) -> None:
    path.unlink()  # it is a link to the file of the fixture
    path.write_bytes(content)


PROBLEMS = {
    "no network": (Path.unlink, "model", r"could not be loaded \(model-"),
    "a damaged network": (damage, "model", r"is damaged or out of date \(model-"),
    "no runtime": (Path.unlink, "runtime", r"could not be loaded \(ort-wasm-simd-threaded.wasm"),
    "no manifest": (Path.unlink, "manifest", r"could not be loaded \(manifest.json\): status 404"),
    "another version": (renew, "manifest", "there is a new version of this page"),
}


@pytest.mark.parametrize(("spoil", "what", "reason"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_is_wrong_is_said_in_words(
    spoil: Callable[[Path], None],
    what: str,
    reason: str,
    site: Path,  # noqa: F811
    visit: Callable[..., Visit],  # noqa: F811
    tmp_path: Path,
) -> None:
    shutil.copytree(site, tmp_path / "copy", copy_function=os.link)
    about = manifest(site)
    files = {"model": about["model"]["file"], "runtime": about["runtime"]["wasm"]}
    spoil(tmp_path / "copy" / files.get(what, "manifest.json"))
    visited = visit(tmp_path / "copy", TEXT)
    said = visited.page.evaluate(FAIL, [visited.address, about["scripts"]])
    assert re.search(reason, said)
    assert said.endswith("oad the page again") or said.endswith("Please load it again")


LACKS = {
    "no vectors": (
        "void (WebAssembly.validate = () => false)",
        "this browser is too old: it has no WebAssembly SIMD",
    ),
    "no memory": (
        "void (Worker.prototype.postMessage = () => { throw RangeError('allocation failed'); })",
        "there is not enough memory. Please close other tabs",
    ),
}


@pytest.mark.parametrize(("lack", "reason"), LACKS.values(), ids=LACKS)
def test_what_the_browser_lacks_is_said_in_words(
    lack: str,
    reason: str,
    site: Path,  # noqa: F811
    visit: Callable[..., Visit],  # noqa: F811
) -> None:
    visited = visit(site, TEXT)
    visited.page.evaluate(lack)
    said = visited.page.evaluate(FAIL, [visited.address, manifest(site)["scripts"]])
    assert said.startswith(reason)
