"""The page as a web application, hardened against untrusted visitors."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ssagan_tf.demo_page.layout import import_gradio, page
from ssagan_tf.demo_page.maker import MAX_UPLOAD, Maker, check_photo
from ssagan_tf.web.temporary_files import TemporaryFiles

_QUEUE_LENGTH = 16  # waiting visitors; videos are made one after another
# Gradio's page needs inline scripts and styles; whatever runs there can reach this server only.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)


def make_app(
    maker: Maker,
    models: Sequence[str],
    files: TemporaryFiles,
    *,
    token: str = "",
    allowed_hosts: Mapping[str, Any] | None = None,
) -> Any:
    """Builds the page as a guarded ASGI application.

    Args:
      maker: Makes the videos.
      models: Names of the models.
      files: Where Gradio and the maker put files.
      token: Access token that visitors need; empty: none.
      allowed_hosts: Host names of the server, as arguments of `web.guard.Guard`.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(files.folder)  # where uploads go
    gradio = import_gradio()
    import fastapi

    from ssagan_tf.web.gradio_front import UPLOAD, GradioFront
    from ssagan_tf.web.guard import Guard, Limits

    blocks = page(maker, models)
    blocks.queue(max_size=_QUEUE_LENGTH, default_concurrency_limit=1, api_open=False)
    fonts = ["system-ui", "sans-serif"]  # the default ones are loaded from the internet
    app = gradio.mount_gradio_app(
        fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        path="/",
        show_error=False,
        allowed_paths=[],
        max_file_size=MAX_UPLOAD,
        enable_monitoring=False,
        mcp_server=False,
        ssr_mode=False,
        pwa=False,
        footer_links=[],
        theme=gradio.themes.Default(font=fonts, font_mono=["monospace"]),
    )
    upload = MAX_UPLOAD + 64 * 1024  # with the form around the file
    limits = Limits(body=64 * 1024, larger={UPLOAD: upload}, bodies=4 * upload, seconds=60.0)
    front = GradioFront(app, files, check_photo, MAX_UPLOAD)
    return Guard(
        front,
        token=token,
        limits=limits,
        headers={"Content-Security-Policy": _POLICY},
        **(allowed_hosts or {}),
    )
