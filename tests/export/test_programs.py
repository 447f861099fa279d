"""The programs of export/ as a user runs them."""

from __future__ import annotations

import dataclasses
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from export import options
from export.onnx_session import OnnxGenerator
from export.serving.servers import Grpc
from export.to_onnx import to_onnx
from export.to_saved_model import to_saved_model
from ssagan_tf.demo import demo
from ssagan_tf.errors import DataError
from ssagan_tf.options import ComputeOptions, DemoOptions

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "export.to_saved_model": options.SavedModelOptions,
    "export.to_onnx": options.OnnxOptions,
    "export.to_box": options.BoxOptions,
    "export.to_web": options.WebOptions,
    "export.onnx_generate": options.OnnxGenerateOptions,
    "export.onnx_animate": options.OnnxAnimateOptions,
    "export.check_parity": options.ParityOptions,
    "export.serving.client": options.ClientOptions,
    "export.serving.animate": options.ServingAnimateOptions,
}


@pytest.mark.parametrize(("program", "section"), PROGRAMS.items(), ids=PROGRAMS)
def test_help_names_every_setting(program: str, section: type, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module(program).main()
    shown, errors = capsys.readouterr()
    assert not errors
    assert shown.startswith(f"python -m {program} ")
    for field in dataclasses.fields(section):
        assert f"\n  --{field.name}=" in shown
    assert max(map(len, shown.splitlines())) <= 100
    is_about_one = program == "export.to_saved_model" or ".serving." in program
    warned = "A SavedModel is a program, which can read and write files: load only your own."
    assert (warned in " ".join(shown.split())) == is_about_one


def test_help_of_a_console_script_names_it(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/ssagan-to-onnx", "--help"])
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module("export.to_onnx").main()
    assert capsys.readouterr().out.startswith("ssagan-to-onnx [--flagfile=FILE]")


@pytest.mark.parametrize(
    ("program", "arguments", "message"),
    [
        ("export.to_saved_model", ["--output=models/1", "--steps=1"], "--steps is no"),
        ("export.to_onnx", ["--precision=mixed_bfloat16"], "--precision"),
        ("export.to_box", ["--run_dir=r", "--name=sky"], "--name=sky: must start with box"),
        ("export.check_parity", ["--onnx=a.onnx"], "either --run_dir or --model"),
    ],
)
def test_bad_input_gets_one_line(program: str, arguments: list[str], message: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", program, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert line.startswith(f"{program.split('.')[-1]}: ")
    assert message in line


EXTRAS = {
    "onnxruntime": ("onnx", lambda: OnnxGenerator("m.onnx")),
    "tf2onnx": ("onnx", lambda: to_onnx(options.OnnxOptions(model="m.keras", output="m.onnx"))),
    "tensorflow_serving": (
        "serving",
        lambda: to_saved_model(
            options.SavedModelOptions(model="m.keras", output="1"), ComputeOptions()
        ),
    ),
    "grpc": ("serving", lambda: Grpc(options.ClientOptions(server="localhost:8500"))),
    "gradio": ("demo", lambda: demo(DemoOptions(runs=(__file__,)), ComputeOptions())),
}


@pytest.mark.parametrize("module", EXTRAS)
def test_a_missing_extra_is_named(module: str, monkeypatch) -> None:
    extra, use = EXTRAS[module]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=rf"^{module} is not installed; .*'ssagan_tf\[{extra}\]'"):
        use()
