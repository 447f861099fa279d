"""Stands between the guard and Gradio, which has many more routes than a page needs.

Gradio calls files by their paths on this machine. Here they have names of their own, outwards and
back, files are sent by us, and of what the page asks Gradio only what is known is passed on.
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
_JOIN = "/gradio_api/queue/join"  # calls of the page and of Gradio's client
_CALL = re.compile(r"/gradio_api/call/\w{1,64}")  # and of others, by name
_FILE = "/gradio_api/file="
_OUTSIDE = "/files"  # what the folder is called
_DESCRIBED = ("/", "/config", "/gradio_api/info")  # what there is, the same for everybody
_GET = re.compile(
    r"/favicon\.ico|/theme\.css|/(assets|static)/[\w./-]+"
    r"|/gradio_api/(queue/data|heartbeat/[\w-]{1,64}|call/\w{1,64}/[0-9a-f]{32})"
)
_NAME = re.compile(r"/files/([\w-]{1,64})/([^/\\\0]{1,255})")
_SESSION = re.compile(r"[\w-]{1,64}")
_KINDS = {
    ".mp4": "video/mp4",
    ".gif": "image/gif",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
_DROPPED = (b"accept-encoding", b"range", b"x-forwarded-host", b"x-gradio-server")


class GradioFront:
    """ASGI middleware.

    Args:
      app: With Gradio mounted at `/`.
      scratch: Where Gradio and the page's functions put their files, each in a folder of its own.
      check: Raises DataError for an upload that is not taken; gets its path.
      largest: Bytes of an upload.
    """

    def __init__(
        self, app: ASGIApp, scratch: TemporaryFiles, check: Callable[[Path], None], largest: int
    ):
        self._app, self._scratch, self._check, self._largest = app, scratch, check, largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name not in _DROPPED]
        path, what = scope["path"], (scope["method"], scope["path"])
        inner = {**scope, "headers": headers}
        if path in _DESCRIBED:
            inner["query_string"] = b""
        if what == ("POST", UPLOAD):
            # Without its id, under which Gradio would note its progress.
            answer = await self._upload({**inner, "query_string": b""}, receive)
        elif what == ("POST", _JOIN):
            answer = await self._call(inner, receive, send, _of_session)
        elif scope["method"] == "POST" and _CALL.fullmatch(path):
            answer = await self._call(inner, receive, send, lambda sent: {})
        elif what == ("GET", _PROGRESS):
            # Uploads come here whole. Gradio would note every id that it is asked about, for ever.
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

    def _inside(self, name: str) -> Path | None:
        """The file that is called so outside, if it is there."""
        match = _NAME.fullmatch(name)
        if match is None or match[2] in (".", ".."):
            return None
        path = self._scratch.folder / match[1] / match[2]
        try:
            return path if path.is_file() and not path.is_symlink() else None
        except OSError:  # 255 letters may be more bytes than a name can have
            return None

    def _outside(self, path: str) -> str:
        return path.replace(str(self._scratch.folder), _OUTSIDE)

    def _file(self, name: str) -> Response:
        path = self._inside(name)
        if path is None:
            return PlainTextResponse("no such file; files are kept for a while only\n", 404)
        kind = _KINDS.get(path.suffix.lower())
        if kind is None:
            return FileResponse(path, media_type="application/octet-stream", filename=path.name)
        answer = FileResponse(path, media_type=kind)
        answer.headers["Content-Disposition"] = f"inline; filename*=utf-8''{quote(path.name)}"
        answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
        return answer

    # What the page sends.

    async def _upload(self, scope: Scope, receive: Receive) -> Response:
        await asyncio.to_thread(self._scratch.sweep, self._largest)
        status, body = await _answered(self._app, scope, receive)
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
        return JSONResponse([self._outside(str(path)) for path in paths])

    async def _call(
        self, scope: Scope, receive: Receive, send: Send, others: Callable[[Any], dict[str, Any]]
    ) -> Response | None:
        """Passes on the data that was sent, and what is known of the others."""
        message = await receive()  # whole, as the guard gives it
        try:
            sent = json.loads(message["body"])
            data = [self._known_value(value) for value in sent["data"]]
            body = json.dumps({"data": data, **others(sent)}).encode()
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return _for_the_page("This is nothing that the page sends; reload it.", 400)
        except FileNotFoundError:
            return _for_the_page("The photo is gone; drop it again.", 404)
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
                raise ValueError("no number")
            return value
        path = self._inside(value["path"])
        if path is None:
            raise FileNotFoundError
        return {
            "path": str(path),
            "orig_name": path.name,
            "meta": {"_type": "gradio.FileData"},
        }

    # What Gradio answers.

    def _renaming(self, send: Send) -> Send:
        """Sends an answer with our names of files. Gradio sends events and JSON in one piece each,
        so that none is cut within a path."""
        insides, outside = _ways_to_write(str(self._scratch.folder)), _OUTSIDE.encode()
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
                for inside in insides:
                    body = body.replace(inside, outside)
                message = {**message, "body": body}
            await send(message)

        return renamed


def _is_known(path: str) -> bool:
    return path in _DESCRIBED or (_GET.fullmatch(path) is not None and ".." not in path)


def _of_session(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Which function is called, and by which session."""
    if not (isinstance(sent["fn_index"], int) and _SESSION.fullmatch(sent["session_hash"])):
        raise ValueError("no call of a function")
    return {
        "fn_index": sent["fn_index"],
        "session_hash": sent["session_hash"],
        "trigger_id": sent.get("trigger_id") and int(sent["trigger_id"]),
    }


def _ways_to_write(path: str) -> list[bytes]:
    """A path as it is, in JSON, in addresses and in HTML, which differ for `%`, `#`, `ä` or `'`."""
    in_json = json.dumps(path)[1:-1]
    in_addresses = (quote(path, safe=f"/{kept}") for kept in ("", "'", "'()!*~", ":'()!*~,;=@&$+#"))
    ways = {path, in_json, *in_addresses, html.escape(path), html.escape(path, quote=False)}
    return sorted((way.encode() for way in ways), key=len, reverse=True)


def _for_the_page(line: str, status: int) -> Response:
    return JSONResponse({"detail": line}, status)


async def _answered(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[int, bytes]:
    """Status and body of an answer that is not sent on as it is."""
    status, body = 500, bytearray()

    async def keep(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, keep)
    return status, bytes(body)
