"""The demo's page as untrusted visitors see it: Gradio behind the front and the guard."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from ssagan_tf import demo
from ssagan_tf.demo_page.app import make_app
from ssagan_tf.demo_page.maker import MAX_UPLOAD, VisitorError
from ssagan_tf.errors import DataError
from ssagan_tf.options import MotionOptions
from ssagan_tf.web.gradio_front import GradioFront
from ssagan_tf.web.temporary_files import TemporaryFiles
from tests.asgi_requests import Answer, Running, ask, scope, send_request

# Gradio's own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*future.no_silent_downcasting"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]
ORIGIN = ("Origin", "http://127.0.0.1:7860")
FORM = ("Content-Type", "multipart/form-data; boundary=xx")
UPLOAD, JOIN, DATA = (f"/gradio_api/{what}" for what in ("upload", "queue/join", "queue/data"))


ANIMATE, GENERATE = 1, 3  # of the page's functions


class Maker:
    """A stand-in that writes files, and fails on demand."""

    def __init__(self, room: TemporaryFiles):
        self.room, self.requests, self.error = room, [], None

    def animate(self, photo, mask, name, options, report) -> tuple[str, ...]:
        report(0.5)
        return self._made("mp4", "png", request=(photo, mask, name, vars(options)))

    def generate(self, photo: str, name: str, fit: str) -> tuple[str, ...]:
        return self._made("mp4", "gif", "png", request=(photo, name, fit))

    def _made(self, *kinds: str, request: tuple) -> tuple[str, ...]:
        self.requests.append(request)
        if self.error:
            raise self.error
        folder = self.room.folder / "made"
        folder.mkdir(exist_ok=True)
        paths = [folder / f"sky.{kind}" for kind in kinds]
        for path in paths:
            path.write_bytes(b"." * 10)
        Image.new("RGB", (4, 4)).save(paths[-1])
        return tuple(map(str, paths))


@pytest.fixture(scope="module")
def maker(tmp_path_factory) -> Maker:
    return Maker(TemporaryFiles(tmp_path_factory.mktemp("room"), 3600.0, 2**30))


@pytest.fixture(scope="module")
def app(maker: Maker) -> Iterator[Running]:
    running = Running(lambda: make_app(maker, ["cloud"], maker.room))
    yield running
    running.close()
    gc.collect()
    os.environ.pop("GRADIO_TEMP_DIR")


@pytest.fixture
def room(maker: Maker) -> Path:
    maker.error = None
    maker.requests.clear()
    return maker.room.folder


def picture(width: int, height: int, kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.new("L", (width, height)).save(data, kind)
    return data.getvalue()


def form(*files: tuple[str, bytes]) -> bytes:
    parts = [
        f'--xx\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        "Content-Type: image/png\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in files
    ]
    return b"".join(parts) + b"--xx--\r\n"


def upload(app: Running, *files: tuple[str, bytes]) -> Answer:
    return app.ask("POST", UPLOAD + "?upload_id=abc", [ORIGIN, FORM], [form(*files)])


def files(room: Path) -> set[str]:
    return {str(path.relative_to(room)) for path in room.rglob("*") if path.is_file()}


def file(path: Any) -> dict[str, Any]:
    return {"path": path, "url": "http://x/y", "meta": {"_type": "gradio.FileData"}}


def call(path: Any, **more: Any) -> bytes:
    data = [file(path), None, "left", 3, 0.5, 1, 0.5, "cloud"]
    return json.dumps({"data": data, "fn_index": ANIMATE, "session_hash": "abc", **more}).encode()


def events(app: Running, sent: bytes) -> tuple[Answer, Answer]:
    """Joins the queue; returns the response and the events that follow."""

    async def both(app: Any) -> tuple[Answer, Answer]:
        headers = [ORIGIN, ("Content-Type", "application/json")]
        joined = await send_request(app, scope("POST", JOIN, headers), [sent])
        if joined.status != 200:
            return joined, Answer()
        return joined, await send_request(app, scope("GET", f"{DATA}?session_hash=abc"), ())

    return app.run(both)


def test_from_photo_to_video(app: Running, maker: Maker, room: Path) -> None:
    """With public names that reveal nothing about this machine."""
    answer = upload(app, ("../../sky & sea.png", picture(40, 30)))
    assert answer.status == 200, answer.body
    [name] = json.loads(answer.body)
    assert name.startswith("/files/")
    assert name.count("/") == 3
    shown = app.ask(target=f"/gradio_api/file={name}")
    assert (shown.status, shown.header("content-type")) == (200, "image/png")
    assert shown.body == picture(40, 30)
    assert "sandbox" in shown.header("content-security-policy")
    assert (
        app.ask(target=f"/gradio_api/file={name}", headers=[("Range", "bytes=0-3")]).body
        == (picture(40, 30)[:4])
    )
    joined, told = events(app, call(name))
    assert joined.status == 200
    generated = [file(name), "stretch", "cloud"]
    _, told_too = events(app, call(name, data=generated, fn_index=GENERATE))
    photo = str(room / name.removeprefix("/files/"))
    settings = {"seconds": 3, "speed": 0.5, "strength": 1, "light": 0.5, "direction": "left"}
    assert maker.requests == [
        (photo, "", "cloud", {**vars(MotionOptions()), **settings}),
        (photo, "cloud", "stretch"),
    ]
    assert b"process_completed" in told.body
    assert b"/files/made/sky.mp4" in told.body
    assert b"/files/made/sky.gif" in told_too.body
    described = (app.ask(target=target) for target in ("/", "/config", "/gradio_api/info"))
    for each in (answer, shown, joined, told, told_too, *described):
        assert each.status == 200
        said = each.body + repr(each.headers).encode()
        for path in (str(room), room.name, str(Path(demo.__file__).parents[1]), "site-packages"):
            assert path.encode() not in said, path


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ([("a.jpg", b"no picture")], "not a photo in a known format"),
        ([("a.png", picture(4, 4)[:20])], "not a photo in a known format"),
        ([("a.jpg", b"")], "the file is empty"),
        ([("a.heic", b"\0\0\0\x18ftypheic" + bytes(20))], "this HEIC photo cannot be read"),
        ([("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")], "not a photo"),
        ([("a.png", picture(4, 4, "PPM"))], "not a photo"),  # of a kind that is not taken
        ([("a.png", picture(9000, 8000))], "64 megapixels, this one has 9000×8000"),
        ([("a.png", picture(20000, 20000))], "too large"),  # a bomb to Pillow
        ([("a.png", picture(4, 4)), ("b.png", picture(4, 4))], "one file at a time"),
        ([], "one file at a time"),
    ],
)
def test_bad_uploads_are_deleted_at_once(app: Running, room: Path, given, error: str) -> None:
    before = files(room)
    answer = upload(app, *given)
    assert answer.status == 400
    assert error in answer.body.decode()
    assert answer.body.count(b"\n") == 1
    assert files(room) == before


def test_simultaneous_uploads(app: Running, room: Path) -> None:
    """With the same name, the same content, and some that are refused."""
    before = files(room)
    photos = [picture(side, side) for side in (5, 6, 6)]
    sent = [*photos, b"bad", b"bad", b""]

    async def send_all(running: Any) -> list[Answer]:
        head = scope("POST", UPLOAD, [ORIGIN, FORM])
        calls = (send_request(running, dict(head), [form(("sky.png", each))]) for each in sent)
        return await asyncio.gather(*calls)

    answers = app.run(send_all)
    assert [answer.status for answer in answers] == [200] * 3 + [400] * 3
    names = [json.loads(answer.body)[0] for answer in answers[:3]]
    assert len(set(names)) == 2
    for name, photo in zip(names, photos, strict=True):
        assert app.ask(target=f"/gradio_api/file={name}").body == photo
    assert len(files(room) - before) == 2


def test_large_uploads_are_refused_before_they_are_read(app: Running, room: Path) -> None:
    before = files(room)
    assert app.ask("POST", UPLOAD, [ORIGIN, FORM], [b"."] * 3).status == 400
    large = app.ask("POST", UPLOAD, [ORIGIN, FORM], [bytes(2**23)] * 5)
    assert (large.status, large.body) == (
        413,
        b"the request is too large; the limit is 32 MB\n",
    )
    length = ("Content-Length", str(MAX_UPLOAD * 2))
    assert app.ask("POST", UPLOAD, [ORIGIN, FORM, length]).status == 413
    assert app.ask("POST", JOIN, [ORIGIN], [bytes(100_000)]).status == 413
    assert app.ask("POST", UPLOAD, [FORM], [form(("a.png", picture(4, 4)))]).status == 403
    assert files(room) == before


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b"[" * 5000,
        b"\xff",
        call("/files/a/b", fn_index="0"),
        call("/files/a/b", session_hash="../x"),
        call("/files/a/b", session_hash=None),
        call("/files/a/b", data=5),
        call("/files/a/b", data=[[5]]),
        call("/files/a/b", data=[float("nan")]),
        call("/files/a/b", data=[10**400]),
        call("/files/a/b", data=[{"url": "http://127.0.0.1/"}]),
        call(None),
        call("/etc/passwd"),
        call("http://127.0.0.1/x.png"),
        call("/files/../x"),
        call("/files/made/../made/sky.png"),
        call("/files/a/\ud800"),
        call("/files/a/" + "x" * 255),
        call("/files/a/" + "é" * 255),
        call(None).replace(b"{", b'{"trigger_id": 1e999, ', 1),
    ],
)
def test_invalid_calls(app: Running, maker: Maker, sent: bytes) -> None:
    before = len(maker.requests)
    answer, _ = events(app, sent)
    assert answer.status in (400, 404)
    assert json.loads(answer.body).keys() == {"detail"}
    assert len(maker.requests) == before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({0: None}, "Please add a photo first"),
        ({2: "up"}, "up"),
        ({3: 1000}, "15"),
        ({3: "long"}, ""),
        ({4: -1}, "0.25"),
        ({7: "another"}, "another"),
        ("unusable", "Nothing would move: no sky"),
    ],
)
def test_errors_reach_the_visitor(app: Running, maker: Maker, room: Path, changed, said) -> None:
    [name] = json.loads(upload(app, ("sky.png", picture(40, 30))).body)
    sent = json.loads(call(name))
    if changed == "unusable":
        maker.error = VisitorError("nothing would move: no sky")
    else:
        for index, value in changed.items():
            sent["data"][index] = value
    _, told = events(app, json.dumps(sent).encode())
    assert b'"success":false' in told.body
    assert said.encode() in told.body
    assert len(maker.requests) == (changed == "unusable")


def test_calls_by_name(app: Running, maker: Maker, room: Path) -> None:
    """As curl does, which is not a browser; with a mask as a separate picture."""
    sent = form(("sky.png", picture(40, 30)))
    agent = ("User-Agent", "curl/8.5.0")
    names = [app.ask("POST", UPLOAD, [FORM, agent], [sent]) for _ in "12"]
    photo, mask = (json.loads(each.body)[0] for each in names)
    data = [file(photo), file(mask), "right", 2, 1, 1, 0, "cloud"]

    async def both(app: Any) -> Answer:
        target, kind = "/gradio_api/call/animate", ("Content-Type", "application/json")
        body = json.dumps({"data": data, "session_hash": "../x"}).encode()
        called = await send_request(app, scope("POST", target, [kind, agent]), [body])
        event = json.loads(called.body)["event_id"]
        return await send_request(app, scope("GET", f"{target}/{event}", [agent]), ())

    told = app.run(both).body.decode()
    assert "event: complete" in told
    assert "/files/made/sky.mp4" in told
    assert str(room) not in told
    [(_, found, _, _)] = maker.requests
    assert found == str(room / mask.removeprefix("/files/"))


@pytest.mark.parametrize("error", [DataError("/home/me/run is damaged"), OSError("/home/me")])
def test_errors_reveal_no_paths(app, maker: Maker, room: Path, error, capsys) -> None:
    [name] = json.loads(upload(app, ("sky.png", picture(40, 30))).body)
    maker.error = error
    _, told = events(app, call(name))
    assert b"process_completed" in told.body
    assert b'"success":false' in told.body
    assert b"/home/me" not in told.body
    assert "/home/me" in capsys.readouterr().err  # but not from who runs it


@pytest.mark.parametrize(
    "target",
    [
        *("/monitoring", "/monitoring/summary", "/robots.txt", "/docs", "/openapi.json"),
        *(f"/gradio_api/{name}" for name in ("openapi.json", "startup-events", "app_id")),
        *(f"/gradio_api/{name}" for name in ("component_server", "api/animate", "run/animate")),
        *("/gradio_api/call/v2/animate", "/gradio_api/call/a/b/c", "/config/", "/config/x"),
        *(f"/gradio_api/{name}" for name in ("user", "token", "runs", "dev/reload", "vibe-code")),
        *("/gradio_api/proxy=http://127.0.0.1/", "/gradio_api/stream/a/b/c/playlist.m3u8"),
        *("/gradio_api/file=/etc/passwd", "/gradio_api/file=http://127.0.0.1/"),
        *("/gradio_api/file=/files/made/nothing.png", "/gradio_api/file=/files/made/.."),
        *("/gradio_api/file=/files/made/../../x", "/gradio_api/file=/files/.lock"),
        "/gradio_api/file=/files/a/" + "%C3%A9" * 255,
        *("/gradio_api/file=/files//.lock", "/gradio_api/file=/files/a\0b/c"),
        *("/assets/../../../etc/passwd", "/static//etc/passwd", "/assets/nothing.js"),
    ],
)
def test_other_routes_are_closed(app: Running, target: str) -> None:
    answer = app.ask(target=target)
    assert answer.status in (403, 404)
    assert b"/etc/passwd" not in answer.body
    assert app.ask("POST", target, [("Content-Type", "application/json")]).status in (404, 405)


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "room/a").mkdir(parents=True)
    (tmp_path / "room/a/b.png").symlink_to(tmp_path / "secret")
    front = GradioFront(None, TemporaryFiles(tmp_path / "room", 1.0, 1), lambda path: None, 1)
    assert ask(front, target="/gradio_api/file=/files/a/b.png").status == 404


def test_short_names_of_models() -> None:
    def names(*paths: str) -> list[str]:
        return demo._short_names(list(paths))

    assert names("/home/me/runs/cloud") == ["cloud"]
    assert names("/a/runs/cloud", "/a/runs/beach") == ["cloud", "beach"]
    assert names("/a/x/cloud", "/a/y/cloud", "beach") == ["x/cloud", "y/cloud", "beach"]
    assert names("cloud", "runs/cloud") == ["cloud", "runs/cloud"]


def test_with_a_token(maker: Maker) -> None:
    app = Running(lambda: make_app(maker, ["cloud"], maker.room, token="t" * 22))
    for target in (
        "/",
        "/config",
        "/assets/x.js",
        "/theme.css",
        "/gradio_api/file=/files/made/sky.png",
    ):
        assert app.ask(target=target).status == 403
    assert upload(app, ("sky.png", picture(4, 4))).status == 403
    answer = app.ask(target="/?access=" + "t" * 22)
    assert answer.status == 303
    cookie = answer.header("set-cookie").partition(";")[0]
    page = app.ask(headers=[("Cookie", cookie)])
    assert page.status == 200
    assert b"t" * 22 not in page.body
    for token, status in (("t" * 22, 200), ("t" * 21, 403)):  # of a program
        header = ("Authorization", f"Bearer {token}")
        assert app.ask(target="/config", headers=[header]).status == status
    app.close()
