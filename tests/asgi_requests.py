"""Sends requests to an ASGI application in this process, including malformed ones."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Iterable, Sequence
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
    """Returns a request's scope as uvicorn makes it; `Host` is 127.0.0.1:7860 unless given."""
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


async def send_request(app: Any, request: dict[str, Any], parts: Sequence[bytes | float]) -> Answer:
    """Sends a request.

    Args:
      app: The ASGI application.
      request: The scope of the request.
      parts: Parts of the body; a number is a pause in seconds. The body ends after the last part,
        unless that is infinity.
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
    """Sends a request and waits for the response; see `send_request`."""
    return asyncio.run(send_request(app, scope(method, target, headers, **more), parts))


class Running:
    """A started application in an event loop of its own.

    Args:
      make: Makes the application, within the loop.
    """

    def __init__(self, make: Callable[[], Any]):
        self._loop = asyncio.new_event_loop()
        self._wanted: asyncio.Queue[str] = asyncio.Queue()
        self._told: asyncio.Queue[str] = asyncio.Queue()
        self._loop.run_until_complete(self._start(make))

    async def _start(self, make: Callable[[], Any]) -> None:
        self._app = make()
        lifespan = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}

        async def receive() -> dict[str, str]:
            return {"type": f"lifespan.{await self._wanted.get()}"}

        async def send(message: dict[str, str]) -> None:
            await self._told.put(message["type"])

        self._life = asyncio.ensure_future(self._app(lifespan, receive, send))
        await self._want("startup")

    async def _want(self, what: str) -> None:
        await self._wanted.put(what)
        assert await self._told.get() == f"lifespan.{what}.complete"

    def run(self, call: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        """Runs a coroutine made from the application."""
        return self._loop.run_until_complete(call(self._app))

    def ask(self, method: str = "GET", target: str = "/", headers=(), parts=(), **more) -> Answer:
        """Sends a request and waits for the response."""
        return self.run(
            lambda app: send_request(app, scope(method, target, headers, **more), parts)
        )

    def close(self) -> None:
        """Shuts down the application and its tasks."""

        async def shut_down(app: Any) -> None:
            await self._want("shutdown")
            await self._life
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(shut_down)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
