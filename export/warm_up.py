"""Requests that TensorFlow Serving runs once when it loads a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ssagan_tf.pixels import to_float
from ssagan_tf.skies.any_wind import synthetic_clip
from ssagan_tf.video import encode_png

FILE_NAME = "tf_serving_warmup_requests"  # in assets.extra, where the server looks for it


def write(path: str, sizes: Sequence[int], resolution: int) -> None:
    """Writes a TFRecord file of PredictionLogs: one for each signature and batch size."""
    from tensorflow_serving.apis import prediction_log_pb2

    with tf.io.TFRecordWriter(path) as writer:
        for request in _requests(sizes, resolution):
            log = prediction_log_pb2.PredictLog(request=request)
            record = prediction_log_pb2.PredictionLog(predict_log=log)
            writer.write(record.SerializeToString())


def _requests(sizes: Sequence[int], resolution: int) -> Iterator[Any]:
    from tensorflow_serving.apis import predict_pb2

    photo = synthetic_clip(0, 0, resolution, frames=1)[0]
    file = np.array(encode_png(photo), object)
    inputs = {
        "serving_default": ("image_bytes", file),
        "encoded": ("image_bytes", file),
        "tensor": ("image", to_float(photo)),
    }
    for size in sizes:
        for signature, (name, value) in inputs.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = signature
            batch = np.broadcast_to(value, (size, *value.shape))
            request.inputs[name].CopyFrom(tf.make_tensor_proto(batch))
            yield request
