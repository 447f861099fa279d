"""procedural-skies-64-v1 is frozen: other skies need another name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssagan_tf import flags, skies
from ssagan_tf.data import layouts, writer
from ssagan_tf.options import BENCHMARKS, OptionError, PrepareOptions
from ssagan_tf.skies import checksum

NAME = "procedural-skies-64-v1"
SETTINGS = {
    "layout": "synthetic",
    "wind": "canonical",
    "resolution": 64,
    "synthetic_clips": 4256,
    "test_fraction": 256 / 4256,
    "near_duplicates": "ignore",
    "seed": 64,
}
FRAMES = Path(__file__).with_name(f"{NAME}.png")  # first and last ones of clips 0 to 7


def test_settings_are_frozen():
    assert BENCHMARKS[NAME] == SETTINGS


def test_parameters_are_frozen():
    expected = "079c28cd5a7af87bc84dcd36cb2d9403974227dd3a03797edf996f52cf87c063"
    assert checksum.BENCHMARK_CHECKSUMS[NAME] == expected
    assert checksum.matches(NAME, 64)
    assert not checksum.matches(NAME, 65)


def test_frames_are_frozen_to_a_grey_level():
    with Image.open(FRAMES) as image:
        expected = np.asarray(image).astype(int).reshape(2, 64, 8, 64, 3)
    for index in range(8):
        drawn = skies.procedural_clip(64, index, 64, wind="canonical")[[0, 31]].astype(int)
        assert np.abs(drawn - expected[:, :, index]).max() <= 1


def test_one_flag_suffices(tmp_path):
    values = flags.flags.FlagValues()
    flags.define(values, [PrepareOptions])
    values(["", f"--benchmark={NAME}", f"--output={tmp_path}"])
    options = flags.read(PrepareOptions, values)
    assert {name: getattr(options, name) for name in SETTINGS} == SETTINGS
    assert len(layouts.list_items(options).items) == 4256


@pytest.mark.parametrize(("name", "value"), [("seed", 3), ("resolution", 128), ("wind", "any")])
def test_settings_cannot_be_changed(name, value):
    with pytest.raises(OptionError, match=f"{name}={value}: must be {SETTINGS[name]} with --b"):
        PrepareOptions(benchmark=NAME, **SETTINGS | {name: value})


def test_refused_if_this_version_draws_other_skies(tmp_path, monkeypatch):
    monkeypatch.setitem(checksum.BENCHMARK_CHECKSUMS, NAME, "another")
    options = PrepareOptions(benchmark=NAME, output=str(tmp_path / "set"), **SETTINGS)
    with pytest.raises(OptionError, match="this version draws different skies"):
        writer.prepare(options)
    assert not (tmp_path / "set").exists()


@pytest.mark.long
def test_all_parameters_are_frozen():
    assert (
        checksum.parameters(64, range(4256))
        == "acb754cc933c96606fb1a93d937a8db80528ad60c397519b175517dd7489ed40"
    )
