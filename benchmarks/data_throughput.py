"""`python -m benchmarks.data_throughput`: measures how fast sets are prepared and read.

    python -m benchmarks.data_throughput prepare --videos=FOLDER  compared with decoding alone
    python -m benchmarks.data_throughput memory                   peak with 100 and 10,000 clips
    python -m benchmarks.data_throughput pipeline                 clips per second

What is compared takes turns within a run, since the machine's speed varies.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from ssagan_tf.data import layouts, reading, writer
from ssagan_tf.data.layouts.folders import VIDEOS
from ssagan_tf.data.reading import SpooledClip
from ssagan_tf.options import PrepareOptions
from ssagan_tf.video import yuv_conversion

SIDE, FRAMES = 128, 32


DECODERS: dict[str, Callable[[str], Iterator[np.ndarray]]] = {
    "PyAV": lambda path: decode(path, interpolation=yuv_conversion.ACCURATE_SCALING),
    "PyAV, fast colours": lambda path: decode(path),
}
"""The first gives the same pixels as prepare; the second is off by up to 35 of 255 levels."""


def decode(path: str, **conversion: Any) -> Iterator[np.ndarray]:
    """Decodes a video with PyAV."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            yield frame.to_ndarray(format="rgb24", **conversion)


def resize_and_encode(images: Iterator[np.ndarray]) -> int:
    """Resizes frames with Pillow and encodes them as JPEG; returns their number."""
    count = 0
    for image in images:
        small = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        small.save(io.BytesIO(), "JPEG", quality=95, subsampling="4:4:4")
        count += 1
    return count


def read(item: layouts.Item, options: PrepareOptions, path: str) -> int:
    """Reads a video as prepare does, into a spool file; returns the number of its clips' frames."""
    clips = [one for one in reading.spool_item(item, options, path) if isinstance(one, SpooledClip)]
    return FRAMES * len(clips)


def prepare(folder: Path, rounds: int) -> None:
    """Prints frames per second of CPU time, of decoding and encoding alone and of prepare."""
    options = PrepareOptions(source=str(folder), layout="videos", workers=1)
    items = layouts.list_items(options).items
    throughputs: dict[str, list[float]] = {name: [] for name in (*DECODERS, "prepare")}
    for _ in range(rounds):
        for name, decoder in DECODERS.items():
            began = time.process_time()
            frames = sum(resize_and_encode(decoder(item.paths[0])) for item in items)
            throughputs[name].append(frames / (time.process_time() - began))
        with tempfile.TemporaryDirectory() as spool:
            began = time.process_time()
            for index, item in enumerate(items):
                read(item, options, f"{spool}/{index}")
            throughputs["prepare"].append(frames / (time.process_time() - began))
    for name, values in throughputs.items():
        shown = ", ".join(f"{value:.0f}" for value in values)
        print(f"{name:<20} {statistics.median(values):6.0f} frames per CPU second  ({shown})")
    ours = throughputs.pop("prepare")
    for name, values in throughputs.items():
        ratios = [a / b for a, b in zip(ours, values, strict=True)]
        print(f"prepare has {statistics.median(ratios):.0%} of the throughput of {name}")


def peak(clips: int, kind: str) -> None:
    """Prepares a set of small clips, and prints the peak memory of the process in MB."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        source = Path(folder) / "in"
        given = {"output": f"{folder}/set", "resolution": 64, "workers": 1}
        if kind == "frames":
            _write_pictures(source, clips)
            given["source"] = str(source)
            given["static_threshold"] = 0.0
        else:
            given |= {"layout": "synthetic", "synthetic_clips": clips}
        info = writer.prepare(PrepareOptions(**given))
        assert sum(split.clips for split in info.splits.values()) == clips
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _write_pictures(source: Path, clips: int) -> None:
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((64, 64)).convert("RGB").save(buffer, "JPEG")
    for clip in range(clips):
        folder = source / f"video{clip // 8}" / str(clip)
        folder.mkdir(parents=True)
        for number in range(FRAMES):
            (folder / f"frame_{number:08d}.jpg").write_bytes(buffer.getvalue())


def memory(sizes: Sequence[int], kind: str) -> None:
    """Prints the peak memory for each size of set, measured in a fresh process."""
    for clips in sizes:
        command = [sys.executable, "-m", "benchmarks.data_throughput", "peak", f"--clips={clips}"]
        done = subprocess.run(
            [*command, f"--kind={kind}"], capture_output=True, text=True, check=True
        )
        print(f"{kind}: {clips} clips, peak {float(done.stdout.split()[-1]):.0f} MB", flush=True)


def pipeline(clips: int, rounds: int) -> None:
    """Prints clips of 128×128 per second, read with and without augmentation from a local set."""
    from ssagan_tf.data.augmentation import NO_AUGMENTATION, Augmentation
    from ssagan_tf.data.dataset_info import open_set
    from ssagan_tf.data.pipeline import training_batches

    with tempfile.TemporaryDirectory() as folder:
        writer.prepare(
            PrepareOptions(layout="synthetic", output=folder, synthetic_clips=48, test_fraction=0.0)
        )
        prepared = open_set(folder)
        kinds = {
            "no augmentation": NO_AUGMENTATION,
            "flipped": Augmentation(flip=True),
            "flip, zoom, slow motion, colour": Augmentation(True, 0.2, 0.3, 0.1),
        }
        throughputs: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, augmentation in kinds.items():
                batches = iter(
                    training_batches(prepared, batch=8, seed=0, augmentation=augmentation)
                )
                rate = _calls_per_second(lambda batches=batches: next(batches), clips // 8)
                throughputs.setdefault(name, []).append(8 * rate)
        for name, values in throughputs.items():
            shown = ", ".join(f"{value:.0f}" for value in values)
            print(f"{name:<32} {statistics.median(values):6.1f} clips/s  ({shown})")


def _calls_per_second(call: Callable[[], object], times: int) -> float:
    call()  # builds the pipeline and fills its prefetch buffer
    call()
    call()
    began = time.monotonic()
    for _ in range(times):
        call()
    return times / (time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("prepare", "memory", "peak", "pipeline"))
    parser.add_argument("--videos", type=Path, help="folder of videos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--kind", choices=("synthetic", "frames"), default="frames")
    given = parser.parse_args()
    if given.what == "prepare":
        if given.videos is None or not any(
            path.suffix.lower() in VIDEOS for path in given.videos.rglob("*")
        ):
            parser.error("prepare needs --videos=FOLDER, with videos in it")
        prepare(given.videos, given.rounds)
    elif given.what == "memory":
        memory((100, 10_000), given.kind)
    elif given.what == "peak":
        peak(given.clips, given.kind)
    else:
        pipeline(given.clips, given.rounds)


if __name__ == "__main__":
    main()
