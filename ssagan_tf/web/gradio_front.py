"""Middleware between the guard and Gradio, which has many more routes than a page needs.

Only known requests are passed on to Gradio. Gradio exposes the paths of files on this machine; here
they are replaced by public names, in both directions, and files are served by this module.
"""

from __future__ import annotations

import asyncio
import html
import json
import math
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ssagan_tf.errors import DataError, missing_extra
from ssagan_tf.web.temporary_files import TemporaryFiles

try:
    from starlette.datastructures import MutableHeaders
    from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
except ImportError as error:
    raise missing_extra(error, "demo") from error

UPLOAD = "/gradio_api/upload"
_PROGRESS = "/gradio_api/upload_progress"
_JOIN = "/gradio_api/queue/join"  # calls by the page and by Gradio's client
_CALL = re.compile(r"/gradio_api/call/\w{1,64}")  # calls by other programs, by name
_FILE = "/gradio_api/file="
_PUBLIC_FOLDER = "/files"  # public name of the folder
_STATIC = ("/", "/config", "/gradio_api/info")  # the same for all visitors
_GET = re.compile(
    r"/favicon\.ico|/theme\.css|/(assets|static)/[\w./-]+"
    r"|/gradio_api/(queue/data|heartbeat/[\w-]{1,64}|call/\w{1,64}/[0-9a-f]{32})"
)
_NAME = re.compile(r"/files/([\w-]{1,64})/([^/\\\0]{1,255})")
_SESSION = re.compile(r"[\w-]{1,64}")
_MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".gif": "image/gif",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
_DROPPED_HEADERS = (b"accept-encoding", b"range", b"x-forwarded-host", b"x-gradio-server")


