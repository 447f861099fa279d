"""The rules of the layout: imports go one way, and the package imports lightly."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ssagan_tf
from ssagan_tf import models
from ssagan_tf.layers import SpatialSelfAttention
from ssagan_tf.options import ModelOptions

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ssagan_tf"
MODULES = sorted(PACKAGE.rglob("*.py"))
PROGRAMS = {
    *(
        "prepare",
        "prepare_beam",
        "verify",
        "train",
        "generate",
        "animate",
        "demo",
        "import_torch",
        "evaluate",
        "compare",
        "sweep",
    ),
}
ALWAYS = {"options", "errors"}  # import no other module of ours
# What each room may import of ours; rooms further down the list import from those above.
ROOMS = {
    "options": {"options"},
    "errors": set(),
    "startup": ALWAYS,
    "progress": {"safe_names"},
    "terminal": set(),
    "user_paths": ALWAYS,
    "pixels": set(),
    "precision": set(),
    "__init__": set(),
    "flag_files": ALWAYS | {"user_paths", "limits"},
    "flags": ALWAYS | {"flag_files", "user_paths", "limits"},
    "remote": ALWAYS | {"startup"},
    "safe_names": set(),
    "limits": ALWAYS | {"remote"},
    "files": ALWAYS | {"remote"},
    "video": ALWAYS | {"files", "limits", "remote", "video"},
    "photo_jobs": ALWAYS | {"files", "video", "progress", "safe_names", "user_paths", "pixels"},
    "motion": {"motion"},
    "animation": ALWAYS | {"video", "motion", "pixels"},
    "animation_jobs": ALWAYS | {"animation", "video", "motion", "photo_jobs", "pixels", "progress"},
    "skies": ALWAYS | {"skies"},
    "layers": {"layers", "precision"},
    "losses": {"precision"},
    "models": ALWAYS | {"layers", "models", "precision", "limits"},
    "box": ALWAYS | {"files", "limits"},
    "torch_weights": ALWAYS | {"models", "torch_weights"},
    "data": ALWAYS
    | {"files", "video", "data", "startup", "progress", "remote", "safe_names", "limits"}
    | {"motion", "skies", "terminal"},
    "training": ALWAYS
    | {"files", "video", "flags", "progress", "pixels", "precision", "startup", "remote", "limits"}
    | {"losses", "models", "data", "training", "box"},
    "evaluation": ALWAYS
    | {"files", "video", "progress", "pixels", "layers", "data", "evaluation", "safe_names"}
    | {"user_paths", "motion", "skies"},
    "web": ALWAYS | {"files", "web"},
    "demo_page": ALWAYS
    | {"animation", "animation_jobs", "motion", "pixels", "photo_jobs", "training", "video", "web"}
    | {"demo_page", "limits"},
    "study": ALWAYS
    | {"files", "video", "progress", "cli", "evaluation", "web", "study", "safe_names", "limits"},
    "cli": ALWAYS | {"flag_files", "flags", "safe_names", "startup", "terminal"},
}
EVERY_MODULE = pytest.mark.parametrize(
    "path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES]
)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    """Dotted names of all modules imported, anywhere in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(path, node)
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    """The module of a `from … import`. Those within export/ are relative, as it has two names."""
    folders = path.relative_to(ROOT).parent.parts
    if not node.level:
        assert (folders[0], node.module.split(".")[0]) != ("export", "export")
        return node.module
    assert folders[0] == "export", "imports are absolute"
    within = folders[: len(folders) - node.level + 1]
    return ".".join([*within, *filter(None, [node.module])])


@EVERY_MODULE
def test_imports_go_one_way(path: Path) -> None:
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("ssagan_tf.")}
    if room(path) not in PROGRAMS:
        assert ours <= ROOMS[room(path)]
    assert not any(name.split(".")[0] in ("export", "tests") for name in imports(path))


@EVERY_MODULE
def test_layers_and_models_run_on_every_backend(path: Path) -> None:
    # Replicas, and graphs with unknown sizes or with an order, are TensorFlow's.
    if room(path) in (
        "layers",
        "models",
        "torch_weights",
        "losses",
        "pixels",
    ) and path.stem not in (
        "replicas",
        "dynamic_blocks",
        "scheduling",
    ):
        assert not any(name.split(".")[0] == "tensorflow" for name in imports(path))


@EVERY_MODULE
def test_only_programs_read_the_command_line(path: Path) -> None:
    source = path.read_text()
    if room(path) not in ("cli", "flags", "flag_files"):
        assert "FLAGS" not in source.replace("FLAGS_FILE", "")
        assert "sys.argv" not in source


