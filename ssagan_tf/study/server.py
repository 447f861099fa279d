"""The web server of a study. Nothing that it sends reveals which system made a clip."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

from ssagan_tf.errors import missing_extra
from ssagan_tf.study.store import Store, StudyFullError
from ssagan_tf.web.guard import NO_ACCESS, Guard, Limits, cookie_name, set_cookie

try:
    from fastapi import Depends, FastAPI, HTTPException, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
    from pydantic import BaseModel, Field
except ImportError as error:
    raise missing_extra(error, "study") from error

SUBJECT = "subject"  # name of the invitation in links, and of the cookie
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
    """A vote, as the page sends it."""

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
      access: Token that visitors must present once, as `/?access=TOKEN`; empty: none.
      subjects: Number of subjects with personal links, `/?subject=INVITATION`; nobody else may
        take part. 0: each browser is a subject.
      called: Names by which the server may be addressed: arguments of the `Guard`; by default
        those of this machine alone.
    """
    # Without FastAPI's documentation pages.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    subject_cookie = cookie_name(SUBJECT, store.identity)
    invited = {store.invitation(number) for number in range(1, subjects + 1)}
    page = {
        name: resources.files("ssagan_tf.study").joinpath("page", name).read_text("utf-8")
        for name in _PAGE
    }

    @app.exception_handler(RequestValidationError)
    async def invalid_vote(request: Request, error: RequestValidationError) -> Response:
        return PlainTextResponse("not a valid vote\n", 422)  # FastAPI's own answer would echo it

    @app.exception_handler(StudyFullError)
    async def study_full(request: Request, error: StudyFullError) -> Response:
        return PlainTextResponse(f"{error}\n", 503)

    def subject_of(request: Request) -> str:
        subject = request.cookies.get(subject_cookie, "")
        if not subject or (invited and subject not in invited):
            raise HTTPException(401, "reload the page")
        return subject

    def state_of(subject: str, **more: Any) -> dict[str, Any]:
        return {**dataclasses.asdict(store.state(subject)), **more}

    @app.get("/", response_class=HTMLResponse)
    def front(request: Request) -> Response:
        subject = request.cookies.get(subject_cookie)
        if invited:
            given = request.query_params.get(SUBJECT)
            if given in invited:
                # The redirect removes the invitation from the address bar.
                response: Response = RedirectResponse("/", 303)
                set_cookie(response, request.scope, subject_cookie, given)
                return response
            if subject not in invited:
                return HTMLResponse(NO_ACCESS, 403)
        response = HTMLResponse(page["page.html"])
        # The subject is fixed here, so that two tabs or a double click start only one, and a
        # browser stays the same subject as long as it keeps the cookie.
        subject = subject or secrets.token_urlsafe(24)
        set_cookie(response, request.scope, subject_cookie, subject)
        return response

    @app.get("/page.css")
    def style() -> Response:
        return Response(page["page.css"], media_type=_PAGE["page.css"])

    @app.get("/page.js")
    def script() -> Response:
        return Response(page["page.js"], media_type=_PAGE["page.js"])

    @app.get("/api/state")
    def state(subject: str = Depends(subject_of)) -> dict[str, Any]:
        return state_of(subject)

    @app.post("/api/start")
    def start(subject: str = Depends(subject_of)) -> dict[str, Any]:
        store.begin(subject)
        return state_of(subject)

    @app.post("/api/vote")
    def vote(ballot: Ballot, subject: str = Depends(subject_of)) -> dict[str, Any]:
        counted = store.vote(subject, ballot.trial, ballot.choice)
        return state_of(subject, counted=counted)

    @app.get("/media/{key}")
    def media(key: str, subject: str = Depends(subject_of)) -> Response:
        data = store.video(subject, key)
        if data is None:
            raise HTTPException(404, "video not found")
        # Without the usual dates and tags, which would differ between systems.
        return Response(data, media_type="video/mp4")

    return Guard(
        app,
        token=access,
        limits=_LIMITS,
        headers={"Content-Security-Policy": _POLICY},
        **(called or {}),
    )
