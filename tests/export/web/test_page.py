"""The page, in Chromium: with stand-ins of engine and renderer whose motion is known exactly, and
once with the real ones."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import colours
from tests.export.web.browser import Visit, visit  # noqa: F401
from tests.export.web.exported import manifest
from tests.export.web.exported import site as exported  # noqa: F401

av = pytest.importorskip("av", reason="PyAV is not installed")
SOURCE = Path(__file__).parents[3] / "export" / "web"
STAND_INS = Path(__file__).parent / "stand_in"
WIDTH, HEIGHT = 96, 64


def landscape(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """A bright bar from top to bottom, at a quarter of the width."""
    pixels = np.full((height, width, 3), 90, np.uint8)
    pixels[:, width // 4 : width // 4 + width // 8] = (250, 210, 60)
    return Image.fromarray(pixels)


def stripes() -> Image.Image:
    """Any motion changes every part of it."""
    pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    pixels[:, np.arange(WIDTH) % 12 < 6] = 200
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def upload(name: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "", "buffer": data}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for name in ("page", "imaging"):
        shutil.copytree(SOURCE / name, folder / name)
    for name in ("index.html", "style.css"):
        shutil.copy(SOURCE / name, folder)
    (folder / "renderer").mkdir()
    shutil.copy(STAND_INS / "engine.js", folder)
    shutil.copy(STAND_INS / "renderer.js", folder / "renderer")
    (folder / "skies").mkdir()
    skies = []
    for number in range(3):
        name = f"skies/{number}.jpg"
        landscape().save(folder / name)
        skies.append({"name": f"Sky {number}", "file": name})
    about = {"skies": skies, "mediabunny": "mediabunny.js"}
    (folder / "manifest.json").write_text(json.dumps(about))
    return folder


@pytest.fixture(scope="module")
def short(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site with a loop of a second, which is saved sooner."""
    folder = shutil.copytree(site, tmp_path_factory.mktemp("short") / "site")
    studio = folder / "page" / "studio.js"
    studio.write_text(studio.read_text().replace("SECONDS = 8", "SECONDS = 1"))
    return folder


@pytest.fixture
def page(visit: Callable[..., Visit], site: Path) -> Any:  # noqa: F811
    """The page, open; it must make no error and no request to anywhere else."""
    visited = visit(site)
    yield visited.page
    assert not visited.errors
    assert not visited.elsewhere


def wait(page: Any, text: str, seconds: float = 10.0) -> None:
    """Waits for a status."""
    from playwright.sync_api import expect

    expect(page.locator("#status")).to_have_text(re.compile(text), timeout=1000 * seconds)


def put(page: Any, data: bytes | None = None, name: str = "clouds.png") -> None:
    """Chooses a photo and waits until it moves."""
    page.set_input_files("#file", upload(name, data or encoded(landscape())))
    wait(page, "The sky moves")


def frame(page: Any) -> np.ndarray:
    """Returns what the canvas shows, `[H, W, 3]`."""
    url = page.evaluate("document.getElementById('picture').toDataURL()")
    png = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def moving(page: Any, patience: int = 20) -> np.ndarray:
    """Returns where the canvas changes within a while, `[H, W]` bool."""
    first, changed = frame(page), np.zeros(1)
    for number in range(patience):
        if number > 2 and changed.any():
            break
        page.wait_for_timeout(150)
        changed = changed + (np.abs(frame(page) - first).max(-1) > 8)
    return changed > 0


def stands_still(page: Any) -> bool:
    return not moving(page, patience=3).any()


def calls(page: Any) -> list[dict[str, Any]]:
    """Returns what the engine was asked for since the last time."""
    return page.evaluate("engine.calls.splice(0)")


def drop(page: Any, event: str, data: bytes) -> None:
    """Drops or pastes a file."""
    page.evaluate(
        """([event, text]) => {
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt());
          const dataTransfer = new DataTransfer();
          if (bytes.length) dataTransfer.items.add(new File([bytes], 'dropped.png'));
          document.body.dispatchEvent(event === 'drop'
            ? new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true })
            : new ClipboardEvent('paste', { clipboardData: dataTransfer, bubbles: true }));
        }""",
        [event, base64.b64encode(data).decode()],
    )


