"""The Beam pipeline writes the same bytes as the writer."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from ssagan_tf.data import beam, writer
from ssagan_tf.errors import DataError
from ssagan_tf.options import PrepareOptions

# Its dependencies emit warnings.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def given(tmp_path: Path, write_pictures) -> PrepareOptions:
    for index in range(6):
        write_pictures(tmp_path / "in" / f"V{index}" / "1", range(10, 42 + 40 * (index % 3)))
    broken = tmp_path / "in" / "V3" / "1" / "1_frames_00000012.jpg"
    broken.write_bytes(broken.read_bytes()[:100])
    return PrepareOptions(source=str(tmp_path / "in"), resolution=64, test_fraction=0.3, workers=0)


def test_the_same_bytes(tmp_path: Path, given: PrepareOptions, monkeypatch) -> None:
    pytest.importorskip("apache_beam", reason="the extra beam is not installed")
    from ssagan_tf.data import sharding

    monkeypatch.setattr(sharding, "SHARD_CLIPS", 3)
    by_beam = dataclasses.replace(given, output=str(tmp_path / "beam"))
    by_writer = dataclasses.replace(given, output=str(tmp_path / "set"), workers=1)
    info = beam.prepare(by_beam, ["--runner=DirectRunner", "--direct_running_mode=in_memory"])
    assert writer.prepare(by_writer) == info
    assert len(info.splits["train"].shards) > 1
    assert info.skipped
    contents = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("beam", "set")
    ]
    assert contents[0] == contents[1]
    with pytest.raises(DataError, match="already contains a prepared set"):
        beam.prepare(by_beam)


def test_errors_are_one_line(tmp_path: Path, write_pictures) -> None:
    pytest.importorskip("apache_beam", reason="the extra beam is not installed")
    write_pictures(tmp_path / "in" / "V", range(32))
    for path in (tmp_path / "in" / "V").iterdir():
        path.write_bytes(b"no picture")
    given = PrepareOptions(
        source=str(tmp_path / "in"), layout="frames", output=str(tmp_path / "set")
    )
    with pytest.raises(DataError, match="has no usable clip to train on") as raised:
        beam.prepare(given)
    assert len(str(raised.value).splitlines()) == 1


def test_without_the_extra(tmp_path: Path, given: PrepareOptions, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(DataError, match=r"pip install 'ssagan_tf\[beam\]'"):
        beam.prepare(dataclasses.replace(given, output=str(tmp_path / "set")))
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("argument", "message"),
    [("--workers=2", "--workers=2: is set by the runner"), ("--inspect", "is for prepare only")],
)
def test_refuses_settings_for_prepare_only(tmp_path: Path, argument: str, message: str) -> None:
    command = [sys.executable, "-m", "ssagan_tf.prepare_beam", "--source=.", "--output=set"]
    run = subprocess.run(
        [*command, argument, "--", "--runner=DirectRunner"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    [line] = run.stderr.splitlines()
    assert message in line
