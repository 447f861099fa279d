"""The SavedModel, run by programs without any code of this project."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from export.options import SavedModelOptions
from export.signatures import ServedGenerator
from export.to_saved_model import to_saved_model
from ssagan_tf.errors import DataError
from ssagan_tf.options import ComputeOptions, ModelOptions, OptionError
from ssagan_tf.pixels import to_float, to_uint8
from tests.exactness import assert_as_good, assert_rounded
from tests.export.photo_files import BAD
from tests.export.small_generators import SIZES, Exports, has
from tests.models.plain import noise
from tests.training import tiny

pytestmark = [pytest.mark.numeric, pytest.mark.slow]

HERE = Path(__file__).parent
LIBRARY = Path(tf.__file__).parent / "libtensorflow_cc.so.2"
BATCHES = (1, 2, 5)
INVALID_ARGUMENT = 3


def pngs(photos: np.ndarray) -> np.ndarray:
    files = np.empty(len(photos), object)
    for index, photo in enumerate(photos):
        file = io.BytesIO()
        Image.fromarray(photo).save(file, "PNG")
        files[index] = file.getvalue()
    return files


def jpeg(frame: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def decoded(frames: np.ndarray) -> np.ndarray:
    """Decodes JPEGs `[B, T]` to uint8 `[B, T, H, W, 3]`."""
    return np.array(
        [[np.asarray(Image.open(io.BytesIO(frame))) for frame in clip] for clip in frames]
    )


def check(exports: Exports, size: int, signature: str, given: dict[str, np.ndarray]) -> None:
    """Compares the output of a signature with Keras."""
    expected, exact = exports.expected(to_float(exports.photos(size)))
    assert expected.std() > 0.05
    [(name, values)] = given.items()
    if signature == "tensor":
        assert (name, values.dtype) == ("clip", np.float32)
        assert_as_good([values], [expected], [exact])
        return
    levels = to_uint8(expected).astype(int)
    if signature == "serving_default":
        assert (name, values.dtype) == ("video", np.uint8)
        assert np.abs(values - levels).max() <= 1
    else:
        assert (name, values.shape) == ("frames_bytes", (size, 32))
        # JPEG is lossy: compare with the same frames encoded by Pillow, some off by one level.
        files = [[jpeg(frame) for frame in clip] for clip in to_uint8(expected)]
        assert np.abs(decoded(values) - decoded(files).astype(int)).mean() < 0.5


def requests(exports: Exports) -> list[tuple[str, dict[str, np.ndarray]]]:
    runs = []
    for size in BATCHES:
        photos = exports.photos(size)
        runs.append(("tensor", {"image": to_float(photos)}))
        runs += [(name, {"image_bytes": pngs(photos)}) for name in ("serving_default", "encoded")]
    return runs


def warm_up_records(folder: Path) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Reads the warm-up requests that a server replays."""
    from tensorflow_serving.apis import prediction_log_pb2

    runs = []
    for record in tf.data.TFRecordDataset(
        str(folder / "assets.extra" / "tf_serving_warmup_requests")
    ):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        runs.append((request.model_spec.signature_name, inputs))
    return runs


