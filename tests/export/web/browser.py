"""Opens a folder in Chromium as a static host would serve it, and records what it asks for.

Use it as a fixture: `from tests.export.web.browser import visit  # noqa: F401`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.server
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

FOLDER = "some/folder"
"""Path of the served folder on its host: sites must not need the root."""
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
"""Headers with which a page may use threads."""
TIMEOUT = 30_000  # milliseconds; the machine may be busy


@dataclasses.dataclass
class Visit:
    """A page that is open in the browser.

    Attributes:
      page: Playwright's page.
      address: Of the served folder; ends in a slash.
      requests: Addresses that the page and its workers asked for, in order.
      errors: Errors of the console and exceptions, such as violations of the page's policy.
    """

    page: Any
    address: str
    requests: list[str] = dataclasses.field(default_factory=list)
    errors: list[str] = dataclasses.field(default_factory=list)

    @property
    def files(self) -> list[str]:
        """Paths in the folder that were asked for."""
        return [
            each.removeprefix(self.address)
            for each in self.requests
            if each.startswith(self.address)
        ]

    @property
    def elsewhere(self) -> list[str]:
        """Requests to anything but the folder and the page's own objects in memory."""
        own = (self.address, "blob:", "data:")
        return [each for each in self.requests if not each.startswith(own)]


@pytest.fixture
def visit(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Visit]]:
    """Opens a page of a folder: `visit(folder, "index.html", headers={}, **context)`.

    `headers` are added to each response; `context` are settings of Playwright's context, such as
    `color_scheme="dark"`.
    """
    with contextlib.ExitStack() as stack:

        def open_page(
            folder: Path, page: str = "", headers: Mapping[str, str] | None = None, **context: Any
        ) -> Visit:
            root = tmp_path_factory.mktemp("host")
            (root / FOLDER).parent.mkdir(parents=True)
            (root / FOLDER).symlink_to(folder.resolve(), target_is_directory=True)
            origin = stack.enter_context(_serving(root, headers or {}))
            opened = browser.new_context(**context)
            stack.callback(opened.close)
            opened.set_default_timeout(TIMEOUT)
            visited = Visit(opened.new_page(), f"{origin}/{FOLDER}/")
            opened.on("request", lambda request: visited.requests.append(request.url))
            visited.page.on("pageerror", lambda error: visited.errors.append(str(error)))
            visited.page.on(
                "console",
                lambda line: line.type == "error" and visited.errors.append(line.text),
            )
            visited.page.goto(visited.address + page)
            return visited

        yield open_page


@contextlib.contextmanager
def _serving(root: Path, headers: Mapping[str, str]) -> Iterator[str]:
    """Serves a folder on a free port of this machine, and yields its address without a slash."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in headers.items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *about: Any) -> None:
            pass

    handler = functools.partial(Handler, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