UNPICKLERS = {
    *("pickle", "_pickle", "cPickle", "pickletools", "cloudpickle", "dill", "joblib", "marshal"),
    *("shelve", "dbm", "yaml", "jsonpickle", "copyreg", "code", "codeop", "runpy", "xmlrpc"),
    *("tarfile", "gzip", "bz2", "lzma"),  # none is read here, so none is a bomb
}
RUNNERS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "np.load", "numpy.load"),
    *("torch.load", "torch.jit.load", "torch.hub.load", "np.genfromtxt", "np.fromregex"),
    *("multiprocessing.connection.Listener", "multiprocessing.connection.Client"),
    *("shutil.unpack_archive", "keras.config.enable_unsafe_deserialization"),
}
ALLOWED = {"torch.load(path, map_location='cpu', weights_only=True)"}
SOURCES = sorted(
    path for room in ("ssagan_tf", "export", "benchmarks") for path in (ROOT / room).rglob("*.py")
)


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_nothing_unpickles_or_runs_what_it_reads(path: Path) -> None:
    imported = imports(path)
    assert not {name.split(".")[0] for name in imported} & UNPICKLERS
    assert not imported & RUNNERS
    assert "unsafe_deserialization" not in path.read_text()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        assert ast.unparse(node.func) not in RUNNERS or ast.unparse(node) in ALLOWED
        named = {word.arg: ast.unparse(word.value) for word in node.keywords}
        assert "allow_pickle" not in named
        assert named.get("weights_only", "True") == "True"
        assert named.get("safe_mode", "True") == "True"
        assert named.get("shell", "False") == "False"


@pytest.mark.parametrize(
    ("name", "folder", "registry"),
    [
        ("METRICS", "ssagan_tf/evaluation/metrics", "__init__.py"),
        ("LAYOUT", "ssagan_tf/data/layouts", "listing.py"),
        ("TARGET", "export/parity", "__init__.py"),
    ],
)
def test_every_module_with_an_entry_is_registered(name: str, folder: str, registry: str) -> None:
    text = (ROOT / folder / registry).read_text()
    modules = [
        path.stem
        for path in (ROOT / folder).glob("*.py")
        if re.search(rf"^{name} = ", path.read_text(), re.MULTILINE)
    ]
    assert len(modules) > 1
    assert not [module for module in modules if f"{module}.{name}" not in text]


def test_nothing_is_called_utils() -> None:
    assert not [path for path in MODULES if "util" in path.stem or "helper" in path.stem]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("ssagan_tf", ("keras", "tensorflow", "numpy", "av", "PIL")),
        ("ssagan_tf.video", ("keras", "tensorflow", "cv2")),
        ("ssagan_tf.data.writer", ("keras", "tensorflow")),
        ("ssagan_tf.prepare", ("keras", "tensorflow", "av", "cv2")),
        ("ssagan_tf.prepare_beam", ("keras", "tensorflow", "apache_beam", "av", "cv2")),
        ("ssagan_tf.verify", ("keras", "tensorflow")),
        ("ssagan_tf.train", ("keras", "tensorflow")),
        ("ssagan_tf.generate", ("keras", "tensorflow")),
        ("ssagan_tf.animate", ("keras", "tensorflow", "av", "cv2")),
        ("ssagan_tf.demo", ("keras", "tensorflow", "gradio", "av", "cv2")),
        ("ssagan_tf.pixels", ("keras", "tensorflow")),
        ("export.to_saved_model", ("keras", "tensorflow")),
        ("export.to_onnx", ("keras", "tensorflow", "tf2onnx")),
        ("export.to_web", ("keras", "tensorflow", "tf2onnx", "onnx")),
        ("export.onnx_generate", ("keras", "tensorflow", "onnxruntime", "cv2")),
        ("export.onnx_animate", ("keras", "tensorflow", "onnxruntime", "cv2")),
        ("export.serving.client", ("keras", "tensorflow", "grpc", "cv2")),
        ("export.serving.animate", ("keras", "tensorflow", "grpc")),
        ("ssagan_tf.import_torch", ("keras", "tensorflow", "torch")),
        ("ssagan_tf.evaluate", ("keras", "tensorflow")),
        ("ssagan_tf.compare", ("keras", "tensorflow")),
        ("ssagan_tf.study.__main__", ("keras", "tensorflow", "fastapi")),
    ],
)
def test_import_is_light(module: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([n for n in {absent!r} if n in sys.modules])"
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == "[]"


def test_names_are_looked_up_when_used() -> None:
    assert ssagan_tf.ModelOptions is ModelOptions
    assert set(ssagan_tf.__all__) <= set(dir(ssagan_tf))
    assert ssagan_tf.layers.SpatialSelfAttention is SpatialSelfAttention
    assert ssagan_tf.build_generator is models.build_generator


def test_the_import_leaves_the_environment_alone() -> None:
    code = "import os; before = dict(os.environ); import ssagan_tf; print(os.environ == before)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"
