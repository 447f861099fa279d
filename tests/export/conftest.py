from __future__ import annotations

import dataclasses

import pytest

from ssagan_tf import models
from tests.export.made import SMALL, Exports, alive


@pytest.fixture(scope="session", params=models.REGISTRY)
def exports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exports:
    folder = tmp_path_factory.mktemp(request.param)
    generator = alive(dataclasses.replace(SMALL, network=request.param))
    made = Exports(folder, generator)
    generator.save(made.keras_file)
    return made
