"""Trained generators for other programs: SavedModel for TensorFlow Serving, ONNX."""
