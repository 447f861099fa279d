"""Serves a static site on this machine, as any web server would."""

from __future__ import annotations

import functools
import http.server
from pathlib import Path
from typing import Any

from ssagan_tf.errors import DataError

HOST = "127.0.0.1"  # no other machine can connect
_TYPES = {".js": "text/javascript", ".wasm": "application/wasm"}
_HEADERS = {
    # With these two, pages may use threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "no-cache",
}


class _Handler(http.server.SimpleHTTPRequestHandler):
    # Those of the system may be wrong: on Windows, any program can change them.
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | _TYPES

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *about: Any) -> None:
        pass


def listen(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    """Opens a port for the files in a folder; `serve_forever` then serves them.

    Args:
      folder: Its path.
      port: Port; 0 picks a free one.

    Raises:
      DataError: The port cannot be used.
    """
    handler = functools.partial(_Handler, directory=str(folder))
    try:
        return http.server.ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        raise DataError(
            f"cannot listen on {HOST}:{port}: {error.strerror or error}; choose another --port"
        ) from error


def address(server: http.server.ThreadingHTTPServer) -> str:
    """Returns the address to open in a browser."""
    return f"http://{HOST}:{server.server_port}/"
