"""What reaches an application behind the guard, and what does not."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("starlette", reason="neither extra 'demo' nor 'study' is installed")

from ssagan_tf.web.guard import Guard, Limits, cookie_name
from tests.asgi_requests import Answer, ask, scope, send_request

JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "multipart/form-data; boundary=x")
TOKEN = "t" * 22


class Application:
    """Echoes bodies, and records the requests."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope, receive, send) -> None:
        message = await receive()
        assert not message["more_body"]
        self.bodies.append(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})


@pytest.fixture
def inner() -> Application:
    return Application()


def one_line(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.body.count(b"\n") == 1
    assert answer.body.endswith(b"\n")
    assert answer.header("x-content-type-options") == "nosniff"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST:7860", "[::1]:1", "[0:0::1]", "Study.example:80"]
)
def test_allowed_hosts(host: str, inner: Application) -> None:
    app = Guard(inner, names=["127.0.0.1", "localhost", "::1", "study.example"])
    assert ask(app, headers=[("Host", host)]).status == 200


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["evil.example"],
        ["localhost.evil.example"],
        ["localhost:7860@evil.example"],
        ["localhost/x"],
        ["localhost:port"],
        ["localhost."],
        ["[::1"],
        ["0.0.0.0"],
        ["192.168.1.9"],
        ["localhost", "localhost"],
        ["localhost", "evil.example"],
    ],
)
def test_other_hosts_are_refused(hosts: list[str], inner: Application) -> None:
    request = scope(headers=[("Host", host) for host in hosts or ["-"]])
    if not hosts:
        request["headers"] = []
    one_line(asyncio.run(send_request(Guard(inner), request, ())), 421)
    assert not inner.bodies


def test_the_address_of_the_connection_is_allowed(inner: Application) -> None:
    came_in_at = {"server": ("192.168.1.9", 7860)}
    for any_address, host, status in [
        (True, "192.168.1.9:7860", 200),
        (True, "192.168.1.8", 421),
        (True, "evil.example", 421),
        (False, "192.168.1.9", 421),
    ]:
        app = Guard(inner, any_address=any_address)
        assert ask(app, headers=[("Host", host)], **came_in_at).status == status


SITE, MODE, DEST = "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"
LINK = ((MODE, "navigate"), (DEST, "document"))


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", [], 200),
        ("GET", [("Origin", "http://127.0.0.1:7860")], 200),
        ("GET", [("Origin", "http://127.0.0.1:7861")], 403),  # another server of this machine
        ("GET", [("Origin", "http://evil.example")], 403),
        ("GET", [("Origin", "null")], 403),
        ("GET", [(SITE, "none"), *LINK], 200),
        ("GET", [(SITE, "cross-site"), *LINK], 200),  # a link in a mail
        ("GET", [(SITE, "cross-site"), (MODE, "navigate"), (DEST, "iframe")], 403),
        ("GET", [(SITE, "cross-site"), (MODE, "no-cors"), (DEST, "image")], 403),
        ("GET", [(SITE, "same-site"), (MODE, "cors"), (DEST, "empty")], 403),
        ("POST", [], 403),
        ("POST", [JSON], 200),
        ("POST", [("Content-Type", "Application/JSON; charset=utf-8")], 200),
        ("POST", [("Content-Type", "text/plain")], 403),
        ("POST", [("Content-Type", "text/plain; application/json")], 403),
        ("POST", [FORM], 403),
        *(("POST", [FORM, ("User-Agent", agent)], 200) for agent in ("curl/8.5.0", "python-x/1")),
        *(("POST", [FORM, ("User-Agent", a)], 403) for a in ("", "Mozilla/5.0 (X)", "Opera/9.8")),
        ("POST", [FORM, ("User-Agent", "curl/8.5.0"), ("Origin", "http://evil.example")], 403),
        ("POST", [FORM, ("User-Agent", "curl/8.5.0"), (SITE, "cross-site")], 403),
        ("POST", [("Origin", "http://127.0.0.1:7860")], 200),
        ("POST", [JSON, ("Origin", "http://evil.example")], 403),
        ("POST", [JSON, ("Origin", "null")], 403),
        ("POST", [JSON, ("Origin", "")], 403),
        ("POST", [JSON, (SITE, "cross-site"), *LINK], 403),
        ("POST", [JSON, (SITE, "same-site")], 403),
        ("POST", [JSON, (SITE, "none")], 403),
        ("POST", [(SITE, "same-origin"), ("Origin", "http://127.0.0.1:7860")], 200),
        ("POST", [(SITE, "same-origin"), ("Origin", "http://evil.example")], 403),
        ("OPTIONS", [("Origin", "http://evil.example")], 405),
        ("PUT", [JSON], 405),
        ("DELETE", [], 405),
        ("TRACE", [], 405),
    ],
)
def test_requests_of_other_sites_are_refused(method, headers, status, inner: Application) -> None:
    answer = ask(Guard(inner), method, headers=headers)
    assert answer.status == status
    assert len(inner.bodies) == (status == 200)
    assert "access-control-allow-origin" not in dict(answer.headers)


