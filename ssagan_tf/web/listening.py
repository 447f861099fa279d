"""Listening and serving, with bounds on what uvicorn leaves open: slow heads, clients who stall."""

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

PATIENCE = 10.0  # seconds; a client may stall that long, and no longer than twice of it
_BACKLOG = 512


@dataclasses.dataclass(frozen=True)
class ListeningSocket:
    """Where a server listens.

    Attributes:
      socket: Listening.
      host: As it was given.
      names: Other names that it was given.
    """

    socket: socket.socket
    host: str
    names: tuple[str, ...]

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """The address listened at."""
        return ipaddress.ip_address(self.socket.getsockname()[0].partition("%")[0])

    @property
    def port(self) -> int:
        """The port."""
        return self.socket.getsockname()[1]

    @property
    def is_open(self) -> bool:
        """Whether other machines can reach it."""
        return not self.address.is_loopback

    def url(self, token: str = "", **more: str) -> str:
        """What to open in a browser: with the access token, if there is one, and more."""
        name = str(self.address)
        if self.address.is_unspecified:
            name = next(iter(self.names), socket.gethostname())
        shown = f"[{name}]" if ":" in name else name
        query = urlencode(({guard.ACCESS: token} if token else {}) | more)
        return f"http://{shown}:{self.port}/" + (f"?{query}" if query else "")

    def allowed_hosts(self) -> dict[str, Any]:
        """By which names: arguments of `guard.Guard`."""
        names = {*guard.LOOPBACK, *self.names, self.host, str(self.address)}
        if self.address.is_unspecified:
            names.add(socket.gethostname())
        return {"names": names, "any_address": self.address.is_unspecified}


def listen(host: str, port: int, names: Iterable[str] = ()) -> ListeningSocket:
    """Begins to listen.

    Args:
      host: Name or address.
      port: 0: any that is free.
      names: Other names that visitors use.

    Raises:
      DataError: The host or the port cannot be used.
    """
    try:
        family, *_, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.create_server(where[:2], family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:  # the latter of names that cannot be
        why = getattr(error, "strerror", None) or error
        raise DataError(
            f"cannot listen on {host}:{port}: {why}; give another --port or --host"
        ) from error
    return ListeningSocket(listening, host, tuple(names))


def serve(
    app: Any,
    sockets: Sequence[socket.socket],
    *,
    connections: int = 256,
    patience: float = PATIENCE,
) -> None:
    """Serves until it is interrupted.

    Args:
      app: An ASGI application.
      sockets: Listening.
      connections: At most so many at once; others are told 503.
      patience: Seconds that a client may take for a request's head, or for taking the next part
        of an answer.
    """
    import h11
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Connection(H11Protocol):
        """Ends when its client stalls."""

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._seen: object = None
            self._taken = 0  # times that the client has made room for more of an answer
            self._watch = self.loop.call_later(patience, self._look)

        def connection_lost(self, exc: Exception | None) -> None:
            self._watch.cancel()
            super().connection_lost(exc)

        def resume_writing(self) -> None:
            self._taken += 1
            super().resume_writing()

        def _look(self) -> None:
            unsent = self.transport.get_write_buffer_size()
            answering = self.cycle is not None and not self.cycle.response_complete
            seen = (self.cycle, unsent, self._taken)
            # With nothing unsent in an answer it is the server who takes its time.
            stalls = seen == self._seen and (unsent > 0 or not answering)
            self._seen = seen
            half_sent = self.conn.their_state is h11.SEND_BODY  # of what was refused
            if self.transport.is_closing() or (stalls and (unsent or half_sent)):
                self.transport.abort()
                return
            if stalls:
                self.transport.write(
                    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                    b"Content-Length: 0\r\n\r\n"
                )
                self.transport.close()
            self._watch = self.loop.call_later(patience, self._look)

    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_level="error",
        access_log=False,  # it would have the token
        server_header=False,
        limit_concurrency=connections,
        timeout_graceful_shutdown=2,
    )
    # Where Ctrl-C was ignored when it began, as in the background of a script, it just ends.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=list(sockets))
