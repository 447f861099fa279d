"""Listening and serving, with timeouts that uvicorn lacks: slow requests, stalled clients."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from ssagan_tf.errors import DataError
from ssagan_tf.web import guard

TIMEOUT = 10.0  # seconds; a client that stalls is cut off after one to two of these
_BACKLOG = 512


@dataclasses.dataclass(frozen=True)
class ListeningSocket:
    """A listening socket, and the names of the server.

    Attributes:
      socket: The socket.
      host: The setting `--host`.
      names: The setting `--names`: other host names of the server.
    """

    socket: socket.socket
    host: str
    names: tuple[str, ...]

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """IP address of the socket."""
        return ipaddress.ip_address(self.socket.getsockname()[0].partition("%")[0])

    @property
    def port(self) -> int:
        """Port of the socket."""
        return self.socket.getsockname()[1]

    @property
    def is_open(self) -> bool:
        """Whether other machines can connect."""
        return not self.address.is_loopback

    def url(self, token: str = "", **more: str) -> str:
        """Returns the address to open in a browser.

        Args:
          token: Access token; empty: none.
          more: Further parameters of the query.
        """
        name = str(self.address)
        if self.address.is_unspecified:
            name = next(iter(self.names), socket.gethostname())
        host = f"[{name}]" if ":" in name else name
        query = urlencode(({guard.ACCESS: token} if token else {}) | more)
        return f"http://{host}:{self.port}/" + (f"?{query}" if query else "")

    def allowed_hosts(self) -> dict[str, Any]:
        """Returns the host names that requests may use, as arguments of `guard.Guard`."""
        names = {*guard.LOOPBACK, *self.names, self.host, str(self.address)}
        if self.address.is_unspecified:
            names.add(socket.gethostname())
        return {"names": names, "any_address": self.address.is_unspecified}


def listen(host: str, port: int, names: Iterable[str] = ()) -> ListeningSocket:
    """Opens a listening socket.

    Args:
      host: Host name or address to listen on.
      port: Port; 0 picks a free one.
      names: Other host names that visitors use.

    Raises:
      DataError: The host or the port cannot be used.
    """
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:  # a UnicodeError if the name is invalid
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"cannot listen on {host}:{port}: {reason}; choose another --port or --host"
        ) from error
    return ListeningSocket(listening, host, tuple(names))


def serve(
    app: Any,
    sockets: Sequence[socket.socket],
    *,
    max_connections: int = 256,
    timeout: float = TIMEOUT,
) -> None:
    """Serves until it is interrupted.

    Args:
      app: An ASGI application.
      sockets: Listening sockets.
      max_connections: Further connections are answered with status 503.
      timeout: Seconds that a client may take to send the head of a request, or to accept the next
        part of a response.
    """
    import h11
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Connection(H11Protocol):
        """A connection that is closed when its client stalls."""

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._last_state: object = None
            self._resumed = 0  # how often the client accepted more of a response
            self._watch = self.loop.call_later(timeout, self._check)

        def connection_lost(self, exc: Exception | None) -> None:
            self._watch.cancel()
            super().connection_lost(exc)

        def resume_writing(self) -> None:
            self._resumed += 1
            super().resume_writing()

        def _check(self) -> None:
            unsent = self.transport.get_write_buffer_size()
            answering = self.cycle is not None and not self.cycle.response_complete
            state = (self.cycle, unsent, self._resumed)
            # If nothing is waiting to be sent, it is the server that is slow.
            stalls = state == self._last_state and (unsent > 0 or not answering)
            self._last_state = state
            half_sent = self.conn.their_state is h11.SEND_BODY  # a request that was refused
            if self.transport.is_closing() or (stalls and (unsent or half_sent)):
                self.transport.abort()
                return
            if stalls:
                self.transport.write(
                    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                    b"Content-Length: 0\r\n\r\n"
                )
                self.transport.close()
            self._watch = self.loop.call_later(timeout, self._check)

    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_level="error",
        access_log=False,  # would contain the token
        server_header=False,
        limit_concurrency=max_connections,
        timeout_graceful_shutdown=2,
    )
    # If Ctrl-C was ignored at the start, as in the background of a script, it just ends.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=list(sockets))