@pytest.mark.parametrize(
    ("lengths", "parts", "status"),
    [
        ([], [b"12345"], 200),
        (["5"], [b"12345"], 200),
        (["5"], [b"123", b"45"], 200),
        (["x"], [b"12345"], 400),
        (["-5"], [b"12345"], 400),
        (["+5"], [b"12345"], 400),
        (["5.0"], [b"12345"], 400),
        (["0x5"], [b"12345"], 400),
        (["5_0"], [b"12345"], 400),
        ([" "], [b"12345"], 400),
        ([""], [b"12345"], 400),
        (["\xb2"], [b"12"], 400),  # a digit to Python
        (["9" * 5000], [b"12345"], 400),
        (["5", "5"], [b"12345"], 400),
        (["5", "6"], [b"12345"], 400),
        (["5, 5"], [b"12345"], 400),
        (["4"], [b"12345"], 400),
        (["6"], [b"12345"], 400),
        (["9"], [b"123456789"], 413),
        ([], [b"123456789"], 413),
        ([], [b"1"] * 9, 413),
        (["5"], [b"123456789"], 413),
    ],
)
def test_content_lengths(lengths, parts, status, inner: Application) -> None:
    app = Guard(inner, limits=Limits(body=8))
    answer = ask(
        app, "POST", headers=[JSON, *(("Content-Length", n) for n in lengths)], parts=parts
    )
    if status == 200:
        assert answer.body == b"12345"
    else:
        one_line(answer, status)
        assert not inner.bodies


def test_length_and_chunks_together(inner: Application) -> None:
    headers = [JSON, ("Content-Length", "5"), ("Transfer-Encoding", "chunked")]
    one_line(ask(Guard(inner), "POST", headers=headers, parts=[b"12345"]), 400)


def test_a_path_with_a_larger_limit(inner: Application) -> None:
    app = Guard(inner, limits=Limits(body=2, larger={"/photo": 5}))
    assert ask(app, "POST", "/photo", [JSON], [b"12345"]).status == 200
    assert ask(app, "POST", "/photo", [JSON], [b"123456"]).status == 413
    assert ask(app, "POST", "/photo/", [JSON], [b"12345"]).status == 413


def test_a_slow_body(inner: Application) -> None:
    app = Guard(inner, limits=Limits(seconds=0.05))
    one_line(ask(app, "POST", headers=[JSON], parts=[b"1", float("inf"), b"2"]), 408)
    drops = [part for _ in range(50) for part in (b"1", 0.01)]
    one_line(ask(app, "POST", headers=[JSON], parts=[*drops, b"."]), 408)
    one_line(ask(app, "GET", parts=[float("inf"), b""]), 408)
    assert not inner.bodies


