"""Configuration of TensorFlow Serving, and its clients."""