@pytest.mark.long
def test_by_the_c_api(exports: Exports, tmp_path: Path) -> None:
    good = requests(exports)
    warm_up = warm_up_records(exports.saved_model) if has("tensorflow_serving") else []
    bad = [("serving_default", {"image_bytes": np.array([file], object)}) for file in BAD.values()]
    runs = [*good, *warm_up, *bad, good[0]]
    (tmp_path / "requests").write_bytes(
        pickle.dumps((str(LIBRARY), str(exports.saved_model), runs))
    )
    child = subprocess.run(
        [sys.executable, HERE / "c_api.py", tmp_path / "requests", tmp_path / "answers"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr
    signatures, answers = pickle.loads((tmp_path / "answers").read_bytes())
    inputs = {name: list(takes) for name, (takes, _) in signatures.items()}
    assert inputs == {
        "serving_default": ["image_bytes"],
        "encoded": ["image_bytes"],
        "tensor": ["image"],
    }
    for (signature, given), answer in zip(runs, answers, strict=True):
        if signature != "tensor" and given["image_bytes"][0] in BAD.values():
            code, message = answer
            assert code == INVALID_ARGUMENT, message
        else:
            assert isinstance(answer, dict), answer
    for index, (signature, _) in enumerate(good):
        check(exports, BATCHES[index // 3], signature, answers[index])
    for (_, given), answer in zip(warm_up, answers[len(good) :], strict=False):
        assert len(*answer.values()) == len(*given.values())
    check(exports, 1, "tensor", answers[-1])  # after all the bad ones


@pytest.mark.skipif(not has("tensorflow_serving"), reason="the extra 'serving' is not installed")
def test_every_signature_is_warmed_up_at_every_size(exports: Exports) -> None:
    seen = [(name, len(*given.values())) for name, given in warm_up_records(exports.saved_model)]
    names = ("serving_default", "encoded", "tensor")
    assert sorted(seen) == sorted((name, int(size)) for name in names for size in SIZES)


PLAIN = """
import pickle, sys
import tensorflow as tf
folder, requests, answers = sys.argv[1:]
loaded = tf.saved_model.load(folder)
given = []
for signature, inputs in pickle.load(open(requests, "rb")):
    inputs = {name: tf.constant(value.tolist() if value.dtype == object else value)
              for name, value in inputs.items()}
    outputs = loaded.signatures[signature](**inputs)
    given.append({name: value.numpy() for name, value in outputs.items()})
assert not {"ssagan_tf", "export"} & {name.partition(".")[0] for name in sys.modules}
pickle.dump(given, open(answers, "wb"))
"""


@pytest.mark.long
def test_by_plain_tensorflow(exports: Exports, tmp_path: Path) -> None:
    runs = requests(exports)[2:4]  # two signatures and batch sizes
    (tmp_path / "requests").write_bytes(pickle.dumps(runs))
    arguments = [exports.saved_model, tmp_path / "requests", tmp_path / "answers"]
    child = subprocess.run(
        [sys.executable, "-c", PLAIN, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    answers = pickle.loads((tmp_path / "answers").read_bytes())
    for size, (signature, _), answer in zip((1, 2), runs, answers, strict=True):
        check(exports, size, signature, answer)


def test_settings_and_model_card(exports: Exports) -> None:
    extra = exports.saved_model / "assets.extra"
    settings = json.loads((extra / "settings.json").read_text())
    assert settings["networks"] == [dataclasses.asdict(exports.generator.options)]
    assert settings["fit"] == "stretch"
    card = (extra / "model_card.md").read_text()
    assert settings["fingerprint"] in card
    for name in ("image_bytes", "frames_bytes", "EXIF", "1 megapixels"):
        assert name in card
    assert (exports.saved_model / "fingerprint.pb").is_file()


def test_16_bit_kernels() -> None:
    generator, image = tiny.TinyGenerator(ModelOptions(resolution=64)), noise(1, 64, 64, 3)
    generator.build_variables()
    expected = generator(image)
    for weights in ("float16", "bfloat16"):
        served = ServedGenerator(generator, "stretch", weights, 10**6)
        stored = {variable.dtype.name for group in served.stored for variable in group}
        assert stored == {"float32", weights}
        clip = served.functions["tensor"](image)["clip"]
        assert_rounded(clip, expected, weights)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"output": "models/new"}, OptionError, "must end in a version number"),
        ({"output": ""}, OptionError, "output=: is required"),
        ({"model": ""}, OptionError, "either --run_dir or --model"),
        ({"model": "nowhere.keras"}, DataError, "not found"),
    ],
)
def test_wrong_settings(changes: dict, error: type, message: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = SavedModelOptions(
        **{"model": "m.keras", "output": "models/1", "warm_up": (), **changes}
    )
    with pytest.raises(error, match=message):
        to_saved_model(options, ComputeOptions())
    assert not list(tmp_path.iterdir())


def test_an_older_version_is_not_overwritten(exports: Exports) -> None:
    options = SavedModelOptions(
        model=str(exports.keras_file), output=str(exports.saved_model), warm_up=()
    )
    with pytest.raises(DataError, match="is not empty"):
        to_saved_model(options, ComputeOptions())
