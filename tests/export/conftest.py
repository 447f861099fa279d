from __future__ import annotations

import pytest

from tests.export.made import SMALL, Exports, alive, made


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """A small SSA-GAN."""
    return made(tmp_path_factory.mktemp("exports"), alive(SMALL))
