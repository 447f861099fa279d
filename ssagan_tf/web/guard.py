"""Protects a web application: hosts and origins, an access token, request limits, headers."""

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

ACCESS = "access"  # parameter of links that carries the token
COOKIE_SECONDS = 90 * 24 * 3600  # for which a browser keeps the cookie
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
_BROWSERS = ("Mozilla/", "Opera/")  # what all browsers that run scripts call themselves
NO_ACCESS = "<!doctype html><title>No access</title><p>Please open the link that you were given."


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of requests.

    Attributes:
      body: Bytes of the body of a request.
      larger: Bytes of the body by path, for paths with another limit.
      bodies: Bytes of all bodies in memory at once.
      seconds: Seconds in which a body must arrive.
    """

    body: int = 4096
    larger: Mapping[str, int] = dataclasses.field(default_factory=dict)
    bodies: int = 2**20
    seconds: float = 10.0


class Guard:
    """ASGI middleware; requests that it refuses never reach the application.

    Bodies are received completely before the application runs, so that it never processes half of
    one.

    Args:
      app: The application.
      names: Host names of the server, without ports. Requests for other hosts are refused, as a
        page of another site could send them under a name of its own (DNS rebinding).
      any_address: Whether requests may also name the IP address that the connection came in at,
        as when listening on 0.0.0.0.
      token: Access token. Visitors bring it once, as `/?access=TOKEN`, and then have a cookie;
        programs send it each time, as `Authorization: Bearer TOKEN`. Empty: none.
      limits: Limits of requests.
      headers: Response headers, added to `HEADERS` or replacing them; the application's own take
        precedence.
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
        if scope["type"] != "http":  # no page here opens a WebSocket
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

    # Hosts, origins and access.

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0], scope):
            return _response(421, "unknown host name; the server's setting --names adds host names")
        if scope["method"] not in _METHODS:
            return _response(405, "only GET and POST are allowed", Allow=", ".join(_METHODS))
        if not _is_same_origin(scope["method"], headers, hosts[0]):
            return _response(403, "requests from pages of other sites are not allowed")
        lengths = headers.getlist("content-length")
        if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
            return _response(400, "Content-Length must be a single integer")
        if lengths and "transfer-encoding" in headers:
            return _response(400, "send either Content-Length or Transfer-Encoding, not both")
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
                set_cookie(answer, scope, self._cookie, self._token)
                return answer
        if request.method == "POST":
            return _response(403, "access denied: open the link that you were given")
        return HTMLResponse(NO_ACCESS, 403)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), self._token.encode())

    # Size and time limits.

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
            return _response(408, f"the body must arrive within {self._limits.seconds:g} seconds")

    async def _take(self, scope: Scope, receive: Receive, held: list[bytes]) -> Response | None:
        length, longest, more = 0, self._longest(scope), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return _response(400, "the connection was closed before the end of the body")
            part, more = message.get("body", b""), message.get("more_body", False)
            length += len(part)
            if length > longest:
                return _too_large(longest)
            if self._held + len(part) > self._limits.bodies:
                return _response(503, "too many uploads at once; try again", Retry_After="5")
            if part:
                held.append(part)
                self._held += len(part)
        expected = Headers(scope=scope).get("content-length")
        if expected is not None and int(expected) != length:
            return _response(400, "Content-Length does not match the length of the body")
        return None


def normalized_host(name: str) -> str:
    """Returns a host name in lower case; an IPv6 address without brackets and in its shortest
    form."""
    name = name.strip("[]").lower()
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def cookie_name(what: str, secret: object) -> str:
    """Returns a name that depends on the secret: servers on other ports share the cookies."""
    return f"{what}_{hashlib.sha256(str(secret).encode()).hexdigest()[:12]}"


def set_cookie(response: Response, scope: Scope, name: str, value: str) -> None:
    """Sets a cookie that scripts cannot read and requests of other sites' pages do not carry.

    Lax, not Strict: with Strict, a visitor who follows the link from a mail would arrive without
    the cookie and be taken for someone new.
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
    # Not a browser, or an old one. Pages in an old one cannot send JSON to other sites without a
    # preflight request, nor change the User-Agent.
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    agent = headers.get("user-agent") or _BROWSERS[0]
    return reads or kind == "application/json" or not agent.startswith(_BROWSERS)


def _too_large(longest: int) -> Response:
    number, unit = (longest >> 20, "MB") if longest >> 20 else (longest >> 10, "KB")
    return _response(413, f"the request is too large; the limit is {number} {unit}")


def _response(status: int, line: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return PlainTextResponse(line + "\n", status, named)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Returns a `receive` that yields the complete body first, then what follows it."""
    waiting: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message
