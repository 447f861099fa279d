"""Runs a SavedModel with TensorFlow's C API, the loader that TensorFlow Serving uses.

    python c_api.py REQUESTS ANSWERS

REQUESTS is a pickle: the library, the folder, and (signature, {input: array}) for each run. ANSWERS
becomes one: for each run {output: array}, or the error's code and message. Needs ctypes and NumPy:
neither TensorFlow's Python nor Keras nor ssagan_tf are imported, which is asserted at the end.
"""

from __future__ import annotations

import ctypes
import pickle
import sys
from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path

import numpy as np

FLOAT, UINT8, STRING = 1, 4, 7
TYPES = {FLOAT: np.dtype("float32"), UINT8: np.dtype("uint8")}
BYTES_OF_STRING = 24  # TF_TString


class Buffer(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p)]


class Output(ctypes.Structure):
    _fields_ = [("operation", c_void_p), ("index", c_int)]


FUNCTIONS = {
    "TF_NewStatus": (c_void_p,),
    "TF_GetCode": (c_int, c_void_p),
    "TF_Message": (c_char_p, c_void_p),
    "TF_NewGraph": (c_void_p,),
    "TF_NewSessionOptions": (c_void_p,),
    "TF_NewBuffer": (POINTER(Buffer),),
    "TF_LoadSessionFromSavedModel": (
        c_void_p, c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p, POINTER(Buffer),
        c_void_p,
    ),
    "TF_GraphOperationByName": (c_void_p, c_void_p, c_char_p),
    "TF_AllocateTensor": (c_void_p, c_int, POINTER(c_int64), c_int, c_size_t),
    "TF_DeleteTensor": (None, c_void_p),
    "TF_TensorData": (c_void_p, c_void_p),
    "TF_TensorByteSize": (c_size_t, c_void_p),
    "TF_TensorType": (c_int, c_void_p),
    "TF_NumDims": (c_int, c_void_p),
    "TF_Dim": (c_int64, c_void_p, c_int),
    "TF_StringInit": (None, c_void_p),
    "TF_StringCopy": (None, c_void_p, c_char_p, c_size_t),
    "TF_StringGetDataPointer": (c_void_p, c_void_p),
    "TF_StringGetSize": (c_size_t, c_void_p),
    "TF_SessionRun": (
        None, c_void_p, c_void_p, POINTER(Output), POINTER(c_void_p), c_int, POINTER(Output),
        POINTER(c_void_p), c_int, c_void_p, c_int, c_void_p, c_void_p,
    ),
}  # fmt: skip


class Failure(Exception):
    """A TensorFlow status other than OK, with its code and message."""


