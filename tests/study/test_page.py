"""The page in a real browser: headless Chromium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssagan_tf.study.store import Store

pytestmark = pytest.mark.slow

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture
def device(browser) -> Iterator:
    """A separate browser context for each subject, with its own cookies."""
    contexts = []

    def make(**settings):
        contexts.append(browser.new_context(viewport=DESKTOP, **settings))
        contexts[-1].set_default_timeout(20_000)
        return contexts[-1]

    yield make
    for context in contexts:
        context.close()


def votes(tmp_path: Path) -> list:
    return Store(tmp_path / "study.sqlite").votes()


def enter(context, url: str):
    page = context.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(error))
    page.goto(url)
    page.get_by_role("button", name="Start").click()
    return page


def at_pair(page, number: int, of: int = 4) -> None:
    """Waits until this pair can be voted on."""
    sync_api.expect(page.locator("#progress")).to_have_text(f"Pair {number} of {of}")
    sync_api.expect(page.locator("#left")).to_be_enabled()


def test_three_subjects(serve, device, tmp_path: Path) -> None:
    """One by mouse, who reloads; one by keyboard, in two tabs; one by touch, who double-clicks.
    The server is killed and started again between votes."""
    served = serve(cases="A:real,real:B")

    mouse = enter(device(), served.url)
    at_pair(mouse, 1)
    playing = mouse.evaluate(
        "[...document.querySelectorAll('video')].map(v => !v.paused && v.loop && v.videoWidth)"
    )
    assert playing == [32, 32]
    mouse.locator("#left").click()
    at_pair(mouse, 2)
    mouse.reload()
    at_pair(mouse, 2)
    mouse.locator("#right").click()
    at_pair(mouse, 3)

    context = device()
    keys = enter(context, served.url)
    at_pair(keys, 1)
    other_tab = context.new_page()
    other_tab.goto(served.url)
    at_pair(other_tab, 1)
    keys.keyboard.press("ArrowLeft")
    at_pair(keys, 2)
    other_tab.evaluate("choose('right')")  # on the first pair, which this tab still shows
    at_pair(other_tab, 2)
    assert [v.choice for v in votes(tmp_path) if v.subject == 2] == ["left"]
    other_tab.keyboard.press("ArrowRight")
    at_pair(other_tab, 3)

    touch = enter(device(has_touch=True), served.url)
    for number in (1, 2):
        at_pair(touch, number)
        touch.locator("#right").dblclick()
    at_pair(touch, 3)
    assert len([v for v in votes(tmp_path) if v.subject == 3]) == 2

    served.kill()
    mouse.locator("#left").click()  # nobody answers
    sync_api.expect(mouse.locator("#message")).to_contain_text("No connection")
    served.start()
    at_pair(mouse, 4)
    assert mouse.locator("#message").is_hidden()
    for page, first, key in (
        (mouse, 4, "ArrowLeft"),
        (keys, 3, "ArrowLeft"),
        (touch, 3, "ArrowRight"),
    ):
        page.evaluate("window.dispatchEvent(new Event('focus'))")  # its tab is chosen
        for number in range(first, 5):
            at_pair(page, number)
            page.keyboard.press(key)
        sync_api.expect(page.get_by_text("Thank you!")).to_be_visible()
        assert page.errors == []
    every = votes(tmp_path)
    assert len(every) == 12
    assert len({(vote.subject, vote.pair) for vote in every}) == 12
    chosen = [[v.choice[0] for v in every if v.subject == subject] for subject in (1, 2, 3)]
    assert ["".join(choices) for choices in chosen] == ["lrll", "lrll", "rrrr"]

    # It stays finished: one browser is one subject.
    mouse.reload()
    sync_api.expect(mouse.get_by_text("Thank you!")).to_be_visible()


def test_fits_on_the_screen(serve, device) -> None:
    page = enter(device(), serve(cases="A:real,real:B").url)
    at_pair(page, 1)
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        boxes = [page.locator(f"#{name}").bounding_box() for name in ("left", "right", "progress")]
        for box in boxes:
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= size["width"]
            assert box["y"] + box["height"] <= size["height"]
        left, right, _ = boxes
        assert left["x"] + left["width"] <= right["x"]
        assert left["width"] > 0.4 * min(size["width"], size["height"])
        if folder := os.environ.get("SSAGAN_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"study_{size['width']}.png")
