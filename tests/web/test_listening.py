"""Clients that are slow, malformed or stalled, over real sockets."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="neither extra 'demo' nor 'study' is installed")

from ssagan_tf.errors import DataError
from ssagan_tf.web import listening

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PATIENCE = 0.25
SECONDS = 15  # before a test gives up
SERVER = f"""
from ssagan_tf.web import guard, listening

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    body = (await receive())["body"]
    large = b"." * (64 * 2**20 if scope["path"] == "/large" else 0)
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    for _ in range(24 if scope["path"] == "/parts" else 0):
        part = b"." * 2**16
        await send({{"type": "http.response.body", "body": part, "more_body": True}})
    await send({{"type": "http.response.body", "body": body + large}})

place = listening.listen("127.0.0.1", 0)
print(place.port, flush=True)
limits = guard.Limits(body=1000, seconds={PATIENCE})
guarded = guard.Guard(app, limits=limits, **place.allowed_hosts())
listening.serve(guarded, [place.socket], max_connections=20, timeout={PATIENCE})
"""


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, subprocess.Popen]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield int(process.stdout.readline()), process
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=SECONDS)
        assert "Traceback" not in errors


@pytest.fixture
def port(server) -> int:
    return server[0]


def head(*lines: str, method: str = "POST", path: str = "/", port: int = 80) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *lines)
    return "\r\n".join([*lines, "", ""]).encode()


def talk(port: int, *parts: bytes | float, read: bool = True) -> bytes:
    """Sends the parts, sleeping at numbers; returns the complete response."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as client:
        try:
            for part in parts:
                if isinstance(part, float):
                    time.sleep(part)
                else:
                    client.sendall(part)
            while read and (received := client.recv(2**16)):
                answer += received
        except ConnectionError:  # after an answer, or instead of one
            pass
    return answer


JSON, CLOSE = "Content-Type: application/json", "Connection: close"


@pytest.mark.parametrize(
    ("lines", "body", "status"),
    [
        (["Content-Length: 2"], b"{}", 200),
        (["Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n", 200),
        (["Content-Length: x"], b"{}", 400),
        (["Content-Length: -2"], b"{}", 400),
        (["Content-Length: 2", "Content-Length: 3"], b"{}", 400),
        (["Content-Length: " + "9" * 400], b"{}", 400),
        (["Content-Length: 2", "Transfer-Encoding: chunked"], b"0\r\n\r\n", 400),
        (["Transfer-Encoding: chunked"], b"x\r\n{}\r\n", 400),
        (["Transfer-Encoding: gzip"], b"{}", 400),
        (["Content-Length: 1001"], b"", 413),
        (["Content-Length: 1001"], b"." * 1001, 413),
        (["Content-Length: 999999999999"], b"." * 100, 413),
        (["Transfer-Encoding: chunked"], b"3e9\r\n" + b"." * 1001 + b"\r\n0\r\n\r\n", 413),
        (["Transfer-Encoding: chunked"], b"ffffffff\r\n" + b"." * 2000, 413),
        (["Content-Length: 5"], b"{}", 408),  # more was promised than comes
        (["Transfer-Encoding: chunked"], b"5\r\n{}", 408),
        (["Content-Length: 5", "Expect: 100-continue"], b"", 408),
        (["Host: elsewhere.example", "Content-Length: 2"], b"{}", 400),
    ],
)
def test_content_lengths(port: int, lines: list[str], body: bytes, status: int) -> None:
    began = time.monotonic()
    answer = talk(port, head(JSON, CLOSE, *lines, port=port) + body)
    statuses = [line.split()[1] for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1")]
    assert str(status).encode() in statuses, answer[:300]
    assert time.monotonic() - began < SECONDS / 2
    assert b"Traceback" not in answer
    assert str(ROOT).encode() not in answer


def test_a_body_longer_than_its_content_length(port: int) -> None:
    """The rest is neither a request nor a part of the first one."""
    answer = talk(port, head(JSON, "Content-Length: 2", port=port) + b"{}GARBAGE\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 1
    assert answer.count(b"HTTP/1.1 400") == 1


def drops(data: bytes, pause: float = 0.05) -> list[bytes | float]:
    return [part for number in data for part in (bytes([number]), pause)]


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"POST / HT"],
        drops(b"GET / HTTP/1.1\r\nX: " + b"x" * 30),
        [head("X: 1", method="GET")[:-2]],
    ],
    ids=["nothing", "half a line", "drops", "no end"],
)
def test_slow_request_heads(port: int, parts: list[bytes | float]) -> None:
    began = time.monotonic()
    answer = talk(port, *parts)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 60 * 0.05 + 16 * PATIENCE


def test_slow_head_of_a_second_request(port: int) -> None:
    answer = talk(port, head(method="GET", port=port), 0.1, b"GET / HT")
    assert answer.startswith(b"HTTP/1.1 200")


def test_slow_body(port: int) -> None:
    request = head(JSON, "Content-Length: 900", port=port)
    assert b"HTTP/1.1 408" in talk(port, request, *drops(b"." * 7))


@pytest.mark.slow
def test_a_client_that_does_not_read_the_response(port: int) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(SECONDS)
        client.connect(("127.0.0.1", port))
        client.sendall(head(method="GET", path="/large", port=port))
        time.sleep(5 * PATIENCE)
        received = 0
        try:
            while part := client.recv(2**20):
                received += len(part)
        except ConnectionError:
            pass
    assert received < 64 * 2**20  # it was cut off


@pytest.mark.slow
def test_a_client_that_reads_the_response_slowly(port: int) -> None:
    received = 0
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(SECONDS)
        client.connect(("127.0.0.1", port))
        client.sendall(head(CLOSE, method="GET", path="/parts", port=port))
        began = time.monotonic()
        while part := client.recv(2**16):
            received += len(part)
            # As fast as to take several times the patience.
            time.sleep(max(0.0, began + 5 * PATIENCE * received / (24 * 2**16) - time.monotonic()))
    assert received > 24 * 2**16
    assert time.monotonic() - began > 4 * PATIENCE


def test_many_silent_clients(port: int) -> None:
    """Others get status 503 meanwhile, and are served once the silent ones are cut off."""
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
    try:
        request = head(CLOSE, method="GET", port=port)
        assert talk(port, request).startswith(b"HTTP/1.1 503")
        deadline = time.monotonic() + SECONDS
        while not talk(port, request).startswith(b"HTTP/1.1 200"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        for client in silent:
            client.close()


def test_addresses() -> None:
    for host, names, is_open in [
        ("127.0.0.1", {"127.0.0.1", "localhost", "::1"}, False),
        ("localhost", {"127.0.0.1", "localhost", "::1"}, False),
        ("0.0.0.0", {"0.0.0.0", socket.gethostname(), "localhost"}, True),
    ]:
        place = listening.listen(host, 0, ["sky.example"])
        with place.socket:
            assert names | {"sky.example"} <= place.allowed_hosts()["names"]
            assert place.allowed_hosts()["any_address"] == (host == "0.0.0.0")
            assert place.is_open == is_open
            assert place.url("abc").endswith(f":{place.port}/?access=abc")
            with pytest.raises(DataError, match=f"cannot listen on {host}:{place.port}: "):
                listening.listen(host, place.port)
    with pytest.raises(DataError, match=r"cannot listen on no\.such\.host\.invalid:0: "):
        listening.listen("no.such.host.invalid", 0)
