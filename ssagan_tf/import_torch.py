"""`python -m ssagan_tf.import_torch`: converts released PyTorch weights to .keras, and back."""

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

if TYPE_CHECKING:  # otherwise imported late, because it loads Keras
    from ssagan_tf.models import Network

ABOUT = """
Converts a checkpoint of the released PyTorch code to a .keras file: generators of SSA-GAN and
MD-GAN, and their discriminator. Size, skips, attention and spectral norm are inferred from the
file. --export converts in the other direction. Requires PyTorch: pip install 'ssagan_tf[torch]'.
"""
SAFE_TORCH = (2, 10)  # files can run code in earlier versions: CVE-2025-32434, CVE-2026-24747
_IMPORT_ONLY = ("stage1", "skips", "ssa_layers")  # settings that --export does not use


def import_torch(options: ImportOptions) -> None:
    """Converts one file.

    Raises:
      OptionError: A setting is missing or does not fit the file.
      DataError: The file cannot be read or has another network, or PyTorch is not installed.
    """
    require(options, "output")
    if bool(options.state_dict) == bool(options.export):
        raise OptionError("state_dict", options.state_dict, "give either --state_dict or --export")
    endings = (".pth", ".pt") if options.export else (".keras",)
    if Path(options.output).suffix not in endings:
        raise OptionError("output", options.output, f"must end in {' or '.join(endings)}")
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if options.export and field.name in _IMPORT_ONLY and value != field.default:
            raise OptionError(field.name, value, "has no effect with --export")
    (_write_checkpoint if options.export else _write_keras)(options)


def _write_keras(options: ImportOptions) -> None:
    state = _read(Path(options.state_dict))
    load_tensorflow()
    from ssagan_tf import models, torch_weights

    kind, model = torch_weights.infer_network(
        {key: array.shape for key, array in state.items()},
        options.state_dict,
        options.network,
        options.skips,
        options.ssa_layers,
    )
    if kind.min_weights(model) > sum(array.size for array in state.values()):
        raise DataError(
            f"{options.state_dict} claims {model.base_filters} base filters at resolution "
            f"{model.resolution}, which need more weights than it holds"
        )
    is_generator = kind is not models.Discriminator
    network = (models.build_generator if is_generator else models.build_discriminator)(model)
    torch_weights.load_state_dict(network, state, options.state_dict)
    print(f"{options.state_dict}: {_describe(network)}")
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


def _load(name: str) -> Network:
    """Loads any network from a file, or a bundled generator."""
    from ssagan_tf.models.loading import load_network

    if box.is_name(name):
        return ssagan_tf.load_generator(name)
    return load_network(Path(name))


def _stage(network: Network, options: ImportOptions) -> Network:
    """The network to export: the one in the file, or one of its two stages."""
    stages = {stage.options.network: stage for stage in network.stages()}
    if not options.network and len(stages) == 1:
        return network
    if options.network not in stages:
        raise OptionError(
            "network", options.network, f"must be {' or '.join(stages)}, as {options.export} holds"
        )
    return stages[options.network]


def _read(path: Path) -> dict[str, np.ndarray]:
    """Reads the state dict in a file as float32 arrays, without running code that may be in it."""
    if not path.is_file():
        raise DataError(f"{path}: not found; give a checkpoint written by torch.save")
    torch = _torch()
    try:
        _refuse_compressed(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises many kinds
        needed = re.search(r"GLOBAL (\S+)", str(error))
        reason = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise DataError(
            f"cannot load {path}: it is damaged or contains more than weights "
            f"({f'it needs {needed[1]}' if needed else reason})"
        ) from error
    is_dict = isinstance(state, dict) and all(isinstance(key, str) for key in state)
    if not is_dict or not all(torch.is_tensor(value) for value in state.values()):
        content = (
            f"a dict of {', '.join(list(state)[:5])}" if is_dict else f"a {type(state).__name__}"
        )
        raise DataError(f"{path} has no state dict but {content}; save model.state_dict() alone")
    if state and all(key.startswith("module.") for key in state):  # written by DataParallel
        state = {key.removeprefix("module."): value for key, value in state.items()}
    for key, value in state.items():
        plain = (value.layout, value.device.type) == (torch.strided, "cpu")
        if not plain or value.is_quantized or value.is_complex():
            raise DataError(
                f"{path}: {key} is not a plain tensor; save model.state_dict() of floats"
            )
    # A tensor may claim any shape, with strides of zero.
    if sum(value.numel() for value in state.values()) > path.stat().st_size:
        raise DataError(f"{path}: its tensors claim to be larger than the file")
    return {key: value.detach().float().numpy() for key, value in state.items()}


def _refuse_compressed(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return  # the format before PyTorch 1.6
    with zipfile.ZipFile(path) as archive:
        if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
            raise ValueError("it is compressed; PyTorch writes it uncompressed")


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise missing_extra(error, "torch") from error
    if tuple(map(int, re.findall(r"\d+", torch.__version__)[:2])) < SAFE_TORCH:
        raise DataError(
            f"files can run code in PyTorch {torch.__version__}; pip install "
            f"'torch>={'.'.join(map(str, SAFE_TORCH))}'"
        )
    return torch


def _describe(network: Network) -> str:
    from ssagan_tf import torch_weights

    return f"{torch_weights.describe(network)}; {network.count_params():,} weights"


def _use(network: Network) -> str:
    """How the written file is used."""
    from ssagan_tf import models

    if isinstance(network, models.Discriminator):
        return "a discriminator, to load with keras.models.load_model"
    if len(network.input_axes) == 3:
        return "a generator, to use as --model of generate"
    return "a second stage, which takes clips; --stage1=FILE.keras joins it to a first stage"


def main() -> None:
    cli.run("import_torch", ABOUT, [ImportOptions], import_torch)


if __name__ == "__main__":
    main()
