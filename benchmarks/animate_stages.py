"""Runs `ssagan_tf.animate` with its defaults and times its stages; see `photo_to_video.py`.

    python -m benchmarks.animate_stages PHOTO VIDEO START

START is the time at which the process was started, as by `time.time()`. Prints JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time

from benchmarks.measure import MIB, peak_memory
from benchmarks.stopwatch import Stopwatch

RENDERING, ENCODING, WAITING = "- rendering, busy", "- encoding, busy", "- waiting for a frame"
LOOP, FRAMES = "preparing the loop", "rendering and encoding, together"


def main(photo: str, video_file: str, start: float) -> None:
    watch = Stopwatch()
    from ssagan_tf import animation_jobs, pixels, video
    from ssagan_tf.motion import loop, optical_flow, transfer
    from ssagan_tf.options import AnimateOptions, ComputeOptions
    from ssagan_tf.photo_jobs import Job
    from ssagan_tf.training.generator_source import Source

    program = importlib.import_module("ssagan_tf.animate")  # the package has such a function, too
    watch.seconds["Python and imports but TensorFlow's"] = time.time() - start

    watch.wrap(program, "load_tensorflow", name="importing TensorFlow")
    watch.wrap(Source, "load", name="loading the model")
    watch.wrap(video, "read_reduced", name="reading the photo")
    wrapped = pixels.on_pixels
    pixels.on_pixels = lambda generator: watch.timed(wrapped(generator), "network")
    flow, sky = "motion: optical flow", "motion: sky and water"
    watch.wrap(optical_flow, "velocities", "change_and_residual", "texture", name=flow)
    watch.wrap(transfer, "find_sky", "find_sun", "moving_mask", name=sky)
    watch.wrap(transfer, "estimate_motion", name="motion: all else")
    watch.wrap(loop._Blend, "__init__", name=LOOP)
    watch.wrap(Job, "write", name=ENCODING)
    ahead = animation_jobs._computed_ahead
    animation_jobs._computed_ahead = lambda frames: watch.each(
        ahead(watch.each(frames, RENDERING)), WAITING
    )
    program.animate_photos(AnimateOptions(image=(photo,), output=video_file), ComputeOptions())

    together = watch.seconds[ENCODING] + watch.seconds.pop(WAITING) - watch.seconds[LOOP]
    stages = {name: took for name, took in watch.seconds.items() if not name.startswith("- ")}
    stages |= {FRAMES: together} | {name: watch.seconds[name] for name in (RENDERING, ENCODING)}
    cpu = os.times()
    result = {
        "end": time.time(),
        "stages": stages,
        "cpu_seconds": cpu.user + cpu.system,
        "peak_mib": peak_memory() / MIB,
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
