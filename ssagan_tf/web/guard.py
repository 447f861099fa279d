"""Stands before a web application: hosts, origins, an access token, bounds of requests, headers."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from ssagan_tf.errors import missing_extra

try:
    from starlette.datastructures import Headers, MutableHeaders
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
except ImportError as error:
    raise missing_extra(error, "study") from error

ACCESS = "access"  # the token's name in links
COOKIE_SECONDS = 90 * 24 * 3600  # seconds that a browser keeps a cookie
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_METHODS = ("GET", "HEAD", "POST")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,18}")
_BROWSERS = ("Mozilla/", "Opera/")  # as all that run scripts have called themselves
NO_ACCESS = "<!doctype html><title>No access</title><p>Please open the link that you were given."


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of what strangers may send.

    Attributes:
      body: Bytes of a request's body.
      larger: The same for single paths.
      bodies: Bytes of all bodies that are held at once.
      seconds: In which a body must have come.
    """

    body: int = 4096
    larger: Mapping[str, int] = dataclasses.field(default_factory=dict)
    bodies: int = 2**20
    seconds: float = 10.0


class Guard:
    """ASGI middleware; what it refuses never reaches the application.

    Bodies are read whole before the application runs, so that none is half worked on.

    Args:
      app: The application.
      names: Hosts that the server may be called by, without ports. Others are refused: a page of
        another site could reach it under a name of its own (DNS rebinding).
      any_address: Whether it may also be called by the address that a connection came in at, as
        when it listens at 0.0.0.0.
      token: That visitors must bring once, as `/?access=TOKEN`; a cookie then has it. Programs
        bring it each time, as `Authorization: Bearer TOKEN`. Empty: none.
      limits: Of requests.
      headers: Of all answers that have none of their own, beside or instead of `HEADERS`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        names: Collection[str] = LOOPBACK,
        any_address: bool = False,
        token: str = "",
        limits: Limits | None = None,
        headers: Mapping[str, str] | None = None,
    ):
        self._app, self._token, self._any_address = app, token, any_address
        self._names = {normalized_host(name) for name in names}
        self._limits = limits or Limits()
        self._headers = HEADERS | dict(headers or {})
        self._cookie = cookie_name(ACCESS, token)
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no page of ours opens a WebSocket
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope) or self._admission(scope)
        if answer is not None:
            await answer(scope, receive, send_with_headers)
            return
        held: list[bytes] = []
        try:
            answer = await self._read_body(scope, receive, held)
            if answer is not None:
                await answer(scope, receive, send_with_headers)
                return
            await self._app(scope, _replayed(b"".join(held), receive), send_with_headers)
        finally:
            self._held -= sum(map(len, held))

    # Who asks.

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0], scope):
            return _response(421, "this server is not called by that name; see --names")
        if scope["method"] not in _METHODS:
            return _response(405, "GET and POST only", Allow=", ".join(_METHODS))
        if not _is_same_origin(scope["method"], headers, hosts[0]):
            return _response(403, "another site's page may not ask here")
        lengths = headers.getlist("content-length")
        if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
            return _response(400, "Content-Length must be one whole number")
        if lengths and "transfer-encoding" in headers:
            return _response(400, "give Content-Length or Transfer-Encoding, not both")
        if lengths and int(lengths[0]) > self._longest(scope):
            return _too_large(self._longest(scope))
        return None

    def _is_ours(self, host: str, scope: Scope) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = normalized_host(match[1])
        here = scope.get("server") or ("", 0)
        return name in self._names or (self._any_address and name == normalized_host(here[0]))

    def _admission(self, scope: Scope) -> Response | None:
        if not self._token:
            return None
        request = Request(scope)
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        given = bearer if scheme.lower() == "bearer" else request.cookies.get(self._cookie, "")
        if self._is_token(given):
            return None
        if request.method == "GET" and scope["path"] == "/":
            given = request.query_params.getlist(ACCESS)
            if len(given) == 1 and self._is_token(given[0]):
                # The token leaves the address bar.
                rest = [pair for pair in request.query_params.multi_items() if pair[0] != ACCESS]
                answer = RedirectResponse(f"/?{urlencode(rest)}" if rest else "/", 303)
                remember(answer, scope, self._cookie, self._token)
                return answer
        if request.method == "POST":
            return _response(403, "open the link that you were given")
        return HTMLResponse(NO_ACCESS, 403)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), self._token.encode())

    # How much, and how long.

    def _longest(self, scope: Scope) -> int:
        return self._limits.larger.get(scope["path"], self._limits.body)

    async def _read_body(
        self, scope: Scope, receive: Receive, held: list[bytes]
    ) -> Response | None:
        try:
            return await asyncio.wait_for(
                self._take(scope, receive, held), timeout=self._limits.seconds
            )
        except TimeoutError:
            return _response(408, f"the body must come within {self._limits.seconds:g} seconds")

    async def _take(self, scope: Scope, receive: Receive, held: list[bytes]) -> Response | None:
        length, longest, more = 0, self._longest(scope), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return _response(400, "the connection ended within the body")
            part, more = message.get("body", b""), message.get("more_body", False)
            length += len(part)
            if length > longest:
                return _too_large(longest)
            if self._held + len(part) > self._limits.bodies:
                return _response(503, "too much is being sent at once; try again", Retry_After="5")
            if part:
                held.append(part)
                self._held += len(part)
        told = Headers(scope=scope).get("content-length")
        if told is not None and int(told) != length:
            return _response(400, "Content-Length is not the length of the body")
        return None


def normalized_host(name: str) -> str:
    """A host's name as it is compared: lower case, an IPv6 address without brackets and at its
    shortest."""
    name = name.strip("[]").lower()
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def cookie_name(what: str, secret: object) -> str:
    """A cookie's name, different for servers of different secrets: ports share their cookies."""
    return f"{what}_{hashlib.sha256(str(secret).encode()).hexdigest()[:12]}"


def remember(response: Response, scope: Scope, name: str, value: str) -> None:
    """Sets a cookie that no script reads, and no request of another site's page brings.

    Lax, not Strict: with Strict, who follows the link from a mail would come without a cookie, and
    be taken for somebody new.
    """
    response.set_cookie(
        name,
        value,
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="lax",
        secure=scope.get("scheme") == "https",
    )


def _is_same_origin(method: str, headers: Headers, host: str) -> bool:
    reads = method in ("GET", "HEAD")
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin not in (None, "null") and origin.partition("://")[2].lower() != host.lower():
        return False
    if site is not None:
        followed_link = (
            reads
            and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") == "document"
        )
        return site == "same-origin" or followed_link or (reads and site == "none")
    if origin is not None:
        return origin != "null"
    # Not a browser, or an old one; its pages cannot send JSON elsewhere without being asked first,
    # nor under another name than the browser's.
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    agent = headers.get("user-agent") or _BROWSERS[0]
    return reads or kind == "application/json" or not agent.startswith(_BROWSERS)


def _too_large(longest: int) -> Response:
    number, unit = (longest >> 20, "MB") if longest >> 20 else (longest >> 10, "KB")
    return _response(413, f"this is too large: at most {number} {unit} may be sent here")


def _response(status: int, line: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return PlainTextResponse(line + "\n", status, named)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the whole body once, then what comes after it."""
    waiting: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message
