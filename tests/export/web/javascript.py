"""Runs functions of the web page's modules in a node process, on NumPy arrays."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.programs import ROOT

WEB = ROOT / "export" / "web"
_OLDEST = [20, 19]  # version of node that recognizes ES modules in .js files
_RUNNER = Path(__file__).with_name("run_functions.mjs")


class JavaScriptError(Exception):
    """An exception that a JavaScript function threw.

    Attributes:
      name: Its class.
      message: What it says.
      properties: Its other properties.
    """

    def __init__(self, name: str, message: str, properties: dict[str, Any]):
        super().__init__(f"{name}: {message}")
        self.name, self.message, self.properties = name, message, properties


class Node:
    """A node process that runs one function after the other; it keeps loaded modules.

    Arrays become and come from pictures where they are `[H, W]` or `[H, W, C]` (a single channel is
    left out on the way back), and typed arrays where they are flat. Lists, dicts, numbers (also
    those that are not finite), strings and None are what one expects; undefined is None.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(_RUNNER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def __call__(self, module: str, function: str, *arguments: Any) -> Any:
        """Returns what a function of a module returns, or its promise resolves to.

        Args:
          module: Path below `export/web`, such as "imaging/filters.js".
          function: Name of an exported function.

        Raises:
          JavaScriptError: The function threw it.
        """
        request = {
            "module": (WEB / module).as_uri(),
            "function": function,
            "arguments": [_packed(each) for each in arguments],
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "node has ended"
        answer = _unpacked(json.loads(line))
        if "error" in answer:
            raise JavaScriptError(**answer["error"])
        return answer["result"]

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def start_node() -> Iterator[Node]:
    """Yields a process, for a fixture: `node = pytest.fixture(scope="module")(start_node)`."""
    if shutil.which("node") is None:
        pytest.skip("node, which runs the page's modules, is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    if [int(part) for part in version.strip("v\n").split(".")[:2]] < _OLDEST:
        pytest.skip(f"node {version.strip()} takes .js files for modules of its own kind")
    node = Node()
    yield node
    node.close()


def _packed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.astype(np.uint8) if value.dtype == bool else value
        packed = {"type": value.dtype.name, "shape": value.shape}
        return {"$array": packed | {"bytes": base64.b64encode(value.tobytes()).decode()}}
    if isinstance(value, dict):
        return {key: _packed(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_packed(each) for each in value]
    if isinstance(value, (float, np.number)):
        value = float(value)
        return value if np.isfinite(value) else {"$number": str(value)}
    return value


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$number" in value:
        return float(value["$number"])
    if "$array" in value:
        packed = value["$array"]
        flat = np.frombuffer(base64.b64decode(packed["bytes"]), packed["type"])
        return flat.reshape(packed["shape"])
    return {key: _unpacked(each) for key, each in value.items()}
