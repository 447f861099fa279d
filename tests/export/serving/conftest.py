"""Fake servers, each started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.export.serving.fake_servers import Model, grpc_server, rest_server
from tests.export.small_generators import Exports

SERVERS = {"grpc": grpc_server, "rest": rest_server}


@pytest.fixture(scope="session")
def model(exports: Exports) -> Model:
    return Model(exports.saved_model)


@pytest.fixture(scope="session", params=SERVERS)
def served(request: pytest.FixtureRequest, model: Model) -> Iterator[dict[str, str]]:
    """The settings of a client of the server."""
    with SERVERS[request.param](model) as address:
        yield {"server": address, "api": request.param}