def test_photos_are_chosen_dropped_pasted_or_the_sites_own(page: Any) -> None:
    wait(page, "Ready")
    assert not page.locator("#unavailable").count()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a photo").click()
    chooser.value.set_files(upload("clouds.png", encoded(landscape())))
    wait(page, "The sky moves")
    changed = moving(page)
    assert changed[: HEIGHT // 2].any()
    assert not changed[HEIGHT // 2 :].any()
    for width, event in ((120, "drop"), (130, "paste")):
        drop(page, event, encoded(landscape(width)))
        page.get_by_text(f"{width} × {HEIGHT} pixels").wait_for()
        wait(page, "The sky moves")
        assert moving(page)[: HEIGHT // 2].any()
    page.get_by_role("button", name="Sky 1").click()
    page.get_by_text(f"{WIDTH} × {HEIGHT} pixels, 1.5 ms a frame").wait_for()
    drop(page, "drop", b"")
    page.get_by_role("alert").filter(has_text="Only files can be dropped").wait_for()


def test_settings_change_the_loop(page: Any) -> None:
    put(page)
    assert calls(page) == [
        {"painted": False},
        {"direction": "right", "speed": 1, "strength": 1, "seconds": 8, "fps": 25},
    ]
    page.get_by_label("← left").check()
    page.get_by_label("Speed").fill("1")
    page.get_by_label("Distance").fill("-1")
    page.wait_for_timeout(400)
    made = calls(page)
    assert made[-1] == {"direction": "left", "speed": 2, "strength": 0.5, "seconds": 8, "fps": 25}
    assert not any("painted" in each for each in made)
    page.get_by_role("button", name="Pause").click()
    wait(page, "Paused")
    assert stands_still(page)
    page.get_by_role("button", name="Play").click()
    assert moving(page).any()


def test_brush_holds_still_and_undoes(page: Any) -> None:
    put(page, encoded(stripes()))
    page.get_by_role("button", name="Paint what moves").click()
    page.get_by_label("Size").fill("30")
    calls(page)
    page.locator("#paint").scroll_into_view_if_needed()
    box = page.locator("#paint").bounding_box()
    page.mouse.move(box["x"], box["y"] + box["height"] / 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 4, steps=4)
    page.mouse.up()
    page.wait_for_timeout(200)
    assert calls(page)[0] == {"painted": True}
    changed = moving(page)
    assert not changed[4:28, : int(0.25 * WIDTH)].any()
    assert changed[4:28, int(0.5 * WIDTH) :].any()
    tint = page.evaluate(
        """() => { const canvas = document.getElementById('paint');
        const at = (x, y) =>
          canvas.getContext('2d').getImageData(x * canvas.width, y * canvas.height, 1, 1).data[3];
        return [at(0.1, 0.25), at(0.8, 0.25), at(0.8, 0.75)]; }"""
    )
    assert tint[0] == tint[2] == 0 < tint[1]
    page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(200)
    assert calls(page)[0] == {"painted": False}
    assert moving(page)[4:28, : int(0.25 * WIDTH)].any()
    assert page.get_by_role("button", name="Clear").is_disabled()


def test_brush_frees_where_nothing_was_found(page: Any) -> None:
    dark = Image.fromarray(np.asarray(landscape()) // 16)
    page.set_input_files("#file", upload("night.png", encoded(dark)))
    page.get_by_role("alert").filter(has_text="No sky was found. Paint what should move").wait_for()
    assert page.get_by_label("lets move").is_checked()
    page.locator("#paint").click()
    wait(page, "The sky moves")
    page.get_by_role("alert").wait_for(state="hidden")
    page.get_by_label("holds still").check()
    page.get_by_label("Size").fill("30")
    page.locator("#paint").click()
    page.get_by_role("alert").filter(has_text="Everything is held still").wait_for()
    page.keyboard.press("Control+z")
    wait(page, "The sky moves")


def test_everything_works_by_keyboard(page: Any) -> None:
    wait(page, "Ready")
    focused = "document.activeElement.id || document.activeElement.textContent"

    def tab_to(name: str) -> list[str]:
        seen = []
        while name not in seen:
            page.keyboard.press("Tab")
            seen.append(page.evaluate(focused))
            assert len(seen) < 20, seen
        return seen

    assert tab_to("Sky 0") == ["choose", "Sky 0"]
    page.keyboard.press("Enter")
    wait(page, "The sky moves")
    page.locator("#studio").focus()
    tab_to("play")
    page.keyboard.press("Space")
    wait(page, "Paused")
    page.keyboard.press("Space")
    wait(page, "The sky moves")
    tab_to("speed")
    calls(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert calls(page)[-1]["speed"] == pytest.approx(2**0.25)
    tab_to("brush")
    page.keyboard.press("Enter")
    tab_to("save")
    page.keyboard.press("Shift+Tab")
    page.locator("#studio").focus()
    tab_to("paint")
    for key in ("Shift+ArrowLeft", "ArrowUp", "Space", "Shift+ArrowLeft", "ArrowLeft", "Space"):
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    assert calls(page)[-2:][0] == {"painted": True}


def test_everything_has_a_name_and_a_role(page: Any) -> None:
    put(page)
    page.get_by_role("button", name="Paint what moves").click()
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, input, canvas, progress')]
        .filter((each) => each.checkVisibility() && !(each.textContent.trim()
          || each.ariaLabel || each.labels?.length || each.getAttribute('aria-labelledby')
          || each.ariaHidden)).map((each) => each.outerHTML)"""
    )
    assert not unnamed
    tree = page.locator("body").aria_snapshot()
    for line in (
        'heading "Make the sky move" [level=1]',
        'img "Your photo; its sky moves"',
        'group "Clouds drift"',
        'radio "right →" [checked]',
        'slider "Speed"',
        'button "Paint what moves" [pressed]',
        'application "Painting area"',
    ):
        assert line in tree, tree


ORIENTED = [[0, 1, 2, 3], [1, 0, 3, 2], [3, 2, 1, 0], [2, 3, 0, 1]]
ORIENTED += [[0, 2, 1, 3], [2, 0, 3, 1], [3, 1, 2, 0], [1, 3, 0, 2]]
"""For each EXIF orientation, the quarters of the file that come to the four corners."""


def test_photos_are_upright_and_in_srgb(page: Any) -> None:
    quarters = [(220, 30, 30), (30, 200, 30), (40, 40, 230), (210, 210, 210)]
    stored = Image.new("RGB", (64, 32))
    for number, colour in enumerate(quarters):
        stored.paste(colour, (32 * (number % 2), 16 * (number // 2), 64, 32))
    for orientation, corners in enumerate(ORIENTED, 1):
        exif = Image.Exif()
        exif[0x0112] = orientation
        put(page, encoded(stored, "JPEG", quality=95, subsampling=0, exif=exif))
        seen = page.evaluate(
            """() => { const { width, height, data } = engine.photo;
            const at = (x, y) => [...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)];
            return [width, height,
              at(2, 2), at(width - 3, 2), at(2, height - 3), at(width - 3, height - 3)]; }"""
        )
        assert tuple(seen[:2]) == ((64, 32) if orientation < 5 else (32, 64))
        want = [quarters[corner] for corner in corners]
        assert np.abs(np.subtract(seen[2:], want)).max() < 12, orientation

    values = np.array([200, 120, 60], np.uint8)
    plain = Image.fromarray(np.broadcast_to(values, (32, 32, 3)).copy())
    put(page, encoded(plain, icc_profile=colours.rgb_profile(colours.P3)))
    want = colours.shown(colours.light(values / 255) @ np.transpose(colours.FROM_P3))
    assert np.abs(page.evaluate("[...engine.photo.data.slice(0, 3)]") - want).max() <= 2

    clear = Image.new("RGBA", (32, 32), (255, 255, 255, 0))
    clear.paste((90, 90, 90, 255), (0, 16, 32, 32))
    put(page, encoded(clear))
    assert page.evaluate("[...engine.photo.data.slice(0, 3)]") == [0, 0, 0]


def test_large_photos_are_reduced(page: Any) -> None:
    put(page, encoded(landscape(1000, 300)))
    page.get_by_text("It was reduced to 640 × 192").wait_for()
    put(page, encoded(landscape(600, 600)))
    page.get_by_text("It was reduced to 547 × 547").wait_for()
    assert page.evaluate("engine.photo.width * engine.photo.height") <= 300_000
    put(page)
    page.get_by_text("It was reduced").wait_for(state="hidden")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (320, "dark")])
def test_narrow_screens(
    visit: Callable[..., Visit],  # noqa: F811
    site: Path,
    width: int,
    scheme: str,
) -> None:
    page = visit(site, color_scheme=scheme, viewport={"width": width, "height": 844}).page
    wait(page, "Ready")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    put(page)
    page.get_by_role("button", name="Paint what moves").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.getElementById('frame').clientWidth") > 0.85 * width


def test_reduced_motion_waits_for_play(visit: Callable[..., Visit], site: Path) -> None:  # noqa: F811
    page = visit(site, reduced_motion="reduce").page
    page.set_input_files("#file", upload("clouds.png", encoded(landscape())))
    wait(page, "nothing moves until you press Play")
    assert stands_still(page)
    page.get_by_role("button", name="Play").click()
    assert moving(page).any()


FILES = {
    "photo.heic": (b"\0\0\0\x18ftypheic" + bytes(40), "cannot open HEIC photos"),
    "clip.mp4": (b"\0\0\0\x18ftypisom" + bytes(40), "This is a video"),
    "clip.webm": (b"\x1aE\xdf\xa3" + bytes(40), "This is a video"),
    "paper.pdf": (b"%PDF-1.7" + bytes(40), "This is a PDF"),
    "photo.NEF": (b"MM\0*" + bytes(40), "This is a RAW file"),
    "photo.cr3": (b"\0\0\0\x18ftypcrx " + bytes(40), "This is a RAW file"),
    "scan.tif": (b"II*\0" + bytes(40), "cannot open TIFF"),
    "empty.jpg": (b"", "This file is empty"),
    "broken.jpg": (b"\xff\xd8\xff\xe0" + bytes(40), "it is damaged"),
    "words.txt": (b"no photo", "This file is not a photo"),
    "all.zip": (b"PK\x03\x04" + bytes(40), "This is an archive"),
}


def test_other_files_are_refused_in_words(page: Any) -> None:
    put(page)
    for name, (data, words) in FILES.items():
        page.set_input_files("#file", upload(name, data))
        page.get_by_role("alert").filter(has_text=words).wait_for()
        wait(page, "The sky moves")  # of the photo before it
    put(page)
    page.get_by_role("alert").wait_for(state="hidden")
    page.evaluate("globalThis.outOfMemory = true")
    page.set_input_files("#file", upload("clouds.png", encoded(landscape())))
    page.get_by_role("alert").filter(has_text="not enough memory").wait_for()


def test_page_says_what_it_needs(visit: Callable[..., Visit], site: Path, tmp_path: Path) -> None:  # noqa: F811
    page = visit(site).page
    page.goto((site / "index.html").as_uri())
    page.get_by_text("it needs a web server").wait_for()

    folder = shutil.copytree(site, tmp_path / "site")
    shutil.rmtree(folder / "renderer")
    shutil.copytree(SOURCE / "renderer", folder / "renderer")
    (folder / "page" / "main.js").write_text(
        "HTMLCanvasElement.prototype.getContext = () => null; await import('./main2.js');"
    )
    shutil.copy(SOURCE / "page" / "main.js", folder / "page" / "main2.js")
    visited = visit(folder)
    visited.page.get_by_role("alert").filter(has_text="no WebGL 2").wait_for()
    assert not visited.page.get_by_role("button", name="Choose a photo").is_visible()


def saved(page: Any, folder: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a video").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


@pytest.fixture
def library(short: Path, exported: Path) -> None:  # noqa: F811
    """The module that writes videos, in the site."""
    shutil.copy(exported / manifest(exported)["mediabunny"], short / "mediabunny.js")


@pytest.mark.usefixtures("library")
def test_saves_one_whole_loop(
    visit: Callable[..., Visit],  # noqa: F811
    short: Path,
    tmp_path: Path,
) -> None:
    visited = visit(short)
    page = visited.page
    put(page, encoded(landscape(99, 65)), name="my clouds.v2.png")
    assert "mediabunny.js" not in visited.files
    path = saved(page, tmp_path)
    assert path.stem == "my clouds.v2-moving"
    wait(page, "Saved as a video of 96 × 64 pixels")
    with av.open(str(path)) as video:
        frames = [each.to_ndarray(format="rgb24").astype(int) for each in video.decode(video=0)]
        assert video.duration / 1e6 == pytest.approx(1, abs=1e-3)
    assert len(frames) == 25
    assert frames[0].shape == (64, 96, 3)
    for index in (0, 7, 23):
        bar = (99 // 4 + round(index * 4 / 25 % 1 * 99)) % 99
        sky, ground = frames[index][16], frames[index][48]
        assert np.abs(sky[bar + 4 : bar + 8] - (250, 210, 60)).max() < 30, index
        assert np.abs(ground[28:32] - (250, 210, 60)).max() < 30, index
        assert np.abs(ground[60:90] - 90).max() < 12
    assert moving(page).any()  # it goes on
    assert page.evaluate("document.activeElement.id") == "save"

    calls(page)
    page.evaluate(
        """() => {
          const draw = renderer.draw.bind(renderer);
          globalThis.asked = [];
          renderer.draw = (time) => {
            asked.push(engine.calls.length);
            draw(time);
          };
          document.getElementById('save').click();
          document.querySelector('[value=left]').click();
        }"""
    )
    wait(page, "The sky moves")
    assert page.evaluate("asked.slice(0, 25)") == [0] * 25  # the loop changes once it is saved
    assert calls(page)[-1]["direction"] == "left"

    page.evaluate("renderer.isLost = true")
    page.get_by_role("button", name="Save as a video").click()
    page.get_by_role("alert").filter(has_text="graphics card is busy").wait_for()
    page.evaluate("renderer.isLost = false")
    # The button that cancels has the focus.
    page.evaluate("document.getElementById('save').click(); document.activeElement.click()")
    wait(page, "cancelled")
    page.get_by_role("button", name="Save as a video").wait_for()
    assert not visited.errors


def test_records_without_webcodecs(
    visit: Callable[..., Visit],  # noqa: F811
    short: Path,
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(short, tmp_path / "site")
    main = folder / "page" / "main.js"
    main.write_text(f"delete globalThis.VideoEncoder;\n{main.read_text()}")
    page = visit(folder).page
    put(page)
    path = saved(page, tmp_path)
    page.get_by_text("can only record in real time").wait_for()
    with av.open(str(path)) as video:
        frames = [each.to_ndarray(format="rgb24") for each in video.decode(video=0)]
    assert len(frames) > 5
    assert frames[0].shape == (HEIGHT, WIDTH, 3)
    page.evaluate("delete globalThis.MediaRecorder")
    page.get_by_role("button", name="Save as a video").click()
    page.get_by_role("alert").filter(has_text="cannot make videos here").wait_for()


@pytest.mark.slow
def test_a_sky_of_the_exported_site_moves_is_painted_and_saved(
    visit: Callable[..., Visit],  # noqa: F811
    exported: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(exported, tmp_path / "site")
    studio = folder / manifest(folder)["scripts"] / "page" / "studio.js"
    studio.write_text(studio.read_text().replace("SECONDS = 8", "SECONDS = 1"))
    visited = visit(folder, viewport={"width": 480, "height": 480})
    page = visited.page

    def shown() -> np.ndarray:
        png = page.locator("#frame").screenshot()
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)

    def changes() -> np.ndarray:
        """Waits until the sky has changed: without a GPU, frames may take a second."""
        first = shown()
        for _ in range(50):
            page.wait_for_timeout(200)
            change = np.abs(shown() - first).max(-1)
            if change[: len(change) // 3].mean() > 0.5:
                return change
        pytest.fail("the sky does not move")

    page.get_by_role("button", name="Summer clouds").click()
    wait(page, "The sky moves", 60)
    changes()  # from the still photo to the first frame
    change = changes()
    height, width = change.shape
    assert change[-height // 8 :, width // 8 : -width // 8].max() <= 2

    page.get_by_role("button", name="Paint what moves").click()
    page.get_by_label("Size").fill("30")
    page.locator("#paint").click(position={"x": width // 2, "y": height // 5})
    wait(page, "Making|Moving")
    wait(page, "The sky moves", 60)
    page.get_by_role("button", name="Paint what moves").click()
    changes()
    change = changes()
    across, down = width // 2, height // 5
    assert change[down - 5 : down + 5, across - 5 : across + 5].max() <= 2

    path = saved(page, tmp_path)
    with av.open(str(path)) as video:
        assert video.duration / 1e6 == pytest.approx(1, abs=1e-3)
        assert len(list(video.decode(video=0))) == 25
    assert not visited.errors
    assert not visited.elsewhere
