"""The web page of a study: one page, a handful of requests, nothing that tells a system's name."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

from ssagan_tf.errors import missing_extra
from ssagan_tf.study.store import Full, Store
from ssagan_tf.web.guard import NO_ACCESS, Guard, Limits, cookie_name, remember

try:
    from fastapi import Depends, FastAPI, HTTPException, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
    from pydantic import BaseModel, Field
except ImportError as error:
    raise missing_extra(error, "study") from error

SUBJECT = "subject"  # the invitation's name in links, and the cookie's
_LIMITS = Limits(body=4096, bodies=2**20)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src blob:; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = {
    "page.html": "text/html",
    "page.css": "text/css",
    "page.js": "text/javascript",
}


class Ballot(BaseModel):
    """A vote as it is sent."""

    trial: str = Field(max_length=64)
    choice: Literal["left", "right"]


def make_app(
    store: Store,
    *,
    access: str = "",
    subjects: int = 0,
    called: Mapping[str, Any] | None = None,
) -> Guard:
    """Makes the web application.

    Args:
      store: The study.
      access: Token that visitors must bring once, as `/?access=TOKEN`; empty: none.
      subjects: How many have personal links, `/?subject=INVITATION`, and nobody else takes part;
        0: each browser is a subject.
      called: How the server may be called: arguments of the `Guard`; without it, as on loopback.
    """
    # No documentation pages: subjects have no use for them.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    subject_cookie = cookie_name(SUBJECT, store.identity)
    invited = {store.invitation(number) for number in range(1, subjects + 1)}
    page = {
        name: resources.files("ssagan_tf.study").joinpath("page", name).read_text("utf-8")
        for name in _PAGE
    }

    @app.exception_handler(RequestValidationError)
    async def refuse(request: Request, error: RequestValidationError) -> Response:
        return PlainTextResponse("this is no vote\n", 422)  # FastAPI's own answer repeats it

    @app.exception_handler(Full)
    async def turn_away(request: Request, error: Full) -> Response:
        return PlainTextResponse(f"{error}\n", 503)

    def known(request: Request) -> str:
        subject = request.cookies.get(subject_cookie, "")
        if not subject or (invited and subject not in invited):
            raise HTTPException(401, "reload the page")
        return subject

    def described(subject: str, **more: Any) -> dict[str, Any]:
        return {**dataclasses.asdict(store.state(subject)), **more}

    @app.get("/", response_class=HTMLResponse)
    def front(request: Request) -> Response:
        subject = request.cookies.get(subject_cookie)
        if invited:
            given = request.query_params.get(SUBJECT)
            if given in invited:
                response: Response = RedirectResponse("/", 303)  # it leaves the address bar
                remember(response, request.scope, subject_cookie, given)
                return response
            if subject not in invited:
                return HTMLResponse(NO_ACCESS, 403)
        response = HTMLResponse(page["page.html"])
        # Known from here on, so that two tabs, or two clicks on the button, begin one subject; and
        # for as long as the cookie is there, so that a browser is never several.
        subject = subject or secrets.token_urlsafe(24)
        remember(response, request.scope, subject_cookie, subject)
        return response

    @app.get("/page.css")
    def style() -> Response:
        return Response(page["page.css"], media_type=_PAGE["page.css"])

    @app.get("/page.js")
    def script() -> Response:
        return Response(page["page.js"], media_type=_PAGE["page.js"])

    @app.get("/api/state")
    def state(subject: str = Depends(known)) -> dict[str, Any]:
        return described(subject)

    @app.post("/api/start")
    def start(subject: str = Depends(known)) -> dict[str, Any]:
        store.begin(subject)
        return described(subject)

    @app.post("/api/vote")
    def vote(ballot: Ballot, subject: str = Depends(known)) -> dict[str, Any]:
        counted = store.vote(subject, ballot.trial, ballot.choice)
        return described(subject, counted=counted)

    @app.get("/media/{key}")
    def media(key: str, subject: str = Depends(known)) -> Response:
        data = store.video(subject, key)
        if data is None:
            raise HTTPException(404, "no such video")
        # Without the usual dates and tags, which would differ by system.
        return Response(data, media_type="video/mp4")

    return Guard(
        app,
        token=access,
        limits=_LIMITS,
        headers={"Content-Security-Policy": _POLICY},
        **(called or {}),
    )
