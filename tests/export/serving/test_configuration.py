"""The configuration of TensorFlow Serving."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from export.options import ClientOptions, SavedModelOptions

FOLDER = Path(__file__).parents[3] / "export" / "serving"


def test_models() -> None:
    config = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    text_format = pytest.importorskip("google.protobuf.text_format")
    text = (FOLDER / "models.config").read_text()
    [model] = text_format.Parse(text, config.ModelServerConfig()).model_config_list.config
    assert model.name == ClientOptions().name
    assert model.base_path == f"/models/{model.name}"


def test_every_batch_size_is_warmed_up() -> None:
    text = (FOLDER / "batching.config").read_text()
    sizes = re.findall(r"^allowed_batch_sizes: (\d+)$", text, re.MULTILINE)
    assert tuple(sizes) == SavedModelOptions().warm_up
    assert f"max_batch_size {{ value: {sizes[-1]} }}" in text


def test_containers() -> None:
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((FOLDER / "docker-compose.yml").read_text())["services"]
    for name, service in services.items():
        assert service["profiles"] == [name]
        assert all(port.startswith("${BIND:-127.0.0.1}:") for port in service["ports"])
        files = [mount.split(":")[-3:-1] for mount in service["volumes"] if mount.startswith("./")]
        assert all((FOLDER / source).is_file() for source, _ in files)
        used = " ".join(service["command"])
        assert all(target in used for _, target in files)