class GradioFront:
    """ASGI middleware.

    Args:
      app: The application, with Gradio mounted at `/`.
      files: Where Gradio and the page's functions put their files, each in a folder of its own.
      check: Gets the path of an upload and raises DataError to refuse it.
      max_upload: Bytes of an upload.
    """

    def __init__(
        self, app: ASGIApp, files: TemporaryFiles, check: Callable[[Path], None], max_upload: int
    ):
        self._app, self._files, self._check, self._max_upload = app, files, check, max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = [
            (name, value) for name, value in scope["headers"] if name not in _DROPPED_HEADERS
        ]
        path, route = scope["path"], (scope["method"], scope["path"])
        inner = {**scope, "headers": headers}
        if path in _STATIC:
            inner["query_string"] = b""
        if route == ("POST", UPLOAD):
            # Without the id under which Gradio would track its progress.
            answer = await self._upload({**inner, "query_string": b""}, receive)
        elif route == ("POST", _JOIN):
            answer = await self._call(inner, receive, send, _of_session)
        elif scope["method"] == "POST" and _CALL.fullmatch(path):
            answer = await self._call(inner, receive, send, lambda sent: {})
        elif route == ("GET", _PROGRESS):
            # Uploads arrive complete. Gradio would never forget an id that it is asked about.
            answer = Response('data: {"msg": "done"}\n\n', media_type="text/event-stream")
        elif scope["method"] in ("GET", "HEAD") and path.startswith(_FILE):
            answer = self._file(path.removeprefix(_FILE))
        elif scope["method"] in ("GET", "HEAD") and _is_known(path):
            answer = None
            await self._app(inner, receive, self._renaming(send))
        else:
            answer = PlainTextResponse("not found\n", 404)
        if answer is not None:
            await answer(scope, receive, send)

    # Files.

    def _private_path(self, name: str) -> Path | None:
        """Returns the path of a file by its public name, if it exists."""
        match = _NAME.fullmatch(name)
        if match is None or match[2] in (".", ".."):
            return None
        path = self._files.folder / match[1] / match[2]
        try:
            return path if path.is_file() and not path.is_symlink() else None
        except OSError:  # 255 characters may be more bytes than a name can have
            return None

    def _public_path(self, path: str) -> str:
        return path.replace(str(self._files.folder), _PUBLIC_FOLDER)

    def _file(self, name: str) -> Response:
        path = self._private_path(name)
        if path is None:
            return PlainTextResponse("file not found; files are deleted after a while\n", 404)
        kind = _MEDIA_TYPES.get(path.suffix.lower())
        if kind is None:
            return FileResponse(path, media_type="application/octet-stream", filename=path.name)
        answer = FileResponse(path, media_type=kind)
        answer.headers["Content-Disposition"] = f"inline; filename*=utf-8''{quote(path.name)}"
        answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
        return answer

    # Requests of the page.

    async def _upload(self, scope: Scope, receive: Receive) -> Response:
        await asyncio.to_thread(self._files.sweep, self._max_upload)
        status, body = await _response_of(self._app, scope, receive)
        if status != 200:
            return PlainTextResponse("the upload could not be read\n", 400)
        paths = [Path(path) for path in json.loads(body)]
        try:
            if len(paths) != 1:
                raise DataError("upload one file at a time")
            await asyncio.to_thread(self._check, paths[0])
        except DataError as error:
            for path in paths:
                await asyncio.to_thread(shutil.rmtree, path.parent, True)
            return PlainTextResponse(f"{error}\n", 400)
        return JSONResponse([self._public_path(str(path)) for path in paths])

    async def _call(
        self, scope: Scope, receive: Receive, send: Send, others: Callable[[Any], dict[str, Any]]
    ) -> Response | None:
        """Passes on a call: its data, and the other fields that are known."""
        message = await receive()  # complete, thanks to the guard
        try:
            sent = json.loads(message["body"])
            data = [self._known_value(value) for value in sent["data"]]
            body = json.dumps({"data": data, **others(sent)}).encode()
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return _page_error("Invalid request. Please reload the page.", 400)
        except FileNotFoundError:
            return _page_error("The photo has been deleted. Please add it again.", 404)
        headers = [(k, v) for k, v in scope["headers"] if k != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        first = [{**message, "body": body}]

        async def changed() -> Message:
            return first.pop() if first else await receive()

        await self._app({**scope, "headers": headers}, changed, self._renaming(send))
        return None

    def _known_value(self, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | float):
            if not math.isfinite(value):
                raise ValueError("not a finite number")
            return value
        path = self._private_path(value["path"])
        if path is None:
            raise FileNotFoundError
        return {
            "path": str(path),
            "orig_name": path.name,
            "meta": {"_type": "gradio.FileData"},
        }

    # Responses of Gradio.

    def _renaming(self, send: Send) -> Send:
        """Returns a `send` that replaces paths by public names. Gradio sends each event and each
        JSON in one piece, so that no path is split."""
        private_paths, public = _spellings(str(self._files.folder)), _PUBLIC_FOLDER.encode()
        is_text = False

        async def renamed(message: Message) -> None:
            nonlocal is_text
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                kind = headers.get("content-type", "")
                is_text = kind.startswith(("application/json", "text/event-stream", "text/html"))
                if is_text and "content-length" in headers:
                    del headers["content-length"]
            elif is_text:
                body = message.get("body", b"")
                for private in private_paths:
                    body = body.replace(private, public)
                message = {**message, "body": body}
            await send(message)

        return renamed


def _is_known(path: str) -> bool:
    return path in _STATIC or (_GET.fullmatch(path) is not None and ".." not in path)


def _of_session(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields that identify the function and the session."""
    if not (isinstance(sent["fn_index"], int) and _SESSION.fullmatch(sent["session_hash"])):
        raise ValueError("not a function call")
    return {
        "fn_index": sent["fn_index"],
        "session_hash": sent["session_hash"],
        "trigger_id": sent.get("trigger_id") and int(sent["trigger_id"]),
    }


def _spellings(path: str) -> list[bytes]:
    """Returns a path as text and in JSON, URLs and HTML, which differ for `%`, `#`, `ä` or `'`."""
    in_json = json.dumps(path)[1:-1]
    in_urls = (quote(path, safe=f"/{kept}") for kept in ("", "'", "'()!*~", ":'()!*~,;=@&$+#"))
    spellings = {path, in_json, *in_urls, html.escape(path), html.escape(path, quote=False)}
    return sorted((each.encode() for each in spellings), key=len, reverse=True)


def _page_error(line: str, status: int) -> Response:
    return JSONResponse({"detail": line}, status)


async def _response_of(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[int, bytes]:
    """Returns status and body of a response instead of sending it."""
    status, body = 500, bytearray()

    async def keep(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, keep)
    return status, bytes(body)
