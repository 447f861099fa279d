"""What tests do without of the machine they run on; to be imported before Keras."""

from __future__ import annotations

import os

from ssagan_tf import startup

startup.use_onednn()
# Keras without a user's settings, and no proxy before the servers of tests.
os.environ |= {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": startup.NO_FOLDER}
startup.reach_directly()
