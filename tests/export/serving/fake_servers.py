"""Fake TensorFlow Servers: the gRPC and the REST API, with a loaded SavedModel.

They are built from the public stubs, so that the client is tested against a server with the same
protocol.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import tensorflow as tf


class Model:
    """A named SavedModel that responds after `delay` seconds."""

    def __init__(self, folder: Path, name: str = "ssagan"):
        self.name, self.delay = name, 0.0
        self._signatures = tf.saved_model.load(str(folder)).signatures

    def predict(self, name: str, signature: str, files: list[bytes]) -> dict[str, np.ndarray]:
        time.sleep(self.delay)
        if name != self.name or signature not in self._signatures:
            raise KeyError(f"Servable not found for request: Latest({name})")
        outputs = self._signatures[signature](image_bytes=tf.constant(files))
        return {key: value.numpy() for key, value in outputs.items()}


@contextlib.contextmanager
def grpc_server(model: Model) -> Iterator[str]:
    """Starts a gRPC server and returns its address."""
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            spec = request.model_spec
            files = list(tf.make_ndarray(request.inputs["image_bytes"]))
            try:
                outputs = model.predict(spec.name, spec.signature_name, files)
            except KeyError as error:
                context.abort(grpc.StatusCode.NOT_FOUND, error.args[0])
            except tf.errors.InvalidArgumentError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
            answer = predict_pb2.PredictResponse()
            for key in request.output_filter:
                answer.outputs[key].CopyFrom(tf.make_tensor_proto(outputs[key]))
            return answer

    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(2), options=unlimited)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@contextlib.contextmanager
def rest_server(model: Model) -> Iterator[str]:
    """Starts a REST server and returns its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = self.path.removeprefix("/v1/models/").removesuffix(":predict").split("/")[0]
            files = [base64.b64decode(instance["b64"]) for instance in body["instances"]]
            code, answer = 200, {}
            try:
                [(key, value)] = model.predict(name, body["signature_name"], files).items()
                rows = value.tolist()
                if key.endswith("_bytes"):
                    rows = [[{"b64": base64.b64encode(x).decode()} for x in row] for row in rows]
                answer["predictions"] = rows
            except KeyError as error:
                code, answer["error"] = 404, error.args[0]
            except tf.errors.InvalidArgumentError as error:
                code, answer["error"] = 400, error.message
            with contextlib.suppress(OSError):  # the client may have disconnected
                self.send_response(code)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