def test_total_size_of_bodies(inner: Application) -> None:
    """It is limited, and released however a request ends."""
    app = Guard(inner, limits=Limits(body=8, bodies=12, seconds=0.2))

    async def three() -> list[int]:
        request = scope("POST", headers=[JSON])
        slow = [send_request(app, request, [b"12345678", float("inf"), b""]), asyncio.sleep(0.05)]
        first = asyncio.gather(*slow)
        await asyncio.sleep(0.05)
        second = await send_request(app, request, [b"12345678"])
        [first_answer, _] = await first
        third = await send_request(app, request, [b"12345678"])
        return [first_answer.status, second.status, third.status]

    assert asyncio.run(three()) == [408, 503, 200]


def test_the_client_disconnects_within_the_body(inner: Application) -> None:
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message) -> None:
        pass

    asyncio.run(Guard(inner)(scope("POST", headers=[JSON]), receive, send))
    assert not inner.bodies


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", "/?access="),
        ("GET", "/?access=wrong"),
        ("GET", "/?access=%FF%FE"),
        ("GET", f"/?access=wrong&access={TOKEN}"),
        ("GET", "/?" + "&".join(["x=1"] * 50)),
        ("GET", f"/x?access={TOKEN}"),
        ("HEAD", "/"),
        ("POST", "/"),
        ("POST", f"/?access={TOKEN}"),
    ],
)
def test_no_access_without_the_token(method: str, target: str, inner: Application) -> None:
    app = Guard(inner, token=TOKEN)
    name = cookie_name("access", TOKEN)
    for cookie in ("", f"{name}=", f"{name}=wrong", f"access={TOKEN}", f"{name}=\xff"):
        answer = ask(app, method, target, [JSON, ("Cookie", cookie)])
        assert answer.status == 403
        assert TOKEN.encode() not in answer.body
        assert answer.header("set-cookie") == ""
    assert not inner.bodies


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_token_becomes_a_cookie(scheme: str, inner: Application) -> None:
    app = Guard(inner, token=TOKEN)
    answer = ask(app, target=f"/?access={TOKEN}", scheme=scheme)
    assert (answer.status, answer.header("location")) == (303, "/")
    assert answer.header("referrer-policy") == "no-referrer"
    assert answer.header("cache-control") == "no-store"
    cookie, *attributes = answer.header("set-cookie").split("; ")
    assert {"HttpOnly", "SameSite=lax"} <= set(attributes)
    assert ("Secure" in attributes) == (scheme == "https")
    assert not inner.bodies
    assert ask(app, headers=[("Cookie", f"other=1; {cookie}")]).status == 200
    # A server with another token, at another port of this host, asks for a cookie of its own.
    assert ask(Guard(inner, token="u" * 22), headers=[("Cookie", cookie)]).status == 403


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Basic {TOKEN}", 403),
        (TOKEN, 403),
        ("Bearer", 403),
        ("Bearer wrong", 403),
        ("Bearer \xff", 403),
    ],
)
def test_programs_send_the_token_each_time(given: str, status: int, inner: Application) -> None:
    answer = ask(Guard(inner, token=TOKEN), "POST", "/x", [JSON, ("Authorization", given)])
    assert answer.status == status
    assert answer.header("set-cookie") == ""


def test_headers(inner: Application) -> None:
    answer = ask(Guard(inner, headers={"Content-Security-Policy": "default-src 'none'"}))
    assert answer.header("content-security-policy") == "default-src 'none'"
    assert answer.header("x-frame-options") == "DENY"
    assert "frame-ancestors 'none'" in ask(Guard(inner)).header("content-security-policy")


def test_no_web_sockets(inner: Application) -> None:
    sent = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message) -> None:
        sent.append(message["type"])

    asyncio.run(Guard(inner)({"type": "websocket", "headers": []}, receive, send))
    assert sent == ["websocket.close"]
    assert not inner.bodies
