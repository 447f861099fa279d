"""The page as a web application that holds against strangers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ssagan_tf.demo_page.layout import import_gradio, page
from ssagan_tf.demo_page.maker import LARGEST, Maker, check_photo
from ssagan_tf.web.temporary_files import TemporaryFiles

_WAITING = 16  # visitors; the videos are made one after the other
# Gradio's page has its scripts and styles within; whatever runs there reaches this server only.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)


def make_app(
    maker: Maker,
    names: Sequence[str],
    room: TemporaryFiles,
    *,
    access: str = "",
    called: Mapping[str, Any] | None = None,
) -> Any:
    """The page as an ASGI application, guarded.

    Args:
      maker: Makes the videos.
      names: Of the models.
      room: Where Gradio and the maker put files.
      access: Token that visitors must bring; empty: none.
      called: How the server may be called: arguments of `web.guard.Guard`.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(room.folder)  # where uploads go
    gradio = import_gradio()
    import fastapi

    from ssagan_tf.web.gradio_front import UPLOAD, GradioFront
    from ssagan_tf.web.guard import Guard, Limits

    blocks = page(maker, names)
    blocks.queue(max_size=_WAITING, default_concurrency_limit=1, api_open=False)
    fonts = ["system-ui", "sans-serif"]  # the default ones are fetched from afar
    app = gradio.mount_gradio_app(
        fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        path="/",
        show_error=False,
        allowed_paths=[],
        max_file_size=LARGEST,
        enable_monitoring=False,
        mcp_server=False,
        ssr_mode=False,
        pwa=False,
        footer_links=[],
        theme=gradio.themes.Default(font=fonts, font_mono=["monospace"]),
    )
    upload = LARGEST + 64 * 1024  # with the form around it
    limits = Limits(body=64 * 1024, larger={UPLOAD: upload}, bodies=4 * upload, seconds=60.0)
    front = GradioFront(app, room, check_photo, LARGEST)
    return Guard(
        front,
        token=access,
        limits=limits,
        headers={"Content-Security-Policy": _POLICY},
        **(called or {}),
    )
