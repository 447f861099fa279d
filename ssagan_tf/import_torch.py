"""`python -m ssagan_tf.import_torch`: released PyTorch weights to .keras files, and back."""

from __future__ import annotations

import dataclasses
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import ssagan_tf
from ssagan_tf import box, cli
from ssagan_tf.errors import DataError, missing_extra
from ssagan_tf.files import replacing_file
from ssagan_tf.options import ImportOptions, OptionError, require
from ssagan_tf.startup import load_tensorflow

if TYPE_CHECKING:  # elsewhere it is imported late, since it loads Keras
    from ssagan_tf.models import Network

ABOUT = """
Makes a .keras file of a checkpoint of the released PyTorch code: generators of SSA-GAN and MD-GAN
and their discriminator. Size, skips, attention and spectral norm are read off the file. With
--export, the other way round. Needs PyTorch: pip install 'ssagan_tf[torch]'.
"""
SAFE_TORCH = (2, 10)  # earlier ones can be got around: CVE-2025-32434, CVE-2026-24747
_OF_CHECKPOINTS = ("stage1", "skips", "ssa_layers")  # settings that --export has no use for


def import_torch(options: ImportOptions) -> None:
    """Converts one file.

    Raises:
      OptionError: A setting is missing or does not fit the file.
      DataError: The file cannot be read or is of another network, or PyTorch is not installed.
    """
    require(options, "output")
    if bool(options.checkpoint) == bool(options.export):
        raise OptionError("checkpoint", options.checkpoint, "give either --checkpoint or --export")
    endings = (".pth", ".pt") if options.export else (".keras",)
    if Path(options.output).suffix not in endings:
        raise OptionError("output", options.output, f"must end in {' or '.join(endings)}")
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if options.export and field.name in _OF_CHECKPOINTS and value != field.default:
            raise OptionError(field.name, value, "is not for --export")
    (_write_checkpoint if options.export else _write_keras)(options)


def _write_keras(options: ImportOptions) -> None:
    state = _read(Path(options.checkpoint))
    load_tensorflow()
    from ssagan_tf import models, torch_weights

    kind, model = torch_weights.infer_network(
        {key: array.shape for key, array in state.items()},
        options.checkpoint,
        options.model,
        options.skips,
        options.ssa_layers,
    )
    if kind.min_weights(model) > sum(array.size for array in state.values()):
        raise DataError(
            f"{options.checkpoint} claims {model.base_filters} base filters at resolution "
            f"{model.resolution}, which need more weights than it holds"
        )
    is_generator = kind is not models.Discriminator
    network = (models.build_generator if is_generator else models.build_discriminator)(model)
    torch_weights.load_state_dict(network, state, options.checkpoint)
    print(f"{options.checkpoint}: {_describe(network)}")
    if options.stage1:
        network = _joined(options.stage1, network)
    with replacing_file(options.output) as temporary:
        network.save(temporary)
    print(f"wrote {options.output}: {_use(network)}")


def _joined(path: str, second: Network) -> Network:
    from ssagan_tf.models.two_stage import join_stages

    first = _load(path)
    try:
        return join_stages(first, second)
    except ValueError as error:
        raise OptionError("stage1", path, str(error)) from error


def _write_checkpoint(options: ImportOptions) -> None:
    torch = _torch()
    load_tensorflow()
    from ssagan_tf import torch_weights

    network = _stage(_load(options.export), options)
    state = {
        key: torch.from_numpy(array) for key, array in torch_weights.to_state_dict(network).items()
    }
    print(f"{options.export}: {_describe(network)}")
    with replacing_file(options.output) as temporary:
        torch.save(state, temporary)
    print(f"wrote {options.output}: {len(state)} tensors")


def _load(place: str) -> Network:
    """Of a file any network, a discriminator or a second stage as well; else that of the box."""
    from ssagan_tf.models.loading import load_network

    if box.is_name(place):
        return ssagan_tf.load_generator(place)
    return load_network(Path(place))


def _stage(network: Network, options: ImportOptions) -> Network:
    """The network to export: the file's, or one of its two stages."""
    stages = {stage.options.network: stage for stage in network.stages()}
    if not options.model and len(stages) == 1:
        return network
    if options.model not in stages:
        raise OptionError(
            "model", options.model, f"must be {' or '.join(stages)}, as {options.export} holds"
        )
    return stages[options.model]


def _read(path: Path) -> dict[str, np.ndarray]:
    """The state dict in a file, as float32 arrays, without running what else may be in it."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; name a checkpoint that torch.save wrote")
    torch = _torch()
    try:
        _refuse_compressed(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises many kinds
        asked = re.search(r"GLOBAL (\S+)", str(error))
        reason = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise DataError(
            f"cannot load {path}: it is damaged or holds more than weights "
            f"({f'it asks for {asked[1]}' if asked else reason})"
        ) from error
    is_dict = isinstance(state, dict) and all(isinstance(key, str) for key in state)
    if not is_dict or not all(torch.is_tensor(value) for value in state.values()):
        holds = (
            f"a dict of {', '.join(list(state)[:5])}" if is_dict else f"a {type(state).__name__}"
        )
        raise DataError(f"{path} holds no state dict but {holds}; save model.state_dict() alone")
    if state and all(key.startswith("module.") for key in state):  # of DataParallel
        state = {key.removeprefix("module."): value for key, value in state.items()}
    for key, value in state.items():
        plain = (value.layout, value.device.type) == (torch.strided, "cpu")
        if not plain or value.is_quantized or value.is_complex():
            raise DataError(f"{path}: {key} is no plain tensor; save model.state_dict() of floats")
    # A tensor may claim any shape, with strides of zero.
    if sum(value.numel() for value in state.values()) > path.stat().st_size:
        raise DataError(f"{path}: its tensors claim more than the file holds")
    return {key: value.detach().float().numpy() for key, value in state.items()}


def _refuse_compressed(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return  # of the releases before 1.6
    with zipfile.ZipFile(path) as archive:
        if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
            raise ValueError("it is compressed, which PyTorch does not do")


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise missing_extra(error, "torch") from error
    if tuple(map(int, re.findall(r"\d+", torch.__version__)[:2])) < SAFE_TORCH:
        raise DataError(
            f"PyTorch {torch.__version__} can be made to run code by a file; pip install "
            f"'torch>={'.'.join(map(str, SAFE_TORCH))}'"
        )
    return torch


def _describe(network: Network) -> str:
    from ssagan_tf import torch_weights

    return f"{torch_weights.describe(network)}; {network.count_params():,} weights"


def _use(network: Network) -> str:
    """What a file is good for."""
    from ssagan_tf import models

    if isinstance(network, models.Discriminator):
        return "a discriminator, for keras.models.load_model"
    if len(network.input_axes) == 3:
        return "a generator, for --model of generate"
    return "a second stage, which takes clips; --stage1=FILE.keras joins it to a first one"


def main() -> None:
    cli.run("import_torch", ABOUT, [ImportOptions], import_torch)


if __name__ == "__main__":
    main()
