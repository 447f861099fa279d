from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import loop_quality
from ssagan_tf import video
from tests.drifting_clips import clouds


def still(photos: np.ndarray) -> np.ndarray:
    return np.repeat(photos[:, None], 4, axis=1)


def photo() -> np.ndarray:
    picture = 110 + clouds(60, 90) // 2
    picture[45:] = 25, 35, 20
    return picture


def test_table_and_picture(tmp_path: Path) -> None:
    cloudless = np.full((60, 90, 3), (90, 140, 220), np.uint8)
    for name, picture in (("b/sky.png", photo()), ("a.png", cloudless)):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        video.write_image(path, picture)
    photos = loop_quality.photos(tmp_path / "in", 24)
    assert list(photos) == ["a.png", "b/sky.png"]
    table = loop_quality.run(photos, still, 32, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "loops.json").read_text())
    assert set(written["nothing_moves"]) == {"a.png"}
    figures = written["photos"]["b/sky.png"]
    assert 0.8 < figures["seam"] < 1.2
    assert 0.9 < figures["contrast"] <= 1
    assert f"{figures['sharpness']:.3f}" in table
    assert cv2.imread(str(tmp_path / "out" / "loops.png")).shape == (182, 5 * 270, 3)


def test_photos_are_spread_over_the_folder(tmp_path: Path) -> None:
    for index in range(9):
        video.write_image(tmp_path / f"{index}.png", np.zeros((2, 2, 3), np.uint8))
    assert list(loop_quality.photos(tmp_path, 3)) == ["0.png", "4.png", "8.png"]
    with pytest.raises(SystemExit, match="no pictures"):
        loop_quality.photos(tmp_path / "none", 3)


def test_a_photo_of_another_width() -> None:
    assert loop_quality.scaled_to_width(photo(), 180).shape == (120, 180, 3)
    assert loop_quality.scaled_to_width(photo(), 0).shape == (60, 90, 3)


def test_bounds() -> None:
    assert loop_quality.passes("seam", 1.1)
    assert not loop_quality.passes("seam", 1.3)
    assert not loop_quality.passes("sharpness", 0.9)
