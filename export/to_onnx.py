"""`python -m export.to_onnx`: a generator for ONNX Runtime."""

from __future__ import annotations

import collections
import json
import time
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
Writes a generator as an ONNX file: image, float32 [N, S, S, 3] in [-1, 1], in; clip, float32
[N, 32, S, S, 3] in [-1, 1], out. export.onnx_generate runs it without TensorFlow.
"""

BYTES_OF_A_WEIGHT, LARGEST = 4, 2**31  # what one message of protocol buffers holds


def to_onnx(options: OnnxOptions) -> None:
    """Writes the file `options.output`, whole or not at all.

    Raises:
      OptionError: A setting is missing or impossible.
      DataError: The generator cannot be read, the extra is not installed, or the file cannot be
        written.
    """
    require(options, "output")
    output = Path(options.output)
    if output.suffix != ".onnx":
        raise OptionError("output", output, "must end in .onnx")
    origin = generator_source.find(options)
    how = origin.how(options.fit)
    require_extra("onnx", "onnx", "onnxruntime", "tf2onnx")

    load_tensorflow()
    from . import model_card, onnx_graph
    from .channels_first import PRECISE

    generator = origin.load(ComputeOptions())  # in float32, whatever it was trained in
    _check_size(generator)
    described = model_card.settings(
        generator, origin, how, precision=options.precision, opset=int(options.opset)
    )
    start = time.monotonic()
    with replacing_file(output) as temporary:
        print(f"writing {output}", flush=True)
        model = convert(generator, int(options.opset), options.attention_memory)
        onnx_graph.drop_transposes(model)
        if options.precision == "float16":
            model = onnx_graph.in_float16(model, PRECISE)
        for name, value in described.items():
            entry = model.metadata_props.add()
            entry.key, entry.value = name, json.dumps(value, ensure_ascii=False)
        model.doc_string = f"Time-lapse of a photo, made with ssagan_tf: {described['fingerprint']}"
        temporary.write_bytes(model.SerializeToString())
    kinds = collections.Counter(node.op_type for node in model.graph.node)
    print(
        f"{output.stat().st_size / 1e6:.1f} MB in {time.monotonic() - start:.0f} s; "
        f"{sum(kinds.values())} nodes, {kinds['Transpose']} of them Transpose; "
        f"{described['fingerprint']}"
    )


def _check_size(generator: Network) -> None:
    size = BYTES_OF_A_WEIGHT * generator.count_params()
    if size > LARGEST:
        raise DataError(
            f"the generator's weights take {size / 1e9:.1f} GB, and an ONNX file holds 2; "
            "export a SavedModel"
        )


def convert(generator: Network, opset: int, attention_memory: int) -> Any:
    """The generator as an `onnx.ModelProto`, as tf2onnx makes it."""
    import tensorflow as tf
    import tf2onnx

    from .channels_first import suited_layers

    image = tf.TensorSpec((None, *generator.input_axes), tf.float32, "image")

    @tf.function(autograph=False, input_signature=[image])
    def run(image):
        return {"clip": generator(image, training=False)}

    with suited_layers(attention_memory):
        model, _ = tf2onnx.convert.from_function(run, [image], opset=opset)
    return model


def main() -> None:
    cli.run("to_onnx", ABOUT, [OnnxOptions], to_onnx, package=__package__)


if __name__ == "__main__":
    main()
