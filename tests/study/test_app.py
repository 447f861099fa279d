"""The application in this process: cookies, headers, several studies."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'study' is not installed")

from ssagan_tf.study.design import draw_pairs
from ssagan_tf.study.server import make_app
from ssagan_tf.study.store import Store, create
from tests.asgi_requests import ask

JSON = ("Content-Type", "application/json")


def new_study(path: Path) -> Store:
    pairs = draw_pairs([("A", "B")], ["c0", "c1"], 2, 0, seed=0)
    videos = {(system, clip): b"." for system in "AB" for clip in ("c0", "c1")}
    create(path, {"seed": 0}, pairs, videos)
    return Store(path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_study(tmp_path / "study.sqlite")


def test_a_browser_is_one_subject(store: Store) -> None:
    """However often it opens the page, and through whichever link."""
    app = make_app(store)
    cookie = ask(app).header("set-cookie").partition(";")[0]
    link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]
    for headers in ([], [*link, ("Sec-Fetch-Dest", "document")]):
        again = ask(app, headers=[("Cookie", cookie), *headers])
        assert again.header("set-cookie").partition(";")[0] == cookie
    first = ask(app, "POST", "/api/start", [JSON, ("Cookie", cookie)])
    assert ask(app, "POST", "/api/leave", [JSON, ("Cookie", cookie)]).status == 404
    assert ask(app, "POST", "/api/start", [JSON, ("Cookie", cookie)]).body == first.body
    assert json.loads(first.body)["started"]


def test_a_study_is_full(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssagan_tf.limits.SUBJECTS", 1)
    app = make_app(store)
    cookies = [ask(app).header("set-cookie").partition(";")[0] for _ in range(2)]
    answers = [ask(app, "POST", "/api/start", [JSON, ("Cookie", each)]) for each in cookies]
    assert [answer.status for answer in answers] == [200, 503]
    assert answers[1].body == b"this study is full: it has 1 subjects\n"


def test_studies_on_one_host(store: Store, tmp_path: Path) -> None:
    """Cookies are shared between ports, but not between studies."""
    other = new_study(tmp_path / "other.sqlite")
    cookies = [
        ask(make_app(each, access=access), target=f"/?access={access}").header("set-cookie")
        for each in (store, other)
        for access in ("", each.access)
    ]
    names = [cookie.partition("=")[0] for cookie in cookies]
    assert len(set(names)) == 4
    assert {name.partition("_")[0] for name in names} == {"subject", "access"}
    # The same study, served again, knows them.
    again = ask(make_app(Store(store.path))).header("set-cookie")
    assert again.partition("=")[0] == names[0]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cookies_and_headers(store: Store, scheme: str) -> None:
    answer = ask(make_app(store), scheme=scheme)
    attributes = set(answer.header("set-cookie").split("; "))
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= attributes
    assert ("Secure" in attributes) == (scheme == "https")
    policy = answer.header("content-security-policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.header("referrer-policy") == "no-referrer"
    assert answer.header("cache-control") == "no-store"
    # The page has nothing that the policy would block.
    assert not re.search(rb"<script>|style=|\son\w+=", answer.body)


def test_every_address_needs_the_token(store: Store) -> None:
    app = make_app(store, access=store.access)
    for target in ("/", "/page.js", "/page.css", "/api/state", "/media/x", "/elsewhere"):
        assert ask(app, target=target).status == 403
    for target in ("/api/start", "/api/vote"):
        assert ask(app, "POST", target, [JSON], [b"{}"]).status == 403


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 4000, b"\xff", b"5", b"null", b'{"trial":1}'])
def test_an_invalid_vote(store: Store, body: bytes) -> None:
    app = make_app(store)
    cookie = ("Cookie", ask(app).header("set-cookie").partition(";")[0])
    answer = ask(app, "POST", "/api/vote", [JSON, cookie], [body])
    assert answer.status in (400, 422)
    assert str(store.path.parent).encode() not in answer.body
    assert store.votes() == []


def test_personal_links(store: Store) -> None:
    """One link is one subject, even without its cookies; nobody else is admitted."""
    app = make_app(store, access=store.access, subjects=2)
    entered = ask(app, target=f"/?access={store.access}&subject={store.invitation(2)}")
    assert entered.header("location") == f"/?subject={store.invitation(2)}"
    access = entered.header("set-cookie").partition(";")[0]
    begun = []
    for _ in range(2):  # another browser, or the cookies were deleted
        answer = ask(app, target=entered.header("location"), headers=[("Cookie", access)])
        assert (answer.status, answer.header("location")) == (303, "/")
        cookie = f"{access}; {answer.header('set-cookie').partition(';')[0]}"
        assert ask(app, headers=[("Cookie", cookie)]).status == 200
        begun.append(ask(app, "POST", "/api/start", [JSON, ("Cookie", cookie)]).body)
    assert begun[0] == begun[1]

    name = cookie.partition("; ")[2].partition("=")[0]
    for given in ("", "x", store.invitation(3), store.invitation(1)[:-1], "1."):
        answer = ask(app, target=f"/?subject={given}", headers=[("Cookie", access)])
        assert (answer.status, answer.header("set-cookie")) == (403, "")
        headers = [JSON, ("Cookie", f"{access}; {name}={given}")]
        assert ask(app, headers=headers).status == 403
        assert ask(app, "POST", "/api/start", headers).status == 401
    assert store.invitation(1) != store.invitation(2)
    assert Store(store.path).invitation(2) == store.invitation(2)
