"""`to_onnx`: exports a generator to ONNX."""

from __future__ import annotations

import collections
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssagan_tf import cli
from ssagan_tf.errors import DataError, require_extra
from ssagan_tf.files import replacing_file
from ssagan_tf.options import ComputeOptions, OptionError, require
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training import generator_source

from .options import OnnxOptions

if TYPE_CHECKING:
    from ssagan_tf.models import Network

ABOUT = """
Writes a generator as an ONNX file. Input: image, float32 [N, S, S, 3] in [-1, 1]. Output: clip,
float32 [N, 32, S, S, 3] in [-1, 1]. onnx_generate and onnx_animate run it without TensorFlow.
"""

BYTES_PER_WEIGHT = 4
LARGEST_FILE = 2**31  # bytes; the limit of protocol buffers


def to_onnx(options: OnnxOptions) -> None:
    """Writes the file `options.output`, or nothing if anything fails.

    Raises:
      OptionError: A setting is missing or invalid.
      DataError: The generator cannot be read, the extra `onnx` is not installed, or the file cannot
        be written.
    """
    require(options, "output")
    output = Path(options.output)
    if output.suffix != ".onnx":
        raise OptionError("output", output, "must end in .onnx")
    source = generator_source.find(options)
    how = source.how(options.fit)
    require_extra("onnx", "onnx", "onnxruntime", "tf2onnx")

    load_tensorflow()
    from . import model_card, onnx_graph
    from .channels_first import PRECISE

    generator = source.load(ComputeOptions())  # float32, whatever the training precision
    _check_size(generator)
    described = model_card.settings(
        generator, source, how, precision=options.precision, opset=int(options.opset)
    )
    start = time.monotonic()
    with replacing_file(output) as temporary:
        print(f"writing {output}", flush=True)
        model = convert(generator, int(options.opset), options.attention_memory)
        if options.precision == "float16":
            model = onnx_graph.in_float16(model, PRECISE)
        add_metadata(model, described)
        temporary.write_bytes(model.SerializeToString())
    kinds = collections.Counter(node.op_type for node in model.graph.node)
    print(
        f"{output.stat().st_size / 1e6:.1f} MB in {time.monotonic() - start:.0f} s; "
        f"{sum(kinds.values())} nodes, {kinds['Transpose']} of them Transpose; "
        f"{described['fingerprint']}"
    )


def _check_size(generator: Network) -> None:
    size = BYTES_PER_WEIGHT * generator.count_params()
    if size > LARGEST_FILE:
        raise DataError(
            f"the generator has {size / 1e9:.1f} GB of weights, but an ONNX file can have only 2; "
            "use to_saved_model"
        )


def convert(generator: Network, opset: int, attention_memory: int) -> Any:
    """Converts the generator to an `onnx.ModelProto` with tf2onnx, for speed in ONNX Runtime."""
    import tensorflow as tf
    import tf2onnx

    from . import onnx_graph, transposed_convolutions
    from .channels_first import channels_first_layers

    image = tf.TensorSpec((None, *generator.input_axes), tf.float32, "image")

    @tf.function(autograph=False, input_signature=[image])
    def run(image):
        return {"clip": generator(image, training=False)}

    with channels_first_layers(attention_memory):
        model, _ = tf2onnx.convert.from_function(run, [image], opset=opset)
    onnx_graph.drop_transposes(model)
    transposed_convolutions.as_convolutions(model)
    return model


def add_metadata(model: Any, described: Mapping[str, Any]) -> None:
    """Stores what `model_card.settings` says about an export in an `onnx.ModelProto`."""
    for name, value in described.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = name, json.dumps(value, ensure_ascii=False)
    model.doc_string = f"Photo to time-lapse, made with ssagan_tf: {described['fingerprint']}"


def main() -> None:
    cli.run("to_onnx", ABOUT, [OnnxOptions], to_onnx, package=__package__)


if __name__ == "__main__":
    main()
