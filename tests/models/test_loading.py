"""Networks from files: valid ones, and manipulated ones from untrusted sources."""

from __future__ import annotations

import dataclasses
import io
import json
import resource
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from ssagan_tf import models
from ssagan_tf.errors import DataError
from ssagan_tf.models.loading import fingerprint, load_generator, load_network
from ssagan_tf.models.two_stage import join_stages
from ssagan_tf.options import ComputeOptions, ModelOptions, setting
from tests.exactness import rms

MODEL = ModelOptions(resolution=64, base_filters=2, ssa_layers="conv4")
CONFIG, WEIGHTS = "config.json", "model.weights.h5"


def test_generators_from_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not found"):
        load_generator(tmp_path / "missing.keras")
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(DataError, match=r"is not a \.keras file"):
        load_generator(tmp_path / "photo.jpg")
    (tmp_path / "broken.keras").write_bytes(b"not a model")
    with pytest.raises(DataError, match=r"cannot load .*broken\.keras"):
        load_generator(tmp_path / "broken.keras")
    models.build_discriminator(MODEL).save(tmp_path / "discriminator.keras")
    with pytest.raises(DataError, match="has no generator"):
        load_generator(tmp_path / "discriminator.keras")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save(tmp_path / "dense.keras")
    with pytest.raises(DataError, match=r"has no generator .* but 'Sequential'"):
        load_generator(tmp_path / "dense.keras")


def least(name: str) -> ModelOptions:
    attention = {"ssa_layers": "conv4"} if name.startswith("ssagan") else {}
    return ModelOptions(network=name, resolution=64, base_filters=1, **attention)


KINDS = {
    kind: name
    for name, system in models.REGISTRY.items()
    for kind in (system.generator, system.discriminator)
}


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_networks_load_as_with_keras(
    kind: type[models.Network], dtype: str, tmp_path: Path
) -> None:
    network = kind(least(KINDS[kind]), dtype=dtype, name="network")
    network.build_variables()
    # The weights in a file bound the network that is made for them.
    assert 1 <= network.count_params() / network.min_weights(network.options) < 8
    assert_loads_as_before(network, tmp_path / "network.keras")


def test_two_stages_load_as_with_keras(tmp_path: Path) -> None:
    stages = [models.build_generator(least(name)) for name in ("mdgan_stage1", "mdgan_stage2")]
    assert_loads_as_before(join_stages(*stages), tmp_path / "both.keras")


