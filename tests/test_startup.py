"""Proxies and the user's Keras settings do not affect the programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ssagan_tf import startup
from tests import network_snapshots
from tests.programs import ROOT
from tests.surroundings import NOWHERE, elsewhere

pytestmark = pytest.mark.slow

HOSTS = ("localhost", "LOCALHOST", "127.0.0.1", "127.0.0.1:8080", "127.0.0.2", "::1")


@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_no_proxy_for_this_machine(variable: str, monkeypatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", NOWHERE)
    monkeypatch.setenv(variable, "corp.example, 10.1.2.3")
    assert not urllib.request.proxy_bypass("localhost")
    for _ in range(2):
        startup.bypass_proxies("127.0.0.2")
    for host in (*HOSTS, "corp.example", "10.1.2.3"):
        assert urllib.request.proxy_bypass(host), host
    assert not urllib.request.proxy_bypass("example.org")
    expected = "corp.example,10.1.2.3,localhost,127.0.0.1,::1,127.0.0.2"  # each once
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == expected


def test_no_proxy_for_any_host_is_kept(monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    startup.bypass_proxies()
    assert os.environ["NO_PROXY"] == "*"
    assert urllib.request.proxy_bypass("example.org")


def test_proxies_are_removed(monkeypatch) -> None:
    for name in ("http_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "socks://127.0.0.1:9")
    assert urllib.request.getproxies()
    startup.without_proxies()
    assert set(urllib.request.getproxies()) <= {"no"}  # the hosts that none is for


@pytest.mark.parametrize(("given", "expected"), [(None, "1"), ("0", "0"), ("1", "1")])
def test_onednn_is_on_unless_the_environment_says_otherwise(
    given: str | None, expected: str, monkeypatch
) -> None:
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if given is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", given)
    startup.load_tensorflow()  # as every program does
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == expected


@pytest.mark.parametrize("level", [None, "0"])
def test_a_log_level_changes_messages_only(level: str | None) -> None:
    code = (
        "from ssagan_tf import startup; startup.load_tensorflow(); import gc, os\n"
        "import tensorflow as tf; print(tf.config.threading.get_inter_op_parallelism_threads(),\n"
        "gc.isenabled(), gc.get_freeze_count() > 0, os.environ.get(startup.LOG_LEVEL))"
    )
    environment = {name: v for name, v in os.environ.items() if name != startup.LOG_LEVEL}
    environment |= {} if level is None else {startup.LOG_LEVEL: level}
    environment["CUDA_VISIBLE_DEVICES"] = ""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == f"1 True True {level}\n"
    assert bool(done.stderr) == (level is not None)


def test_garbage_collection_stays_off_if_it_was(monkeypatch) -> None:
    switches = []
    monkeypatch.setattr(startup.gc, "isenabled", lambda: False)
    monkeypatch.setattr(startup.gc, "enable", lambda: switches.append("on"))
    monkeypatch.setattr(startup.gc, "disable", lambda: switches.append("off"))
    with startup._without_garbage_collection():
        pass
    assert "on" not in switches


@pytest.mark.long
def test_keras_json_does_not_affect_networks_and_files(tmp_path: Path) -> None:
    path = tmp_path / "described.json"
    there = subprocess.Popen(
        [sys.executable, "-m", "tests.network_snapshots", path],
        cwd=ROOT,
        env=elsewhere(tmp_path),
        stderr=subprocess.DEVNULL,
    )
    ours = json.loads(json.dumps(network_snapshots.describe()))
    assert there.wait() == 0
    actual = json.loads(path.read_text("utf-8"))
    assert actual.pop("clip") == ["float32", pytest.approx(ours.pop("clip")[1], rel=1e-4)]
    assert actual == ours
