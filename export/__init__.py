"""Exports trained generators: SavedModel for TensorFlow Serving, and ONNX.

Installed as `ssagan_tf.export`. In a checkout it is `export` as well, so imports in here are
relative; use only one of the two names in a program.
"""
