"""Files of earlier versions that hold settings under their old names."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ssagan_tf.data import layouts, writer
from ssagan_tf.data.dataset_info import FILE_NAME, DatasetInfo
from ssagan_tf.data.evaluation_clips import open_footage
from ssagan_tf.data.reading import READER_VERSION
from ssagan_tf.data.sharding import settings_of
from ssagan_tf.options import PrepareOptions


def test_a_prepared_set(synthetic_set: Path, tmp_path: Path) -> None:
    for path in synthetic_set.iterdir():
        (tmp_path / path.name).symlink_to(path)
    old = (
        (synthetic_set / FILE_NAME).read_text().replace('"static_threshold": 0.0005', '"still": 1')
    )
    assert '"still": 1' in old
    (tmp_path / FILE_NAME).unlink()
    (tmp_path / FILE_NAME).write_text(old)
    assert DatasetInfo.from_json(old).settings["static_threshold"] == 1
    footage = open_footage(PrepareOptions(source=str(tmp_path)), "test")
    assert footage.about["clips"].endswith("static threshold 1")


def test_the_plan_of_an_interrupted_prepare() -> None:
    """Its digest is unchanged, so finished work is reused."""
    options = PrepareOptions(source="footage", output="set")
    content = json.dumps([READER_VERSION, settings_of(options)]).replace(
        "static_threshold", "still"
    )
    nothing = layouts.Listing("frames", (), ())
    assert writer._digest(options, nothing) == hashlib.sha256(content.encode()).hexdigest()
