"""The web page of a study: one page, a handful of requests, nothing that tells a system's name."""

from __future__ import annotations

import dataclasses
import hmac
import secrets
from importlib import resources
from typing import Any, Literal

from ssagan_tf.errors import missing_extra
from ssagan_tf.study.store import Store

try:
    from fastapi import Cookie, Depends, FastAPI, HTTPException, Request, Response
    from fastapi.middleware.trustedhost import TrustedHostMiddleware
    from fastapi.responses import HTMLResponse, RedirectResponse
    from pydantic import BaseModel
except ImportError as error:
    raise missing_extra(error, "study") from error

SUBJECT, ACCESS = "subject", "access"  # cookies
_KEPT = 90 * 24 * 3600  # seconds
_LONGEST = 4096  # bytes sent with a request, which are read before it is asked who sends them
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; media-src blob:; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = {
    "page.html": "text/html",
    "page.css": "text/css",
    "page.js": "text/javascript",
}
_NO_ACCESS = "<!doctype html><title>Study</title><p>Please open the link that you were given."


class Ballot(BaseModel):
    """A vote as it is sent."""

    trial: str
    choice: Literal["left", "right"]


def make_app(store: Store, *, access: str = "", hosts: list[str] | None = None) -> FastAPI:
    """Makes the web application.

    Args:
      store: The study.
      access: Token that visitors must bring once, as `/?access=TOKEN`; empty: none.
      hosts: Names that the server may be called by; None: any. Keeps other sites' pages from
        reaching a server on loopback under a name of their own.
    """
    # No documentation pages: subjects have no use for them.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    page = {
        name: resources.files("ssagan_tf.study").joinpath("page", name).read_text("utf-8")
        for name in _PAGE
    }

    @app.middleware("http")
    async def bound_and_add_headers(request: Request, call_next: Any) -> Response:
        chunked = "transfer-encoding" in request.headers  # of a length that nobody knows
        if chunked or int(request.headers.get("content-length", 0)) > _LONGEST:
            response = Response(status_code=413)
        else:
            response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    def is_admitted(request: Request) -> bool:
        given = request.cookies.get(ACCESS, "")
        return not access or hmac.compare_digest(given.encode(), access.encode())

    def admitted(request: Request) -> None:
        if not is_admitted(request):
            raise HTTPException(403, "open the link that you were given")

    def known(subject: str = Cookie(default="")) -> str:
        if not subject:
            raise HTTPException(401, "reload the page")
        return subject

    def described(subject: str, **more: Any) -> dict[str, Any]:
        return {**dataclasses.asdict(store.state(subject)), **more}

    @app.get("/", response_class=HTMLResponse)
    def front(request: Request) -> Response:
        given = request.query_params.get(ACCESS)
        if access and given is not None and hmac.compare_digest(given.encode(), access.encode()):
            response: Response = RedirectResponse("/", 303)  # the token leaves the address bar
            _remember(response, ACCESS, access)
            return response
        if not is_admitted(request):
            return HTMLResponse(_NO_ACCESS, 403)
        response = HTMLResponse(page["page.html"])
        # Known from here on, so that two tabs, or two clicks on the button, begin one subject.
        _remember(response, SUBJECT, request.cookies.get(SUBJECT) or secrets.token_urlsafe(24))
        return response

    @app.get("/page.css", dependencies=[Depends(admitted)])
    def style() -> Response:
        return Response(page["page.css"], media_type=_PAGE["page.css"])

    @app.get("/page.js", dependencies=[Depends(admitted)])
    def script() -> Response:
        return Response(page["page.js"], media_type=_PAGE["page.js"])

    @app.get("/api/state", dependencies=[Depends(admitted)])
    def state(subject: str = Depends(known)) -> dict[str, Any]:
        return described(subject)

    @app.post("/api/start", dependencies=[Depends(admitted)])
    def start(subject: str = Depends(known)) -> dict[str, Any]:
        store.begin(subject)
        return described(subject)

    @app.post("/api/vote", dependencies=[Depends(admitted)])
    def vote(ballot: Ballot, subject: str = Depends(known)) -> dict[str, Any]:
        counted = store.vote(subject, ballot.trial, ballot.choice)
        return described(subject, counted=counted)

    @app.post("/api/leave", dependencies=[Depends(admitted)])
    def leave(response: Response) -> dict[str, Any]:
        _remember(response, SUBJECT, secrets.token_urlsafe(24))
        return {}

    @app.get("/media/{key}", dependencies=[Depends(admitted)])
    def media(key: str, subject: str = Depends(known)) -> Response:
        data = store.video(subject, key)
        if data is None:
            raise HTTPException(404, "no such video")
        # Without the usual dates and tags, which would differ by system.
        return Response(data, media_type="video/mp4")

    return app


def _remember(response: Response, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=_KEPT, httponly=True, samesite="lax")