def assert_loads_as_before(network: models.Network, path: Path) -> None:
    network.save(path)
    loaded, reference = load_network(path), keras.models.load_model(path, compile=False)
    assert fingerprint(loaded) == fingerprint(reference) == fingerprint(network)
    assert type(loaded) is type(network)
    assert loaded.dtype_policy == reference.dtype_policy
    assert [(each.path, each.trainable) for each in loaded.weights] == [
        (each.path, each.trainable) for each in reference.weights
    ]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The members of a valid file with two stages."""
    path = tmp_path_factory.mktemp("good") / "good.keras"
    join_stages(*(models.build_generator(least(f"mdgan_stage{n}")) for n in (1, 2))).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def refused(path: Path, members: dict[str, bytes], match: str) -> None:
    """Writes an archive, which must be refused in one line, using little memory and no disk."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=f"^cannot load {path}: .*{match}") as error:
        load_network(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def described(members: dict[str, bytes], change: Callable[[dict], Any]) -> dict[str, bytes]:
    """The members with another config.json."""
    config = json.loads(members[CONFIG])
    changed = change(config)
    return {**members, CONFIG: json.dumps(config if changed is None else changed).encode()}


def an_object(module: str, name: str, config: Any, registered: str | None = None) -> dict:
    return {
        "module": module,
        "class_name": name,
        "config": config,
        "registered_name": registered,
    }


LAMBDA = {"class_name": "__lambda__", "config": {"value": "4wAAAAA="}}
STRANGE = {
    "a function of os": an_object("os", "system", {"command": "touch ran"}, "system"),
    "a function of Keras": an_object("keras.utils", "get_file", {"fname": "x"}),
    "a layer of Keras": an_object("keras.layers", "Lambda", {"function": LAMBDA}),
    "a layer of ours": an_object("", "ConvolutionBlock", {}, "ssagan_tf>ConvolutionBlock"),
    "no network by our name": an_object("os", "system", {}, "ssagan_tf>system"),
    "a lambda": LAMBDA,
    "a list": ["UNet"],
    "a number": 7,
    "null": None,
    "a name of another type": an_object("", "UNet", {}, ["ssagan_tf>UNet"]),
    "a name of a screen": an_object("", "\x1b[2J", {}),
}


@pytest.mark.parametrize("what", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("where", ["model", "stage"])
def test_objects_that_are_not_networks(what: Any, where: str, members, tmp_path: Path) -> None:
    def change(config: dict) -> Any:
        if where == "model":
            return {"model": what} if what is None else what
        config["config"]["first"] = what

    refused(tmp_path / "x.keras", described(members, change), "has no generator or discrim")


OPTIONS = {
    "absurd filters": ({"base_filters": 10**9}, r"need more weights than the \S+ in the file"),
    "absurd resolution": ({"resolution": 4096}, "resolution=4096: must be 64·2"),
    "astronomic": ({"resolution": 2**9000, "base_filters": 2**9000}, "resolution=1861"),
    "astronomic filters": ({"base_filters": 2**9000}, "more weights than"),
    "many filters": ({"base_filters": 64}, "more weights than"),
    "not a number": ({"base_filters": "8"}, "base_filters=8: must be a whole number"),
    "a list": ({"base_filters": [8]}, "must be a whole number"),
    "negative": ({"base_filters": -8}, "must be at least 1"),
    "infinite": ({"ssa_ratio": float("inf")}, "must be a finite number"),
    "an object": ({"skips": STRANGE["a layer of Keras"]}, "skips=.*must be one of"),
    "a network that there is not": ({"network": "gan"}, "network=gan: must be one of"),
    "another's network": ({"network": "vgan"}, "its UNet is not a network of vgan"),
    "more": ({"hook": 1}, "has settings that this version does not know"),
}


@pytest.mark.parametrize(("options", "match"), OPTIONS.values(), ids=OPTIONS)
def test_impossible_settings(options: dict, match: str, members, tmp_path: Path) -> None:
    def change(config: dict) -> None:
        config["config"]["first"]["config"]["options"] |= options

    refused(tmp_path / "x.keras", described(members, change), match)


DESCRIPTIONS = {
    "a policy": ("dtype", an_object("keras", "Policy", {"name": "float16"}), "precision=float16"),
    "a quantised policy": ("dtype", an_object("keras", "QuantizedDTypePolicy", {}), "precision="),
    "a policy of an object": ("dtype", STRANGE["a layer of Keras"], "precision="),
    "a name": ("name", {"x": 1}, "has a config that this version does not know"),
    "a path for a name": ("name", "../x", "cannot contain"),
    "a word for yes": ("trainable", "yes", "has a config that this version does not know"),
    "one more": ("activity_regularizer", LAMBDA, "has a config that this version does not know"),
    "no options": ("options", [1], "has settings that this version"),
}


@pytest.mark.parametrize(("key", "value", "match"), DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_configs_that_keras_would_execute(
    key: str, value: Any, match: str, members, tmp_path: Path
) -> None:
    def change(config: dict) -> None:
        config["config"]["first"]["config"][key] = value

    refused(tmp_path / "x.keras", described(members, change), match)


def test_other_parts_of_the_config_are_ignored(members, tmp_path: Path) -> None:
    """Keras would call `build_from_config` and `compile_from_config` with them."""

    def change(config: dict) -> None:
        for each in (config, config["config"]["first"]):
            each["build_config"] = {"input_shape": [10**9] * 5}
            each["compile_config"] = {"optimizer": STRANGE["a function of os"]}
            each["module"], each["class_name"] = "os", "system"
            each["shared_object_id"] = 1

    path = tmp_path / "x.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in described(members, change).items():
            archive.writestr(name, content)
    network = load_network(path)
    assert not network.compiled
    assert network.stages()[0].input_axes == (64, 64, 3)


def test_config_of_absurd_length_or_depth(members, tmp_path: Path) -> None:
    for content, match in (
        (b"[" * 60_000, "config.json cannot be read"),
        (b" " * 70_000 + members[CONFIG], "is longer than 65536 bytes"),
        (b'{"a": 1', "config.json cannot be read"),
        (b"\xff\xfe{", "config.json cannot be read"),
        (b'{"registered_name": ' + b"9" * 5000 + b"}", "config.json cannot be read"),
    ):
        refused(tmp_path / "x.keras", {**members, CONFIG: content}, match)


@pytest.mark.parametrize(
    "name", ["../escapes", "/etc/escapes", "assets/code.py", "model.weights.npz", "weights.json"]
)
def test_unexpected_members(name: str, members, tmp_path: Path) -> None:
    refused(tmp_path / "x.keras", {**members, name: b"x"}, "unexpected member")


@pytest.mark.parametrize("name", [CONFIG, "metadata.json", WEIGHTS])
def test_missing_members(name: str, members, tmp_path: Path) -> None:
    left = {each: content for each, content in members.items() if each != name}
    refused(tmp_path / "x.keras", left, f"{name} is missing")


def test_duplicate_and_compressed_members(members, tmp_path: Path) -> None:
    path = tmp_path / "x.keras"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # the name is there already
        for name in (*members, CONFIG):
            archive.writestr(name, members[name])
    with pytest.raises(DataError, match="two members of the same name"):
        load_network(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content + b"\0" * (10**7 if name == WEIGHTS else 0))
    with pytest.raises(DataError, match="is compressed; Keras writes it uncompressed"):
        load_network(path)


def test_sizes_that_only_the_directory_claims(members, tmp_path: Path) -> None:
    """The directory at the end of the file says that the weights take four gigabytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.getinfo(WEIGHTS).file_size = archive.getinfo(WEIGHTS).compress_size = 2**32 - 2
    (tmp_path / "x.keras").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"cannot load .*x\.keras"):
        load_network(tmp_path / "x.keras")


KERNEL = "first/encoder/convolution_block/convolution/vars/0"  # of a good file


def external(file: h5py.File, secret: Path) -> None:
    shape, name = file[KERNEL].shape, KERNEL
    del file[name]
    file.create_dataset(name, shape, "float32", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


def external_link(file: h5py.File, secret: Path) -> None:
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink(str(secret), "/x")


def external_link_of_a_group(file: h5py.File, secret: Path) -> None:
    del file["first"]
    file["first"] = h5py.ExternalLink(str(secret), "/")


def soft_link(file: h5py.File, secret: Path) -> None:
    del file[KERNEL]
    file[KERNEL] = h5py.SoftLink("/first")


def virtual(file: h5py.File, secret: Path) -> None:
    shape = file[KERNEL].shape
    layout = h5py.VirtualLayout(shape, "float32")
    layout[:] = h5py.VirtualSource(str(secret), "x", shape)
    del file[KERNEL]
    file.create_virtual_dataset(KERNEL, layout)


def compressed(file: h5py.File, secret: Path) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, (2**20, 2**20), "float32", chunks=(1024, 1024), compression="gzip")


def absurd(file: h5py.File, secret: Path) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, (2**30, 2**12), "float32")  # nothing is stored


def a_group_in_itself(file: h5py.File, secret: Path) -> None:
    file["first/again"] = file["first"]


def text(file: h5py.File, secret: Path) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, data=["x"], dtype=h5py.string_dtype())


def a_compound(file: h5py.File, secret: Path) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, data=np.zeros(2, [("a", "f4"), ("b", "f4")]))


def a_type(file: h5py.File, secret: Path) -> None:
    file["first/type"] = np.dtype("float32")


def missing(file: h5py.File, secret: Path) -> None:
    del file[KERNEL]


def of_another_shape(file: h5py.File, secret: Path) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, data=np.zeros(3, "float32"))


TAMPERED = {
    external: "is stored in another file",
    external_link: "is a link",
    external_link_of_a_group: "is a link",
    soft_link: "is a link",
    virtual: "is not stored contiguously",
    compressed: "is not stored contiguously",
    absurd: "claims to be larger than the file",
    a_group_in_itself: "has two names",
    text: "is not a numeric array",
    a_compound: "is not a numeric array",
    a_type: "is not a numeric array",
    missing: "could not be loaded",
    of_another_shape: "could not be loaded",
}


@pytest.mark.parametrize(
    ("change", "match"), TAMPERED.items(), ids=[change.__name__ for change in TAMPERED]
)
def test_weights_that_are_not_in_the_file(
    change: Callable, match: str, members, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones(10_000, "float32")
    buffer = io.BytesIO(members[WEIGHTS])
    with h5py.File(buffer, "r+") as file:
        assert isinstance(file[KERNEL], h5py.Dataset)
        change(file, secret)
    folder = tmp_path / "model"
    folder.mkdir()
    refused(folder / "x.keras", {**members, WEIGHTS: buffer.getvalue()}, match)


def is_dense(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Dense)


@pytest.mark.parametrize("mode", ["int8", pytest.param("int4", marks=pytest.mark.long)])
def test_quantized(mode: str, tmp_path: Path) -> None:
    """q, k and v are small in the file, and the output is nearly the same."""
    network = models.build_generator(MODEL)
    photos = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype("float32")
    without = np.asarray(network(photos))
    for weight in network.weights:
        if weight.path.endswith("ssa/gamma"):
            weight.assign(0.5)
    before = np.asarray(network(photos))
    network.quantize(mode, filters=is_dense)
    after = np.asarray(network(photos))
    assert 0 < rms(after - before) < {"int8": 0.02, "int4": 0.2}[mode] * rms(before - without)
    assert set(network.quantization_modes().values()) == {mode}
    assert len(network.quantization_modes()) == 3
    path = tmp_path / "generator.keras"
    network.save(path)
    for again in (
        load_network(path),
        load_network(path, ComputeOptions(attention_memory=64)),
        keras.models.load_model(path),
    ):
        np.testing.assert_array_equal(again(photos), after)
        assert fingerprint(again) == fingerprint(network)
    kernels = [layer._kernel for layer in again._flatten_layers() if is_dense(layer)]
    assert {str(kernel.dtype) for kernel in kernels} == {"int8"}


@pytest.mark.long
def test_two_quantized_stages(tmp_path: Path) -> None:
    options = {"resolution": 64, "base_filters": 1, "ssa_layers": "conv4"}
    stages = [
        models.build_generator(ModelOptions(network=name, **options))
        for name in ("ssagan", "ssagan_stage2")
    ]
    both = join_stages(*stages)
    both.quantize("int8", filters=is_dense)
    both.save(tmp_path / "both.keras")
    again = load_network(tmp_path / "both.keras")
    photos = np.zeros((1, 64, 64, 3), "float32")
    np.testing.assert_array_equal(again(photos), both(photos))
    assert [len(stage.quantization_modes()) for stage in again.stages()] == [3, 3]


def test_other_quantization_is_refused(tmp_path: Path) -> None:
    network = models.build_generator(MODEL)
    config = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    network.quantize(config=config, filters=is_dense)
    with pytest.raises(ValueError, match=r"conv4/ssa/\w+ was not quantized by"):
        network.save(tmp_path / "generator.keras")


@pytest.mark.parametrize(
    "quantized",
    [
        *({"conv4/ssa/query": "int2"}, {"conv4/ssa/query": ["int8"]}, {"conv4/ssa/query": 8}),
        *({"elsewhere": "int8"}, {"conv4": "int8"}, ["int8"], "int8"),
    ],
)
def test_invalid_quantization(quantized: Any, tmp_path: Path) -> None:
    path = tmp_path / "generator.keras"
    models.build_generator(MODEL).save(path)
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    described = json.loads(members[CONFIG])
    described["config"]["quantized"] = quantized
    members[CONFIG] = json.dumps(described).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    with pytest.raises(DataError, match=r"cannot load .*generator\.keras"):
        load_network(path)


@dataclasses.dataclass(frozen=True)
class LaterOptions(ModelOptions):
    """Settings with one that a later version adds."""

    added: str = setting("off", "A new setting.")


def test_new_settings_leave_fingerprints_as_they_are() -> None:
    network = models.build_generator(MODEL)
    before = fingerprint(network)
    network.options = LaterOptions(**dataclasses.asdict(MODEL))
    assert fingerprint(network) == before
    network.options = LaterOptions(**dataclasses.asdict(MODEL), added="on")
    assert fingerprint(network) != before
