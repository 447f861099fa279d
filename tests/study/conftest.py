"""A study served by the program itself, and subjects who take part."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from ssagan_tf import video
from ssagan_tf.skies.any_wind import synthetic_clip

CLIPS = 4
ROOT = Path(__file__).parents[2]


class Served:
    """`python -m ssagan_tf.study` in a process of its own."""

    def __init__(self, *arguments: str):
        self._arguments = arguments
        self.port = 0
        self.start()

    def start(self) -> None:
        """Starts it, on the same port if it has run before."""
        command = [sys.executable, "-u", "-m", "ssagan_tf.study", *self._arguments]
        self.process = subprocess.Popen(
            [*command, f"--port={self.port}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        for line in self.process.stdout:
            self.output += line
            if line.startswith("study: "):
                self.url = line.split()[1]
            if line.startswith("Ctrl-C"):
                break
        else:
            raise AssertionError(self.output)
        self.port = int(self.url.split("/")[2].rpartition(":")[2])
        deadline = time.monotonic() + 30
        while True:  # listening begins before the application does
            try:
                Subject(self.port).get("/")
                return
            except OSError:
                assert time.monotonic() < deadline, self.output
                time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL: no chance to clean up."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def interrupt(self) -> str:
        """Ctrl-C; returns its last output."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 130, (self.process.returncode, rest)
        return rest


class Subject:
    """A browser: cookies and requests."""

    def __init__(self, port: int):
        self._port = port
        self.cookies: dict[str, str] = {}
        self.seconds: list[float] = []

    def request(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies, "Content-Type": "application/json", **headers}
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        self.seconds.append(time.monotonic() - began)
        for cookie in response.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(cookie).items()}
        return response.status, content, response.headers

    def get(self, path: str, **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any = None) -> dict[str, Any]:
        status, content, _ = self.request("POST", path, body or {})
        assert status == 200, content
        return json.loads(content)

    def vote(self, trial: dict[str, str], choice: str) -> dict[str, Any]:
        return self.post("/api/vote", {"trial": trial["key"], "choice": choice})


@pytest.fixture(scope="session")
def systems(tmp_path_factory) -> Path:
    """Folders of clips: real, A (darker) and B (still), with dates and sizes of their own."""
    folder = tmp_path_factory.mktemp("systems")
    for number in range(CLIPS):
        clip = synthetic_clip(3, number, 32, 32)
        for name, frames in {"real": clip, "A": clip // 2, "B": clip[:1].repeat(32, 0)}.items():
            video.write_frames(folder / name / f"evening{number}", frames)
    return folder


@pytest.fixture(scope="session")
def start_study() -> Callable[..., Served]:
    """Starts a small study of these systems in a process of its own."""

    def start(systems: Path, store: Path, **more: object) -> Served:
        settings = {
            "systems": ",".join(f"{name}={systems / name}" for name in ("A", "B", "real")),
            "store": store,
            "pairs": 2,
            **more,
        }
        return Served(*[f"--{name}={value}" for name, value in settings.items()])

    return start


@pytest.fixture
def serve(systems: Path, start_study, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts a study for one test; stops it at the end, whatever happens."""
    running = []

    def start(**more: object) -> Served:
        running.append(start_study(systems, tmp_path / "study.sqlite", **more))
        return running[-1]

    yield start
    for served in running:
        if served.process.poll() is None:
            served.kill()


@pytest.fixture
def visit() -> Callable[..., Subject]:
    """A new visitor of a study, with the page open."""

    def open_page(served: Served, admitted: bool = True) -> Subject:
        subject = Subject(served.port)
        status, _, _ = subject.get("/")
        assert status == (200 if admitted else 403)
        return subject

    return open_page
