"""Requests to an ASGI application in this process, among them such as no client would send."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any


@dataclasses.dataclass
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name)


def scope(
    method: str = "GET",
    target: str = "/",
    headers: Iterable[tuple[str, str]] = (),
    **more: Any,
) -> dict[str, Any]:
    """A request's scope as uvicorn makes it; `Host` is 127.0.0.1:7860 unless given."""
    given = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    if not any(name == b"host" for name, _ in given):
        given.append((b"host", b"127.0.0.1:7860"))
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": given,
        "server": ("127.0.0.1", 7860),
        "client": ("127.0.0.1", 50000),
        **more,
    }


async def asked(app: Any, request: dict[str, Any], parts: Sequence[bytes | float]) -> Answer:
    """Sends a request.

    Args:
      app: ASGI application.
      request: Its scope.
      parts: Of the body; a number waits so many seconds. Ends after the last, unless it is inf.
    """
    left, answer = list(parts or [b""]), Answer()

    async def receive() -> dict[str, Any]:
        while left:
            part = left.pop(0)
            if isinstance(part, float):
                await asyncio.sleep(min(part, 60.0))
                continue
            return {"type": "http.request", "body": part, "more_body": bool(left)}
        await asyncio.sleep(60.0)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = [(k.decode(), v.decode()) for k, v in message["headers"]]
        else:
            answer.body += message.get("body", b"")

    await asyncio.wait_for(app(request, receive, send), 30)
    return answer


def ask(
    app: Any,
    method: str = "GET",
    target: str = "/",
    headers: Iterable[tuple[str, str]] = (),
    parts: Sequence[bytes | float] = (),
    **more: Any,
) -> Answer:
    """`asked`, waited for."""
    return asyncio.run(asked(app, scope(method, target, headers, **more), parts))
