"""Finds the packages; everything else is in setup.cfg.

`export/` and `configs/` are at the top of the checkout, and are installed inside `ssagan_tf`.
"""

from setuptools import find_packages, setup

INSIDE = find_packages(include=["ssagan_tf", "ssagan_tf.*"])
OUTSIDE = find_packages(include=["configs", "export", "export.*"])

setup(packages=[*INSIDE, *(f"ssagan_tf.{name}" for name in OUTSIDE)])
