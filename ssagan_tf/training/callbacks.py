"""Callbacks of training: metrics, samples, checkpoints, progress, early stops."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.image import metadata as image_metadata

from ssagan_tf import limits, losses, models, video
from ssagan_tf.errors import DataError
from ssagan_tf.files import errors_of_writing, replacing_file
from ssagan_tf.pixels import to_float, to_uint8
from ssagan_tf.progress import Progress
from ssagan_tf.training.checkpoint import Checkpoints
from ssagan_tf.training.gan import STOP, NonFiniteError
from ssagan_tf.training.run_folder import METRICS_FILE, TENSORBOARD
from ssagan_tf.training.signals import Interruption
from ssagan_tf.training.tensorboard_events import drop_later_steps


class EverySteps(keras.callbacks.Callback):
    """Calls `on_step(step)` every `every` steps and after the last one."""

    def __init__(self, every: int, last: int):
        super().__init__()
        self._every, self._last = every, last

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = self.model.step
        if step % self._every == 0 or step == self._last:
            self.on_step(step)

    def on_step(self, step: int) -> None:
        raise NotImplementedError


class MetricsLog:
    """Writes metrics to `metrics.jsonl` and TensorBoard.

    Args:
      folder: The run's folder.
      step: The step that the run resumes from. Entries of later steps, which will be trained again,
        are removed.
    """

    def __init__(self, folder: Path, step: int):
        self._path = folder / METRICS_FILE
        # A run that starts over from step 0 writes that line again, too.
        step = step or -1
        drop_later_steps(folder / TENSORBOARD, step)
        if self._path.exists():
            with (
                replacing_file(self._path) as temporary,
                self._path.open("rb") as lines,
                temporary.open("wb") as kept,
            ):
                while line := lines.readline(limits.NOTE_BYTES):
                    if _step_of(line.decode("utf-8", "replace")) <= step:
                        kept.write(line)
        self._writer = tf.summary.create_file_writer(str(folder / TENSORBOARD))

    def write(self, step: int, values: dict[str, float]) -> None:
        """Writes a line of `metrics.jsonl`; a step may have several.

        Raises:
          DataError: The file cannot be written.
        """
        with errors_of_writing(self._path), self._path.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        with self._logging(step):
            for name, value in values.items():
                tf.summary.scalar(tensorboard_tag(name), value)

    def write_gif(self, step: int, name: str, frames: np.ndarray, fps: float) -> None:
        """Adds a GIF to TensorBoard's image tab. The summary is (width, height, file).

        Raises:
          DataError: The file cannot be written.
        """
        gif = video.encode_gif(frames, fps)
        height, width = frames.shape[1:3]
        metadata = image_metadata.create_summary_metadata(display_name=name, description="")
        with self._logging(step):
            tf.summary.write(
                name,
                tf.constant([str(width).encode(), str(height).encode(), gif]),
                metadata=metadata,
            )

    @contextlib.contextmanager
    def _logging(self, step: int) -> Iterator[None]:
        """Flushes, so that all that was logged before a checkpoint is on disk with it."""
        try:
            with self._writer.as_default(step):
                yield
            self._writer.flush()
        except tf.errors.OpError as error:  # a full disk raises the one that otherwise means memory
            reason = error.message.splitlines()[0]
            raise DataError(f"cannot write {self._path.parent / TENSORBOARD}: {reason}") from error


def tensorboard_tag(name: str) -> str:
    """Returns the tag of a metric in TensorBoard, which groups tags by what precedes the slash.

    `fake_score` is `score/fake score`; `test_content_loss` is `loss/test content loss`.
    """
    return f"{name.rpartition('_')[2]}/{name.replace('_', ' ')}"


def _step_of(line: str) -> float:
    try:
        return float(limits.parse_json(line)["step"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return float("inf")  # an incomplete line: the process was killed while writing it


class StopOnNonFinite(keras.callbacks.Callback):
    """Stops training before NaN or infinite values reach a log or a checkpoint.

    It names the first such metric, in the order in which they are computed: that is where it began.
    """

    def on_train_batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        for name in self.model.metric_names:
            if not np.isfinite(logs[name]):
                raise NonFiniteError(f"the {name} became {logs[name]}")


class LogMetrics(EverySteps):
    """Logs the means, since it last did so, of all metrics of a step and of the time it took."""

    def __init__(self, every: int, last: int, log: MetricsLog):
        super().__init__(every, last)
        self._log = log
        self._steps: list[dict[str, float]] = []
        self._seconds: list[float] = []
        self._compiled = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        if self._compiled:  # most of a process's first step is compilation
            self._seconds.append(time.monotonic() - self._began)
        self._compiled = True
        self._steps.append({name: float(logs[name]) for name in self.model.metric_names})
        super().on_train_batch_end(batch, logs)

    def on_step(self, step: int) -> None:
        names = self._steps[0]
        values = {name: float(np.mean([step[name] for step in self._steps])) for name in names}
        self._steps.clear()
        if self._seconds:
            values["seconds_per_step"] = round(float(np.mean(self._seconds)), 4)
            self._seconds.clear()
        self._log.write(step, values)


class ShowProgress(keras.callbacks.Callback):
    """Advances the progress bar, and shows the losses and the clips per second on it."""

    def __init__(self, progress: Progress):
        super().__init__()
        self._progress = progress
        self._clips = 0
        self._began: float | None = None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        note = (
            f"D {logs['discriminator_loss']:.3f}  G {logs['generator_loss']:.3f}  "
            f"content {logs['content_loss']:.4f}"
        )
        if self._began is None:  # most of a process's first step is compilation
            self._began = time.monotonic()
        else:
            self._clips += self.model.options.batch_size
            speed = self._clips / max(time.monotonic() - self._began, 1e-9)
            note += f"  {speed:.3g} clips/s"
        self._progress.advance(note=note)


class WriteSamples(EverySteps):
    """Writes videos and strips of a few clips, and logs the content loss on test clips.

    Args:
      every: Steps between samples.
      last: Last step.
      log: Receives `test_content_loss`, computed in inference mode.
      split: The split of the clips: `test`, or `train` where there are no test clips.
      clips: uint8 `[N, T, H, W, 3]`, for the loss; the first `shown` of them are drawn.
      shown: Clips in a sample.
      batch: Clips generated at a time.
      folder: Folder of the samples.
      fps: Frames per second of the videos.
      checkpoints: Keeps the state with the lowest loss.
      progress: Prints what was written.
    """

    def __init__(
        self,
        every: int,
        last: int,
        log: MetricsLog,
        split: str,
        clips: np.ndarray,
        shown: int,
        batch: int,
        folder: Path,
        fps: float,
        checkpoints: Checkpoints,
        progress: Progress,
    ):
        super().__init__(every, last)
        self._log, self._split, self._clips = log, split, clips
        self._shown, self._batch = shown, batch
        self._folder, self._fps = folder, fps
        self._checkpoints, self._progress = checkpoints, progress

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._generator = self.model.generator
        if self.model.options.ema_decay:
            self._generator = models.build_generator(
                self._generator.options, self._generator.compute
            )
        network = self.model.from_photos(self._generator)
        self._infer = tf.function(lambda image: network(image, training=False), autograph=False)
        if self.model.step == 0:
            # The loss of repeating the photo as a still clip: the number to beat.
            pairs = ((self._float(clip), self._float(clip[:1])) for clip in self._clips)
            still = np.mean([losses.content_loss(clip, photo) for clip, photo in pairs])
            self._log.write(0, {"still_content_loss": float(still)})
            self.on_step(0)

    def _float(self, pixels: np.ndarray) -> np.ndarray:
        return to_float(pixels, self.model.clip_dtype)

    def on_step(self, step: int) -> None:
        if self._generator is not self.model.generator:
            self.model.average_into(self._generator)
        total, shown = 0.0, []
        for first in range(0, len(self._clips), self._batch):
            real = self._clips[first : first + self._batch]
            fake = self._infer(self._float(real[:, 0]))
            total += float(losses.content_loss(self._float(real), fake)) * len(real)
            shown.append(to_uint8(fake[: max(self._shown - first, 0)]))
        loss = total / len(self._clips)
        self._log.write(step, {f"{self._split}_content_loss": loss})
        if step:
            self._checkpoints.save_if_best(loss)

        real, fake = self._clips[: self._shown], np.concatenate(shown)
        frames = side_by_side(real, fake)
        name = f"step_{step:06d}"
        video.write_mp4(self._folder / f"{name}.mp4", frames, self._fps)
        rows = [
            row
            for r, f in zip(real, fake, strict=True)
            for row in (("input", r[:1]), ("real", r), ("generated", f))
        ]
        video.write_image(self._folder / f"{name}.png", video.contact_strip(rows))
        self._log.write_gif(step, "input | real | generated", frames, self._fps)
        self._progress.print(
            f"step {step}: content loss on {len(self._clips)} {self._split} clips {loss:.4f}; "
            f"sample {self._folder / name}.mp4"
        )


def side_by_side(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Tiles clips into one video: a row per clip, with input | real | generated.

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
    """Saves checkpoints."""

    def __init__(self, every: int, last: int, checkpoints: Checkpoints):
        super().__init__(every, last)
        self._checkpoints = checkpoints

    def on_step(self, step: int) -> None:
        self._checkpoints.save()


class StopOnSignal(keras.callbacks.Callback):
    """Saves and stops training after the step in which any host received a signal."""

    def __init__(self, interruption: Interruption, checkpoints: Checkpoints):
        super().__init__()
        self._interruption, self._checkpoints = interruption, checkpoints

    def on_train_batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        # Where several hosts train, all must act on the value that all of them have.
        if logs.get(STOP, self._interruption.signal):
            self._checkpoints.save()
            self.model.stop_training = True
