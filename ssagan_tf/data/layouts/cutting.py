"""Cuts the frames of a video into clips: none across a scene cut, and none without motion."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts import motion
from ssagan_tf.data.layouts.clip import JPEGS, Clip, FrameEncoder, Picture
from ssagan_tf.data.layouts.perceptual_hash import clip_hashes
from ssagan_tf.options import FRAMES, PrepareOptions

CONTEXT = 8  # frames on either side (for times: before) that define the usual change
MIN_CUT = 0.08  # a smaller change is not a cut, even in a static scene; see docs/design.md
MAX_INTERVAL = 1.7  # times the usual interval between frames; a missing frame makes it 2
IGNORED_CHANGES = 3  # largest ones of a clip: codecs refine the first frames of a static scene


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame to cut clips from.

    Attributes:
      number: Its number in its folder or video.
      picture: None if it is broken.
      broken: Why it is broken; empty if it is not.
      time: Time in seconds, if known.
    """

    number: int
    picture: Picture | None
    broken: str = ""
    time: float | None = None


@dataclasses.dataclass(frozen=True)
class _EncodedFrame:
    number: int
    value: Any  # from the encoder
    thumbnail: np.ndarray
    change: float | None  # from the previous frame, if there is one


@dataclasses.dataclass(frozen=True)
class _Break:
    number: int
    what: str = "a scene cut"
    reason: str = ""  # if it is an error to report


def cut(
    frames: Iterable[Frame],
    name: str,
    video: str,
    options: PrepareOptions,
    encoder: FrameEncoder = JPEGS,
    *,
    measure_drift: bool = True,
) -> Iterator[Clip | Skipped]:
    """Cuts the frames of one video, or of one folder without gaps, into clips.

    No clip crosses a scene cut, a broken frame, a change of size, or a jump in time.

    Args:
      frames: Frames in order, after any stride.
      name: A clip's name is this and the number of its first frame.
      video: The clips' video.
      options: Has clip rule and stride, and the thresholds of scene cuts and static clips.
      encoder: Makes what clips keep of frames.
      measure_drift: Whether to measure the drift of clips that are encoded as JPEGs.

    Yields:
      Clips, and what is skipped because it is broken, static, or too short.
    """
    pending: list[_EncodedFrame] = []  # of the next clip
    to_drop = 0  # frames between the last clip and the next one, where the stride is above 32
    in_scene = clips_in_scene = 0
    any_clip, last_break = False, ""
    for event in _insert_cuts(_encode(frames, options, encoder), options.scene_cut):
        if isinstance(event, _Break):
            start = pending[0].number if pending else event.number
            if event.reason:
                yield Skipped(f"{name}/{start}", event.reason)
            elif not clips_in_scene:
                yield Skipped(f"{name}/{start}", f"{_too_short(in_scene)} before {event.what}")
            pending, to_drop, in_scene, clips_in_scene = [], 0, 0, 0
            last_break = event.what
            continue
        in_scene += 1
        if to_drop:
            to_drop -= 1
            continue
        pending.append(event)
        if len(pending) < FRAMES:
            continue
        clips_in_scene, any_clip = clips_in_scene + 1, True
        clip = _make_clip(pending, name, video, options)
        if isinstance(clip, Clip) and encoder is JPEGS:
            clip = _with_measures(clip, [frame.thumbnail for frame in pending], measure_drift)
        yield clip
        if options.clip_rule == "first":
            return
        to_drop = max(options.clip_stride - FRAMES, 0)
        pending = pending[options.clip_stride :]
    if not any_clip and not last_break:
        yield Skipped(name, _too_short(in_scene))
    elif in_scene and not clips_in_scene:
        yield Skipped(f"{name}/{pending[0].number}", f"{_too_short(in_scene)} after {last_break}")


def _too_short(frames: int) -> str:
    return f"too short: {frames} of {FRAMES} frames"


def _make_clip(
    frames: Sequence[_EncodedFrame], name: str, video: str, options: PrepareOptions
) -> Clip | Skipped:
    changes = sorted(frame.change for frame in frames[1:] if frame.change is not None)
    start, usual = frames[0].number, statistics.fmean(changes[:-IGNORED_CHANGES])
    if usual < options.static_threshold:
        return Skipped(f"{name}/{start}", f"static: frames differ by {usual:.5f} on average")
    values = tuple(frame.value for frame in frames)
    return Clip(f"{name}/{start}", video, start, values, statistics.fmean(changes))


