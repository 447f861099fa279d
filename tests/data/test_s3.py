"""The programs with a local S3 server (moto); needs the extra `io`."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssagan_tf import video
from ssagan_tf.data.dataset_info import FILE_NAME
from tests.data import program_server
from tests.data.program_server import RunProgram
from tests.programs import ROOT, Result, command, complaint, run, run_apart

if missing := [n for n in ("tensorflow_io", "moto") if importlib.util.find_spec(n) is None]:
    pytest.skip(f"{missing[0]} is not installed: the extra `test-io`", allow_module_level=True)

BUCKET = "clouds"
SMALL = ("--resolution=64", "--base_filters=1", "--ssa_layers=none")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a temporary server."""
    import boto3

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    given = {
        "S3_ENDPOINT": address,
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "TMPDIR": str(tmp_path_factory.mktemp("temporary")),
    }
    kept = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(Exception):
                client.create_bucket(Bucket=BUCKET)
                break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield client
    finally:
        server.terminate()
        server.wait()
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def send(client: Any, folder: Path, key: str) -> str:
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), BUCKET, f"{key}/{path.relative_to(folder)}")
    return f"s3://{BUCKET}/{key}"


def stored(client: Any, key: str) -> dict[str, bytes]:
    found = client.list_objects_v2(Bucket=BUCKET, Prefix=f"{key}/").get("Contents", ())
    return {
        one["Key"].removeprefix(f"{key}/"): client.get_object(Bucket=BUCKET, Key=one["Key"])[
            "Body"
        ].read()
        for one in found
    }


def done(result: Result) -> str:
    assert result.returncode == 0, result.stderr
    assert not result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def run_there(store: Any) -> Iterator[RunProgram]:
    with program_server.start() as run_there:
        yield run_there


@pytest.fixture(scope="module")
def prepared(store: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A set of synthetic clips in the bucket."""
    output = f"s3://{BUCKET}/sets/clouds"
    done(
        run_apart(
            "prepare",
            "--layout=synthetic",
            "--synthetic_clips=24",
            "--resolution=64",
            f"--output={output}",
            "--workers=1",
        )
    )
    return output


def test_footage_in_a_bucket(
    store: Any, tmp_path: Path, write_pictures, noise, run_there: RunProgram
) -> None:
    """The shards have the same bytes as those of the same footage on a local disk."""
    write_pictures(tmp_path / "pictures" / "A" / "1", range(40))
    write_pictures(tmp_path / "pictures" / "B", [*range(10), *range(20, 60)])
    (tmp_path / "pictures" / "B" / "notes.txt").write_text("fog")
    still = noise(1, 64, 64, 3)
    (tmp_path / "films").mkdir()
    moving = np.concatenate([still + np.uint8(number) for number in range(40)])
    video.write_mp4(tmp_path / "films" / "film.mp4", moving, 24)
    for layout in ("pictures", "films"):
        source = send(store, tmp_path / layout, layout)
        settings = ("--resolution=64", "--test_fraction=0.5", "--workers=2", "--scene_cut=0")
        output = f"s3://{BUCKET}/sets/{layout}"
        assert f"wrote {output}" in done(
            run_there("prepare", f"--source={source}", f"--output={output}", *settings)
        )
        here = tmp_path / f"{layout}_set"
        done(run("prepare", f"--source={tmp_path / layout}", f"--output={here}", *settings))
        there = stored(store, f"sets/{layout}")
        for path in here.iterdir():
            if path.name != FILE_NAME:
                assert there.pop(path.name) == path.read_bytes()
        [info] = map(json.loads, there.values())
        assert info["splits"] == json.loads((here / FILE_NAME).read_text())["splits"]
        assert info["settings"]["source"] == source


def test_verify_in_a_bucket(store: Any, prepared: str, run_there: RunProgram) -> None:
    assert "24 clips" in done(run_there("verify", f"--data={prepared}"))
    whole = stored(store, "sets/clouds")
    name = min(whole)
    [shard] = [name for name in whole if name.startswith("test")][:1]
    content = bytearray(whole[shard])
    content[len(content) // 2] ^= 1
    store.put_object(Bucket=BUCKET, Key=f"sets/damaged/{shard}", Body=bytes(content))
    for name, body in whole.items():
        if name != shard:
            store.put_object(Bucket=BUCKET, Key=f"sets/damaged/{name}", Body=body)
    result = run_there("verify", f"--data=s3://{BUCKET}/sets/damaged")
    assert result.returncode == 1
    assert f"s3://{BUCKET}/sets/damaged/{shard}: record" in result.stdout + result.stderr


def test_training_and_evaluation_from_a_bucket(
    prepared: str, tmp_path: Path, run_there: RunProgram
) -> None:
    trained = tmp_path / "run"
    said = done(
        run_there(
            "train",
            f"--data={prepared}",
            f"--run_dir={trained}",
            *SMALL,
            "--batch_size=2",
            "--discriminator_updates=1",
            "--steps=3",
            "--test_clips=2",
            "--samples=1",
        )
    )
    assert prepared in said
    assert (trained / "generator.keras").is_file()
    report = tmp_path / "report"
    done(run_there("evaluate", f"--data={prepared}", f"--run_dir={trained}", f"--output={report}"))
    metrics = json.loads((report / "metrics.json").read_text())
    assert prepared in json.dumps(metrics)


def test_killed_during_the_upload(store: Any, tmp_path: Path, prepared: str) -> None:
    """The same command resumes even if the bucket was emptied, and makes the same set."""
    arguments = (
        "--layout=synthetic",
        "--synthetic_clips=24",
        "--resolution=64",
        f"--output=s3://{BUCKET}/sets/killed",
        "--workers=1",
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        command("prepare", *arguments), env=env, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    while not stored(store, "sets/killed") and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for name in stored(store, "sets/killed"):
        store.delete_object(Bucket=BUCKET, Key=f"sets/killed/{name}")
    result = subprocess.run(
        command("prepare", *arguments), env=env, cwd=ROOT, capture_output=True, text=True
    )
    done(result)
    assert stored(store, "sets/killed") == stored(store, "sets/clouds")


@pytest.mark.parametrize(
    ("program", "arguments", "code", "expected"),
    [
        (
            "prepare",
            ("--source=s3://clouds/nothing", "--output=s3://clouds/sets/x"),
            2,
            "--source=s3://clouds/nothing: no such folder, or access is denied",
        ),
        (
            "prepare",
            ("--layout=synthetic", "--synthetic_clips=2", "--output=s3://no-such-bucket/x"),
            1,
            "cannot write s3://no-such-bucket/x: ",
        ),
        (
            "prepare",
            ("--layout=synthetic", "--output=s3://clouds/sets/clouds"),
            1,
            "s3://clouds/sets/clouds already contains a prepared set",
        ),
        ("verify", ("--data=s3://clouds/nothing",), 1, "s3://clouds/nothing: no such folder"),
        ("train", ("--data=oss3://clouds/set", "--run_dir=run"), 1, "oss3:// is unknown; expected"),
        (
            "train",
            ("--data=s3://clouds/sets/clouds", "--run_dir=s3://clouds/run", *SMALL),
            2,
            "--run_dir=s3://clouds/run: is a remote address, which only --data and prepare's",
        ),
    ],
)
def test_bad_input(
    prepared: str,
    run_there: RunProgram,
    program: str,
    arguments: tuple[str, ...],
    code: int,
    expected: str,
) -> None:
    assert expected in complaint(run_there(program, *arguments), code)
