"""Sends requests to TensorFlow Serving, by gRPC or REST."""

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
_LINE = 500  # longest line of a server's error in a message, in characters
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
TOO_LARGE = "use --signature=encoded, send fewer photos per request, or raise --message_mib"


def reason(text: str) -> str:
    """Returns the line of a server's error that says what is wrong.

    This is the line of a failed assertion, or else the first. Control characters become spaces.
    """
    lines = [line for line in text.splitlines() if line.strip()] or ["no reason given"]
    line = next((line for line in lines if "assertion failed" in line), lines[0])
    return "".join(letter if letter.isprintable() else " " for letter in line[:_LINE])


def is_local(server: str) -> bool:
    """Returns whether HOST:PORT is this machine, by its name; then no proxy is used."""
    host = _host(server)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def proxy_of(server: str, *variables: str) -> str:
    """Describes the proxy used for a server, without its password; empty if there is none.

    Args:
      server: HOST:PORT of the request.
      variables: Environment variables that can name the proxy, in order of precedence.
    """
    if is_local(server) or urllib.request.proxy_bypass(_host(server)):
        return ""
    name = next((name for name in variables if os.environ.get(name)), None)
    if name is None:
        return ""
    proxy = os.environ[name].rpartition("@")[2].rpartition("//")[2].rstrip("/")
    proxy = "".join(letter for letter in proxy if letter.isprintable())[:_LINE]
    return f" through the proxy {proxy} (from {name}; no_proxy={_host(server)} bypasses it)"


def _host(server: str) -> str:
    try:
        return urllib.parse.urlsplit(f"//{server}").hostname or ""
    except ValueError:
        return ""


class Server(Protocol):
    """A server that can be sent photos."""

    def predict(self, files: Sequence[bytes]) -> Sequence[Any]:
        """Requests the clips of photos.

        Args:
          files: Contents of JPEG or PNG files.

        Returns:
          For each photo, JPEG frames (signature `encoded`) or pixels, uint8 `[T, H, W, 3]`.

        Raises:
          DataError: The server does not respond, or returns an error.
        """


class Grpc:
    """The gRPC API of TensorFlow Serving (PredictionService)."""

    def __init__(self, options: ServerOptions):
        try:
            import grpc
            from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
        except ImportError as error:
            raise missing_extra(error, "serving", ", or use --api=rest") from error
        import tensorflow as tf

        self._options, self._grpc, self._tf = options, grpc, tf
        self._request = predict_pb2.PredictRequest
        size = options.message_mib * MIB
        limits = [("grpc.max_receive_message_length", size), ("grpc.max_send_message_length", -1)]
        if is_local(options.server):
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
            response = self._stub.Predict(request, timeout=options.deadline)
        except self._grpc.RpcError as error:
            raise DataError(self._message(error.code().name, error.details() or "")) from error
        return self._clips(response.outputs[output])

    def _clips(self, tensor: Any) -> Sequence[Any]:
        server, options = self._options.server, self._options
        elements = math.prod(dim.size for dim in tensor.tensor_shape.dim)
        # A TensorProto can give one value for all elements: a small message, but a large array.
        if elements > options.message_mib * MIB:
            raise DataError(f"the response of {server} is too large; {TOO_LARGE}")
        try:
            return list(self._tf.make_ndarray(tensor))
        except _MALFORMED as error:
            raise DataError(f"{server} did not return clips") from error

    def _message(self, code: str, details: str) -> str:
        server, options = self._options.server, self._options
        details = reason(details)
        proxy = proxy_of(server, "grpc_proxy", "https_proxy", "http_proxy")
        if code == "UNAVAILABLE":
            return (
                f"cannot connect to {server}{proxy}: {details}; is the server running, and is this "
                "its gRPC port?"
            )
        if code == "DEADLINE_EXCEEDED":
            seconds = options.deadline
            return f"{server} did not respond within --deadline={seconds:g} seconds{proxy}"
        if code == "RESOURCE_EXHAUSTED":
            return f"the response of {server} is too large ({details}); {TOO_LARGE}"
        if code == "NOT_FOUND":
            return f"model not found on {server}: {details}; see --name and --version"
        return f"{server} returned an error: {code}: {details}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Rejects redirects, which a model server has no reason to send."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Rest:
    """The REST API of TensorFlow Serving."""

    def __init__(self, options: ServerOptions):
        self._options = options
        version = f"/versions/{options.version}" if options.version else ""
        self._url = f"http://{options.server}/v1/models/{options.name}{version}:predict"
        proxies = [urllib.request.ProxyHandler({})] if is_local(options.server) else []
        self._opener = urllib.request.build_opener(_NoRedirects, *proxies)

    def predict(self, files: Sequence[bytes]) -> Sequence[Any]:
        options = self._options
        instances = [{"b64": base64.b64encode(file).decode()} for file in files]
        body = {"signature_name": options.signature, "instances": instances}
        request = urllib.request.Request(
            self._url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with (
            self._errors_as_data_errors(),
            self._opener.open(request, timeout=options.deadline) as response,
        ):
            text = self._read(response)
        try:
            clips = json.loads(text)["predictions"]
            if options.signature == "encoded":
                return [[base64.b64decode(frame["b64"]) for frame in clip] for clip in clips]
            return [np.asarray(clip, np.uint8) for clip in clips]
        except _MALFORMED as error:
            raise DataError(
                f"{self._url} did not return predictions; is this the REST port?"
            ) from error

    def _read(self, response: Any) -> bytes:
        """Reads the body within the deadline, however slowly it arrives."""
        options, text = self._options, bytearray()
        end = time.monotonic() + options.deadline
        while part := response.read1(MIB):
            text += part
            if len(text) > options.message_mib * MIB:
                raise DataError(f"the response of {options.server} is too large; {TOO_LARGE}")
            if time.monotonic() > end:
                raise TimeoutError
        return bytes(text)

    @contextlib.contextmanager
    def _errors_as_data_errors(self) -> Iterator[None]:
        server = self._options.server
        proxy = proxy_of(server, "http_proxy", "HTTP_PROXY")
        try:
            yield
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                text = error.read(MIB).decode(errors="replace")
            with contextlib.suppress(*_MALFORMED):
                text = str(json.loads(text)["error"])
            line = reason(text or error.reason)
            raise DataError(f"{server} returned an error: {error.code}: {line}{proxy}") from error
        except TimeoutError as error:
            seconds = self._options.deadline
            raise DataError(
                f"{server} did not respond within --deadline={seconds:g} seconds{proxy}"
            ) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = getattr(error, "reason", type(error).__name__)
            if isinstance(why, TimeoutError):
                why = f"no response within --deadline={self._options.deadline:g} seconds"
            raise DataError(
                f"cannot connect to {server}{proxy}: {why}; is the server running, and is this its "
                "REST port?"
            ) from error