class SavedModel:
    """A loaded SavedModel; `signatures` has the tensor names of inputs and outputs by name."""

    def __init__(self, library: str, folder: str):
        self._c = ctypes.CDLL(library)
        for name, (result, *arguments) in FUNCTIONS.items():
            function = getattr(self._c, name)
            function.restype, function.argtypes = result, arguments
        self._status, self._graph = self._c.TF_NewStatus(), self._c.TF_NewGraph()
        meta, tags = self._c.TF_NewBuffer(), (c_char_p * 1)(b"serve")
        self._session = self._c.TF_LoadSessionFromSavedModel(
            self._c.TF_NewSessionOptions(), None, folder.encode(), tags, 1, self._graph, meta,
            self._status,
        )  # fmt: skip
        self._check()
        self.signatures = signatures(ctypes.string_at(meta.contents.data, meta.contents.length))

    def run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        names_in, names_out = self.signatures[signature]
        outputs = list(names_out)
        values = (c_void_p * len(inputs))(*(self._tensor(array) for array in inputs.values()))
        results = (c_void_p * len(outputs))()
        self._c.TF_SessionRun(
            self._session, None, self._places(names_in[name] for name in inputs), values,
            len(inputs), self._places(names_out[name] for name in outputs), results, len(outputs),
            None, 0, None, self._status,
        )  # fmt: skip
        for value in values:
            self._c.TF_DeleteTensor(value)
        self._check()
        arrays = {name: self._array(result) for name, result in zip(outputs, results, strict=True)}
        for result in results:
            self._c.TF_DeleteTensor(result)
        return arrays

    def _check(self) -> None:
        if code := self._c.TF_GetCode(self._status):
            raise Failure(code, self._c.TF_Message(self._status).decode(errors="replace"))

    def _places(self, names: Iterator[str]) -> ctypes.Array:
        places = []
        for name in names:
            operation, _, index = name.partition(":")
            found = self._c.TF_GraphOperationByName(self._graph, operation.encode())
            assert found, name
            places.append(Output(found, int(index)))
        return (Output * len(places))(*places)

    def _tensor(self, array: np.ndarray) -> int:
        dims = (c_int64 * array.ndim)(*array.shape)
        if array.dtype == object:
            tensor = self._c.TF_AllocateTensor(
                STRING, dims, array.ndim, BYTES_OF_STRING * array.size
            )
            start = self._c.TF_TensorData(tensor)
            for index, text in enumerate(array.ravel()):
                place = start + BYTES_OF_STRING * index
                self._c.TF_StringInit(place)
                self._c.TF_StringCopy(place, text, len(text))
            return tensor
        [kind] = [kind for kind, dtype in TYPES.items() if dtype == array.dtype]
        tensor = self._c.TF_AllocateTensor(kind, dims, array.ndim, array.nbytes)
        data = np.ascontiguousarray(array)
        ctypes.memmove(self._c.TF_TensorData(tensor), data.ctypes.data, array.nbytes)
        return tensor

    def _array(self, tensor: int) -> np.ndarray:
        shape = [self._c.TF_Dim(tensor, axis) for axis in range(self._c.TF_NumDims(tensor))]
        start, kind = self._c.TF_TensorData(tensor), self._c.TF_TensorType(tensor)
        if kind != STRING:
            size = self._c.TF_TensorByteSize(tensor)
            return np.frombuffer(ctypes.string_at(start, size), TYPES[kind]).reshape(shape)
        texts = np.empty(int(np.prod(shape)), object)
        for index in range(texts.size):
            place = start + BYTES_OF_STRING * index
            pointer = self._c.TF_StringGetDataPointer(place)
            texts[index] = ctypes.string_at(pointer, self._c.TF_StringGetSize(place))
        return texts.reshape(shape)


# As much of protocol buffers as is needed to read signatures.


def fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yields the number and value of each field of a message."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while at < len(message):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        size = {1: 8, 5: 4}[kind] if kind != 2 else varint()
        yield key >> 3, message[at : at + size]
        at += size


def named(message: bytes, number: int) -> dict[str, bytes]:
    """Reads a map field with string keys."""
    entries = [dict(fields(value)) for field, value in fields(message) if field == number]
    return {entry[1].decode(): entry.get(2, b"") for entry in entries}


def signatures(meta_graph: bytes) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Reads MetaGraphDef.signature_def (5): inputs (1) and outputs (2), TensorInfo.name (1)."""
    return {
        name: tuple(
            {key: dict(fields(info))[1].decode() for key, info in named(definition, side).items()}
            for side in (1, 2)
        )
        for name, definition in named(meta_graph, 5).items()
        if not name.startswith("__")
    }


def main(requests: str, answers: str) -> None:
    library, folder, runs = pickle.loads(Path(requests).read_bytes())
    model = SavedModel(library, folder)
    given = []
    for signature, inputs in runs:
        try:
            given.append(model.run(signature, inputs))
        except Failure as failure:
            given.append(failure.args)
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert not loaded & {"tensorflow", "keras", "ssagan_tf"}, loaded
    Path(answers).write_bytes(pickle.dumps((model.signatures, given)))


if __name__ == "__main__":
    main(*sys.argv[1:])
