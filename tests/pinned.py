"""Makes tests independent of the machine they run on. Import it before Keras."""

from __future__ import annotations

import os

from ssagan_tf import startup

startup.use_onednn()
# Ignore the user's Keras settings, and use no proxy for the servers of tests.
os.environ |= {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": startup.NO_FOLDER}
startup.bypass_proxies()
