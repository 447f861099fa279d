"""The documentation names only what exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents import ROOT, anchors, problems

PAGES = [
    *(ROOT / name for name in ("README.md", "BUILD.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
GOOD = """
# A heading, `with` code
[a page](docs/box.md), [here](#a-heading-with-code), [there](docs/box.md#how-it-was-chosen),
`models/unet.py`, `configs/demo.cfg`, `box64.cfg`, `layers/`, `ssagan_tf.skies.clip_truth`,
`--noloop`, `prepare --scene_cut=5`, `python -m benchmarks.run --quick`, `.ci/run`
<img src="docs/demo.png" alt="">
```sh
pip install 'ssagan_tf[study,onnx]' && pip install -e '.[test]'
ssagan-train --flagfile=configs/demo.cfg --no-flip \\
    --resolution=64        # --not_a_setting
.venv/bin/python -m ssagan_tf.study --store=study.sqlite --report
python -m ssagan_tf.prepare_beam --source=a --output=b -- --runner=FlinkRunner
docker compose --profile cpu up
```
```python
from ssagan_tf.layers import SpatialSelfAttention
```
"""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_what_exists(page: Path) -> None:
    assert problems(page, page.read_text()) == []


def test_nothing_is_found_in_a_good_page() -> None:
    assert problems(ROOT / "README.md", GOOD) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[gone](docs/gone.md)", "link: docs/gone.md"),
        ('<img src="docs/gone.png">', "link: docs/gone.png"),
        ("# Here\n[gone](#there)", "anchor: #there"),
        ("[gone](docs/box.md#gone)", "anchor: docs/box.md#gone"),
        ("`models/gone.py`", "file: models/gone.py"),
        ("`gone.py`", "file: gone.py"),
        ("`gone64.cfg`", "file: gone64.cfg"),
        ("`layers/gone`", "file: layers/gone"),
        ("`ssagan_tf.skies.gone`", "name: ssagan_tf.skies.gone"),
        ("`--gone=1`", "setting of any program: --gone"),
        ("`train --gone`", "setting of ssagan_tf.train: --gone"),
        ("`--direction=up`", "value of --direction: up"),
        ("`ssagan-gone`", "program: ssagan-gone"),
        ("`python -m ssagan_tf.gone`", "program: ssagan_tf.gone"),
        ("```sh\nssagan-verify --steps=3\n```", "setting of ssagan_tf.verify: --steps"),
        (
            "```sh\npython3 -m ssagan_tf.train --data=a \\\n  --gone\n```",
            "setting of ssagan_tf.train: --gone",
        ),
        ("```sh\npython -m benchmarks.run --gone\n```", "setting of benchmarks.run: --gone"),
        ("```sh\nssagan-train --flagfile=gone.cfg\n```", "configuration: gone.cfg"),
        ("```sh\npip install 'ssagan_tf[gone]'\n```", "extra: gone"),
        ("```python\nfrom ssagan_tf.layers import Gone\n```", "name: ssagan_tf.layers.Gone"),
    ],
)
def test_what_does_not_exist_is_found(text: str, problem: str) -> None:
    assert problems(ROOT / "README.md", text) == [problem]


def test_anchors_are_those_of_github() -> None:
    text = "# Data\n## Several GPUs, several hosts\n```sh\n# no heading\n```\n### `x`: y"
    assert anchors(text) == {"data", "several-gpus-several-hosts", "x-y"}
