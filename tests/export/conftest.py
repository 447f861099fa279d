from __future__ import annotations

import pytest

from tests.export.small_generators import SMALL, Exports, exports_of, randomized_generator


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """A small SSA-GAN."""
    return exports_of(tmp_path_factory.mktemp("exports"), randomized_generator(SMALL))
