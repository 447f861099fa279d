from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ssagan_tf import video
from ssagan_tf.data import inspection, writer
from ssagan_tf.data.dataset_info import FILE_NAME
from ssagan_tf.data.reading import SpooledClip
from ssagan_tf.errors import DataError
from ssagan_tf.options import PrepareOptions


def test_writes_both_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, np.ndarray]] = []
    original = inspection.contact_sheet

    def recording(clips: Sequence[SpooledClip]) -> np.ndarray:
        drawn.extend((clip.motion, video.decode_image(clip.load()[0])) for clip in clips)
        return original(clips)

    monkeypatch.setattr(inspection, "contact_sheet", recording)
    given = PrepareOptions(
        layout="synthetic",
        output=str(tmp_path / "set"),
        synthetic_clips=3,
        resolution=64,
        workers=1,
        inspect=True,
    )
    info = writer.prepare(given)
    assert "inspect" not in info.settings
    sheet = video.read_image(tmp_path / "set" / inspection.SHEET)
    rows, columns = 3, 8
    assert sheet.shape[0] > rows * 64
    assert sheet.shape[1] > columns * 64
    # The clip with the least motion is on top, with its first frame first.
    assert len(drawn) == rows
    for number, (_, frame) in enumerate(sorted(drawn, key=lambda one: one[0])):
        top, left = _find(sheet, frame)
        assert top // 66 == number
        assert left < sheet.shape[1] - 8 * 64
    histogram = video.read_image(tmp_path / "set" / inspection.HISTOGRAM)
    assert histogram.std() > 10
    assert (tmp_path / "set" / FILE_NAME).is_file()


def _find(sheet: np.ndarray, frame: np.ndarray) -> tuple[int, int]:
    """Position of a picture in a larger one."""
    rows, columns = np.nonzero((sheet[:-63, :-63] == frame[0, 0]).all(-1))
    for top, left in zip(rows, columns, strict=True):
        if (sheet[top : top + 64, left : left + 64] == frame).all():
            return int(top), int(left)
    raise AssertionError("the frame is not in the sheet")


def test_missing_matplotlib_is_reported_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    given = PrepareOptions(layout="synthetic", output=str(tmp_path / "set"), inspect=True)
    with pytest.raises(DataError, match=r"pip install 'ssagan_tf\[evaluate\]'"):
        writer.plan(given)
    assert not (tmp_path / "set").exists()