def _with_measures(clip: Clip, thumbnails: Sequence[np.ndarray], measure_drift: bool) -> Clip:
    drift = motion.drift(thumbnails) if measure_drift else None
    return dataclasses.replace(clip, hashes=clip_hashes(thumbnails), drift=drift)


def _encode(
    frames: Iterable[Frame], options: PrepareOptions, encoder: FrameEncoder
) -> Iterator[_EncodedFrame | _Break]:
    last: np.ndarray | None = None
    clock, size = _Clock(), ()
    for frame in frames:
        if frame.picture is None:
            last, clock, size = None, _Clock(), ()
            yield _Break(frame.number, "a broken frame", frame.broken)
            continue
        previous, size = size, frame.picture.image.shape
        if previous not in ((), size):
            last, clock = None, _Clock()
            sizes = " after ".join(f"{width}×{height}" for height, width, _ in (size, previous))
            yield _Break(frame.number, "a change of size", f"frames of different sizes: {sizes}")
        if clock.jumps(frame.time):
            last = None
            yield _Break(frame.number, "a jump in time")
        thumbnail = motion.thumbnail(frame.picture, options)
        change = None if last is None else motion.difference(last, thumbnail)
        yield _EncodedFrame(frame.number, encoder(frame.picture, options), thumbnail, change)
        last = thumbnail


class _Clock:
    """Finds jumps in the times of frames; files with variable frame rates leave frames out."""

    def __init__(self) -> None:
        self._time: float | None = None
        self._intervals: collections.deque[float] = collections.deque(maxlen=CONTEXT)
        self._was_long = self._was_short = False

    def jumps(self, time: float | None) -> bool:
        """Returns whether a frame is much later or earlier than expected, or the rate increases.

        A late frame followed by one in time is jitter, not a jump.
        """
        previous, self._time = self._time, time
        if previous is None or time is None:
            return False
        if time <= previous:
            usual = statistics.fmean(self._intervals or [previous - time])
            is_new_recording = previous - time > MAX_INTERVAL * usual  # appended to the first
            if is_new_recording:
                self._intervals.clear()
                self._was_long = self._was_short = False
            return is_new_recording
        interval = time - previous
        usual = statistics.fmean(self._intervals or [interval])
        is_long, is_short = interval > MAX_INTERVAL * usual, interval * MAX_INTERVAL < usual
        is_new_rate = (is_long and self._was_long) or (is_short and self._was_short)
        self._was_long, self._was_short = is_long, is_short
        if is_new_rate:
            self._intervals.clear()
            self._intervals.append(interval)
            return is_short
        self._intervals.append(min(interval, 2 * usual))
        return is_long


def _insert_cuts(
    frames: Iterable[_EncodedFrame | _Break], threshold: float
) -> Iterator[_EncodedFrame | _Break]:
    """Inserts a break before each frame that begins another scene."""
    window: collections.deque[_EncodedFrame] = collections.deque()
    decided = 0  # number of frames in the window that have been yielded; others need more context
    for event in itertools.chain(frames, [None]):
        if isinstance(event, _EncodedFrame):
            window.append(event)
        end = not isinstance(event, _EncodedFrame)
        while decided < len(window) and (end or len(window) - decided > CONTEXT):
            if threshold and _is_cut(window, decided, threshold):
                yield _Break(window[decided].number)
            yield window[decided]
            decided += 1
            if decided > CONTEXT:
                window.popleft()
                decided -= 1
        if end:
            window.clear()
            decided = 0
        if isinstance(event, _Break):
            yield event


def _is_cut(window: Sequence[_EncodedFrame], index: int, threshold: float) -> bool:
    """Returns whether a frame differs from the previous one far more than usual.

    A flash is not a cut: the frame after it resembles the one before it.
    """
    change = window[index].change or 0.0
    others = [x.change for i, x in enumerate(window) if i != index and x.change is not None]
    if change < MIN_CUT or not others:
        return False
    minimum = max(MIN_CUT, threshold * statistics.median(others))
    if change < minimum:
        return False
    pairs = [(index - 1, index + 1), (index - 2, index)]
    return all(
        motion.difference(window[i].thumbnail, window[j].thumbnail) >= minimum
        for i, j in pairs
        if i >= 0 and j < len(window)
    )
