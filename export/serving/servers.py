"""The two ways to ask a server: gRPC and REST. Photo files in, frames out."""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import json
import math
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from ssagan_tf.errors import DataError, missing_extra

from ..options import ServerOptions

OUTPUTS = {"encoded": "frames_bytes", "serving_default": "video"}
MIB = 2**20
_LINE = 500  # letters
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
TOO_LARGE = "ask for the signature encoded, or for fewer photos at once, or raise --message_mib"


def telling_line(text: str) -> str:
    """Of a server's error, the line that says what is wrong: an assertion's, or else the first.

    Without what would steer a terminal, and not too long.
    """
    lines = [line for line in text.splitlines() if line.strip()] or ["no reason given"]
    line = next((line for line in lines if "assertion failed" in line), lines[0])
    return "".join(letter if letter.isprintable() else " " for letter in line[:_LINE])


def is_here(server: str) -> bool:
    """Whether HOST:PORT is on this machine, by its name: such are asked without a proxy."""
    host = _host(server)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def proxy_of(server: str, *variables: str) -> str:
    """Words for a message: by which proxy HOST:PORT is asked, without a password; or nothing.

    Args:
      server: Of the request.
      variables: Of the environment, in the order in which they are looked at.
    """
    if is_here(server) or urllib.request.proxy_bypass(_host(server)):
        return ""
    name = next((name for name in variables if os.environ.get(name)), None)
    if name is None:
        return ""
    proxy = os.environ[name].rpartition("@")[2].rpartition("//")[2].rstrip("/")
    proxy = "".join(letter for letter in proxy if letter.isprintable())[:_LINE]
    return f" by the proxy {proxy} of {name}; no_proxy={_host(server)} asks it directly"


def _host(server: str) -> str:
    try:
        return urllib.parse.urlsplit(f"//{server}").hostname or ""
    except ValueError:
        return ""


class Server(Protocol):
    """Something that answers."""

    def predict(self, files: Sequence[bytes]) -> Sequence[Any]:
        """Asks for the clips of these photos.

        Returns:
          One for each: JPEG files (signature `encoded`), or pixels, uint8 `[T, H, W, 3]`.

        Raises:
          DataError: There is no answer, or an error; the message says what to do.
        """


class Grpc:
    """The PredictionService of TensorFlow Serving."""

    def __init__(self, options: ServerOptions):
        try:
            import grpc
            from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
        except ImportError as error:
            raise missing_extra(error, "serving", ", or use --protocol=rest") from error
        import tensorflow as tf

        self._options, self._grpc, self._tf = options, grpc, tf
        self._request = predict_pb2.PredictRequest
        size = options.message_mib * MIB
        limits = [("grpc.max_receive_message_length", size), ("grpc.max_send_message_length", -1)]
        if is_here(options.server):
            limits.append(("grpc.enable_http_proxy", 0))
        channel = grpc.insecure_channel(options.server, options=limits)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def predict(self, files: Sequence[bytes]) -> Sequence[Any]:
        options, output = self._options, OUTPUTS[self._options.signature]
        request = self._request()
        request.model_spec.name = options.name
        request.model_spec.signature_name = options.signature
        if options.version:
            request.model_spec.version.value = options.version
        request.inputs["image_bytes"].CopyFrom(self._tf.make_tensor_proto(list(files)))
        request.output_filter.append(output)
        try:
            answer = self._stub.Predict(request, timeout=options.deadline)
        except self._grpc.RpcError as error:
            raise DataError(self._said(error.code().name, error.details() or "")) from error
        return self._clips(answer.outputs[output])

    def _clips(self, tensor: Any) -> Sequence[Any]:
        server, options = self._options.server, self._options
        elements = math.prod(dim.size for dim in tensor.tensor_shape.dim)
        # One value may stand for all: a small message must not become a large array.
        if elements > options.message_mib * MIB:
            raise DataError(f"the answer of {server} is too large; {TOO_LARGE}")
        try:
            return list(self._tf.make_ndarray(tensor))
        except _BROKEN as error:
            raise DataError(f"{server} sent something else than clips") from error

    def _said(self, code: str, details: str) -> str:
        server, options = self._options.server, self._options
        details = telling_line(details)
        proxy = proxy_of(server, "grpc_proxy", "https_proxy", "http_proxy")
        if code == "UNAVAILABLE":
            return (
                f"no server answers at {server} ({details}){proxy}; is it up, is this its gRPC "
                "port?"
            )
        if code == "DEADLINE_EXCEEDED":
            seconds = options.deadline
            return f"{server} gave no answer within --deadline={seconds:g} seconds{proxy}"
        if code == "RESOURCE_EXHAUSTED":
            return f"the answer of {server} is too large ({details}); {TOO_LARGE}"
        if code == "NOT_FOUND":
            return f"{server} has no such model: {details}; see --name and --version"
        return f"{server} refused: {code}: {details}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A server of models has no reason to send its client elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Rest:
    """The REST API of TensorFlow Serving."""

    def __init__(self, options: ServerOptions):
        self._options = options
        version = f"/versions/{options.version}" if options.version else ""
        self._url = f"http://{options.server}/v1/models/{options.name}{version}:predict"
        proxies = [urllib.request.ProxyHandler({})] if is_here(options.server) else []
        self._opener = urllib.request.build_opener(_NoRedirects, *proxies)

    def predict(self, files: Sequence[bytes]) -> Sequence[Any]:
        options = self._options
        instances = [{"b64": base64.b64encode(file).decode()} for file in files]
        body = {"signature_name": options.signature, "instances": instances}
        request = urllib.request.Request(
            self._url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with (
            self._said_plainly(),
            self._opener.open(request, timeout=options.deadline) as answer,
        ):
            text = self._read(answer)
        try:
            clips = json.loads(text)["predictions"]
            if options.signature == "encoded":
                return [[base64.b64decode(frame["b64"]) for frame in clip] for clip in clips]
            return [np.asarray(clip, np.uint8) for clip in clips]
        except _BROKEN as error:
            raise DataError(f"{self._url} gives no predictions; is it the REST port?") from error

    def _read(self, answer: Any) -> bytes:
        """Its body, within the deadline however slowly it drips."""
        options, text = self._options, bytearray()
        end = time.monotonic() + options.deadline
        while part := answer.read1(MIB):
            text += part
            if len(text) > options.message_mib * MIB:
                raise DataError(f"the answer of {options.server} is too large; {TOO_LARGE}")
            if time.monotonic() > end:
                raise TimeoutError
        return bytes(text)

    @contextlib.contextmanager
    def _said_plainly(self) -> Iterator[None]:
        server = self._options.server
        proxy = proxy_of(server, "http_proxy", "HTTP_PROXY")
        try:
            yield
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                text = error.read(MIB).decode(errors="replace")
            with contextlib.suppress(*_BROKEN):
                text = str(json.loads(text)["error"])
            line = telling_line(text or error.reason)
            raise DataError(f"{server} refused: {error.code}: {line}{proxy}") from error
        except TimeoutError as error:
            seconds = self._options.deadline
            raise DataError(
                f"{server} gave no answer within --deadline={seconds:g} seconds{proxy}"
            ) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = getattr(error, "reason", type(error).__name__)
            if isinstance(why, TimeoutError):
                why = f"not within --deadline={self._options.deadline:g} seconds"
            raise DataError(
                f"no server answers at {server} ({why}){proxy}; is it up, is this its REST port?"
            ) from error
