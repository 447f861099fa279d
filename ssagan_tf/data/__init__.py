"""Footage, prepared sets of TFRecords, and the input pipeline."""
