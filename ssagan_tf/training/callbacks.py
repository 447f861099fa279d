"""What happens every so many steps: metrics, samples, checkpoints, progress."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.image import metadata as image_metadata

from ssagan_tf import losses, video
from ssagan_tf.files import replacing_file
from ssagan_tf.pixels import to_float, to_uint8
from ssagan_tf.progress import Progress
from ssagan_tf.training.checkpoint import Checkpoints


class EverySteps(keras.callbacks.Callback):
    """Calls `at(step)` every `every` steps and after the last one."""

    def __init__(self, every: int, last: int):
        super().__init__()
        self._every, self._last = every, last

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = self.model.step
        if step % self._every == 0 or step == self._last:
            self.at(step)

    def at(self, step: int) -> None:
        raise NotImplementedError


class MetricsLog:
    """`metrics.jsonl` and TensorBoard: a line of numbers per step that is logged.

    Args:
      folder: Of the run.
      step: Where the run goes on; later lines, of steps that will be made again, are dropped.
    """

    def __init__(self, folder: Path, step: int):
        self._path = folder / "metrics.jsonl"
        if self._path.exists():
            lines = self._path.read_text().splitlines(keepends=True)
            with replacing_file(self._path) as temporary:
                temporary.write_text("".join(x for x in lines if _step_of(x) <= step))
        self._writer = tf.summary.create_file_writer(str(folder / "tensorboard"))

    def write(self, step: int, values: dict[str, float]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        with self._writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def write_gif(self, step: int, name: str, frames: np.ndarray, fps: float) -> None:
        """TensorBoard plays GIFs in its image tab; a summary is (width, height, file)."""
        gif = video.encode_gif(frames, fps)
        height, width = frames.shape[1:3]
        metadata = image_metadata.create_summary_metadata(display_name=name, description="")
        with self._writer.as_default(step):
            tf.summary.write(
                name,
                tf.constant([str(width).encode(), str(height).encode(), gif]),
                metadata=metadata,
            )
        self._writer.flush()


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")  # half a line: the process was killed while it wrote


class LogLosses(EverySteps):
    """Logs the means of the losses since the last time, and shows them."""

    def __init__(self, every: int, last: int, log: MetricsLog):
        super().__init__(every, last)
        self._log = log

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._since, self._step = time.monotonic(), self.model.step

    def at(self, step: int) -> None:
        values = {metric.name: float(metric.result()) for metric in self.model.metrics}
        self.model.reset_metrics()
        now = time.monotonic()
        seconds = (now - self._since) / (step - self._step)
        self._since, self._step = now, step
        self._log.write(step, {**values, "seconds_per_step": round(seconds, 4)})


class ShowProgress(keras.callbacks.Callback):
    """Counts the steps on the progress bar, with the losses."""

    def __init__(self, progress: Progress):
        super().__init__()
        self._progress = progress

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        note = (
            f"D {logs['discriminator_loss']:.3f}  G {logs['generator_loss']:.3f}  "
            f"content {logs['content_loss']:.4f}"
        )
        self._progress.advance(note=note)


class WriteSamples(EverySteps):
    """Videos and strips of a few clips, and the content loss on test clips.

    Args:
      every: Steps between samples.
      last: Last step.
      log: Gets `test_content_loss`, in inference mode.
      clips: uint8 `[N, T, H, W, 3]`, test clips for the loss; the first `shown` are drawn.
      shown: Clips in a sample.
      batch: Clips generated at once.
      folder: Of the samples.
      fps: Of the videos.
      progress: Told what was written.
    """

    def __init__(
        self,
        every: int,
        last: int,
        log: MetricsLog,
        clips: np.ndarray,
        shown: int,
        batch: int,
        folder: Path,
        fps: float,
        progress: Progress,
    ):
        super().__init__(every, last)
        self._log, self._clips, self._shown, self._batch = log, clips, shown, batch
        self._folder, self._fps, self._progress = folder, fps, progress

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._infer = tf.function(lambda image: self.model.generator(image, training=False))
        if self.model.step == 0:
            # What a photo that just stands still scores: the number to beat.
            still = np.repeat(self._clips[:, :1], self._clips.shape[1], axis=1)
            self._log.write(0, {"still_content_loss": self._content_loss(to_float(still))})
            self.at(0)

    def at(self, step: int) -> None:
        photos = self._clips[:, 0]
        fakes = np.concatenate(
            [
                self._infer(to_float(photos[i : i + self._batch])).numpy()
                for i in range(0, len(photos), self._batch)
            ]
        )
        loss = self._content_loss(fakes)
        self._log.write(step, {"test_content_loss": loss})

        real, fake = self._clips[: self._shown], to_uint8(fakes[: self._shown])
        film = side_by_side(real, fake)
        name = f"step_{step:06d}"
        video.write_mp4(self._folder / f"{name}.mp4", film, self._fps)
        rows = [
            row
            for r, f in zip(real, fake, strict=True)
            for row in (("input", r[:1]), ("real", r), ("generated", f))
        ]
        video.write_image(self._folder / f"{name}.png", video.strip(rows))
        self._log.write_gif(step, "input | real | generated", film, self._fps)
        self._progress.say(
            f"step {step}: content loss on {len(self._clips)} test clips {loss:.4f}; "
            f"sample {self._folder / name}.mp4"
        )

    def _content_loss(self, fakes: Any) -> float:
        return float(losses.content_loss(to_float(self._clips), fakes))


def side_by_side(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """One film of several clips: a row each, with input | real | generated.

    Args:
      real: uint8 `[N, T, H, W, 3]`.
      fake: The same shape.

    Returns:
      uint8 `[T, N·H, 3·W, 3]`.
    """
    photo = np.broadcast_to(real[:, :1], real.shape)
    rows = np.concatenate([photo, real, fake], axis=3)
    return np.concatenate(list(rows), axis=1)


class SaveCheckpoints(EverySteps):
    """Saves the whole state."""

    def __init__(self, every: int, last: int, checkpoints: Checkpoints):
        super().__init__(every, last)
        self._checkpoints = checkpoints

    def at(self, step: int) -> None:
        self._checkpoints.save()
