"""Footage, its TFRecords, and the input pipeline."""
