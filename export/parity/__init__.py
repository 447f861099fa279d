"""The export formats that check_parity can compare with Keras.

To add one, write a module with a `TARGET` and list it in `TARGETS`; check_parity then has a flag
of its name.
"""

from . import onnx_runtime, saved_model, web

TARGETS = (saved_model.TARGET, onnx_runtime.TARGET, web.TARGET)
