from __future__ import annotations

import io

import pytest
from rich.console import Console

from ssagan_tf import progress


def test_lines_without_a_terminal(capsys, monkeypatch) -> None:
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    with progress.Progress("train", 300, done=100) as bar:
        bar.print("resuming")
        for step in range(3):
            bar.advance(note=f"D {step}.0")
        bar.update("train", 300, 300)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "resuming"
    assert lines[-1] == "train: 300/300 · D 2.0"
    assert any("left" in line and line.startswith("train: 10") for line in lines[1:-1])


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        progress, "Console", lambda: Console(file=screen, force_terminal=True, width=100)
    )
    with progress.Progress("train", 5) as bar:
        bar.advance(2, note="D 0.693  G 1.2 [b]/[/b].mp4")
        bar.print("step 2: sample [a]:cloud:.mp4")
        bar.advance(3)
    shown = screen.getvalue()
    assert "5/5" in shown
    assert "D 0.693  G 1.2 [b]/[/b].mp4" in shown
    assert "step 2: sample [a]:cloud:.mp4" in shown
