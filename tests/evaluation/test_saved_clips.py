from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ssagan_tf import video
from ssagan_tf.errors import DataError
from ssagan_tf.evaluation.saved_clips import ClipWriter


@pytest.mark.parametrize(("form", "longest"), [("mp4", 251), ("frames", 255)])
def test_names_too_long_for_a_file_are_refused_before_the_work(
    form: str, longest: int, tmp_path: Path, noise
) -> None:
    name = "é" * (longest // 2) + "x"
    assert len(name.encode()) == longest
    clip = noise(32, 16, 16, 3)
    ClipWriter(tmp_path, form, 12, [f"v/{name}"])("row", f"v/{name}", clip)
    [path] = (tmp_path / "row" / "v").iterdir()
    frames = list(video.read_video(path)) if path.is_file() else list(path.iterdir())
    assert len(frames) == 32
    if form == "mp4":
        with pytest.raises(DataError, match="use --save_clips=frames"):
            ClipWriter(tmp_path, form, 12, [f"v/{name}x"])
    else:
        read = [video.read_image(frame) for frame in sorted(path.iterdir())]
        np.testing.assert_array_equal(read, clip)
