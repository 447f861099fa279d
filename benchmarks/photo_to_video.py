"""Measures a photo as its user waits for it: `ssagan_tf.animate` in a fresh process.

    python -m benchmarks.photo_to_video \
        '{"work": "photo", "implementation": "animate", "width": 1920, "height": 1080}'

The last line printed is the result as JSON: the time from start to end, the processor time, the
peak memory, and the seconds of each stage.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks import web_skies
from benchmarks.cases import Case

SKY = "summer-clouds"
QUALITY = 90  # of the JPEG
REST = "all else"


def draw_photo(case: Case, file: Path) -> None:
    """Writes a procedural sky of the case's size."""
    sky = web_skies.draw(web_skies.SKIES[SKY], min(case.width, web_skies.WIDTH))
    photo = sky.resize((case.width, case.height), Image.Resampling.LANCZOS)
    photo.save(file, quality=QUALITY)


def measure(case: Case) -> dict[str, Any]:
    """Animates a photo of the case's size in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        photo, video = Path(folder) / "photo.jpg", Path(folder) / "video.mp4"
        draw_photo(case, photo)
        start = time.time()
        command = [sys.executable, "-m", "benchmarks.animate_stages", photo, video, str(start)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.time() - start
    result = json.loads(done.stdout.splitlines()[-1])
    stages = result["stages"]
    stages["ending the process"] = start + seconds - result["end"]
    # Rendering and encoding overlap.
    one_by_one = [took for stage, took in stages.items() if not stage.startswith("- ")]
    stages[REST] = seconds - sum(one_by_one)
    return {**result, "seconds": [seconds]}


def main() -> None:
    print(json.dumps(measure(Case(**json.loads(sys.argv[1])))), flush=True)


if __name__ == "__main__":
    main()
