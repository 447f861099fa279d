"""Output of the programs on terminals and pipes of all kinds, each in a new process."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from rich.console import Console

from ssagan_tf import cli, progress, terminal
from tests.programs import ROOT

LINES = 5000
PROGRAM = f"""
import sys
from pathlib import Path
from ssagan_tf import cli
from ssagan_tf.errors import DataError

def work():
    for number in range({LINES}):
        print(f"64×64 → {{number}} …", "\\udce9")
    Path("done").touch()
    if Path("bad").exists():
        raise DataError("bad\\nname\\udce9 ×")

cli.run("work", "64×64 → λ", [], work)
"""


def run(folder: Path, shell: str = "", **environment: str) -> subprocess.CompletedProcess:
    """Runs the program; `shell` follows it on the command line."""
    (folder / "work.py").write_text(PROGRAM, encoding="utf-8")
    return subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -X dev -W error work.py {shell}'],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **environment},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"PYTHONIOENCODING": "utf-8:strict"}, "64×64 → 0 … \\udce9".encode()),
        ({"PYTHONIOENCODING": "ascii:strict"}, b"64x64 -> 0 ... \\udce9"),
        ({"PYTHONIOENCODING": "cp1252:strict"}, b"64\xd764 -> 0 \x85 \\udce9"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, b"64x64 -> 0 ... \\udce9"),
    ],
)
def test_characters_that_a_terminal_cannot_show(
    tmp_path: Path, environment: dict, line: bytes
) -> None:
    (tmp_path / "bad").touch()
    result = run(tmp_path, **environment)
    lines = result.stdout.splitlines()
    assert (lines[0], len(lines), result.returncode) == (line, LINES, 1)
    shown = "×".encode(environment.get("PYTHONIOENCODING", "ascii").partition(":")[0], "ignore")
    assert result.stderr == rb"work: bad\nname\udce9 " + (shown or b"x") + b"\n"


@pytest.mark.parametrize(
    ("shell", "code", "message"),
    [
        ("| head -1; exit ${PIPESTATUS[0]}", 0, b""),
        ("| true; exit ${PIPESTATUS[0]}", 0, b""),
        ("--help | true; exit ${PIPESTATUS[0]}", 0, b""),
        ("2>&1 >/dev/null extra | true; exit ${PIPESTATUS[0]}", 2, b""),
        (">/dev/full", 1, b"work: cannot write its output: No space left on device\n"),
        ("--help >/dev/full", 1, b"work: cannot write its output: No space left on device\n"),
        (">&-", 0, b""),
        (">&- 2>&- <&-", 0, b""),
        ("extra 2>/dev/full", 2, b""),
    ],
)
def test_output_that_cannot_be_written(
    tmp_path: Path, shell: str, code: int, message: bytes
) -> None:
    result = run(tmp_path, shell)
    assert (result.returncode, result.stderr) == (code, message)
    has_worked = "--help" not in shell and "extra" not in shell
    assert (tmp_path / "done").exists() == has_worked
    files = {"work.py", "done"} if has_worked else {"work.py"}
    assert {path.name for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_bar_in_limited_encodings(tmp_path: Path, encoding: str) -> None:
    """On a real terminal of 40 columns."""
    source = """
from ssagan_tf import cli
from ssagan_tf.progress import Progress

def work():
    with Progress("64×64 →", 10) as bar:
        bar.advance(10, note="a/name/that/is/longer/than/the/terminal.mp4")

cli.run("work", "About.", [], work)
"""
    ours, theirs = pty.openpty()
    environment = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": f"{encoding}:strict"}
    process = subprocess.Popen(
        [sys.executable, "-c", source],
        env={**os.environ, **environment, "COLUMNS": "40", "TERM": "xterm"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal ends
        while some := os.read(ours, 4096):
            shown += some
    os.close(ours)
    assert process.wait() == 0, shown
    what = {"ascii": b"64x64 ->", "cp1252": b"64\xd764 ->", "utf-8": "64×64 →".encode()}
    assert what[encoding] in shown
    assert b"10/10" in shown


def test_symbols_have_ascii_substitutes() -> None:
    """All symbols that programs print; other characters are letters of names."""
    for sign, plain in terminal._ASCII_SUBSTITUTES.items():
        assert plain.isascii()
        assert sign.encode("ascii", terminal._ERROR_HANDLER).decode() == plain
    assert "é".encode("ascii", terminal._ERROR_HANDLER) == rb"\xe9"
    for path in (ROOT / "ssagan_tf" / "options").glob("*.py"):
        odd = {sign for sign in path.read_text("utf-8") if not sign.isascii()}
        assert odd <= set(terminal._ASCII_SUBSTITUTES), {unicodedata.name(sign) for sign in odd}


@pytest.mark.parametrize("width", [20, 40, 80, 300])
def test_help_is_as_wide_as_the_terminal(monkeypatch, width: int) -> None:
    from ssagan_tf.options import GenerateOptions

    monkeypatch.setenv("COLUMNS", str(width))
    lines = cli.help_text("generate", "Makes.", [GenerateOptions]).splitlines()
    running = [line for line in lines if line.startswith("      ")]
    assert max(map(len, running)) <= max(24, min(width, 92))


@pytest.mark.parametrize("width", [32, 60, 120])
@pytest.mark.parametrize("colour", [True, False])
def test_a_bar_in_a_narrow_terminal(monkeypatch, width: int, colour: bool) -> None:
    screen = io.StringIO()
    if not colour:
        monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(
        progress, "Console", lambda: Console(file=screen, force_terminal=True, width=width)
    )
    long = "/a/path/longer/than/the/terminal/is/wide/step_000002.mp4"
    with progress.Progress("train", 500) as bar:
        bar.advance(200, note="D 0.693  G 1.234  content 0.1234\nmore")
        bar.print(f"step 2: sample {long}")
    shown = screen.getvalue()
    assert "200/500" in shown
    assert long in shown  # not wrapped, so that it can be copied
    assert "\nmore" not in shown
    assert ("\x1b[3" in shown or "\x1b[9" in shown) == colour


@pytest.mark.parametrize("variables", [{"FORCE_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}])
def test_no_bar_on_a_dumb_terminal(capsys, monkeypatch, variables: dict) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with progress.Progress("train", 5) as bar:
        bar.advance(5, note="done")
        bar.print("x")
    assert capsys.readouterr().out == "train: 5/5 · done\nx\n"
