"""From the frames of a video, in order, to clips: none across a scene cut, none that is still."""

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

AROUND = 8  # frames on either side whose changes tell what is usual, and before whose times do
LEAST_JUMP = 0.08  # a smaller one is no cut, however still it is around it; see BUILD.md
UNEVEN = 1.7  # times as far apart as frames usually are; a missing one makes 2
JUMPS = 3  # of a clip that do not make it move: codecs refine the first frames of a still scene


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame, its number, and its time in seconds; without a picture, what is wrong with it."""

    number: int
    picture: Picture | None
    broken: str = ""
    time: float | None = None


@dataclasses.dataclass(frozen=True)
class _Taken:
    number: int
    value: Any
    small: np.ndarray
    change: float | None  # from the frame before, if there is one


@dataclasses.dataclass(frozen=True)
class _Break:
    number: int
    what: str = "a scene cut"
    reason: str = ""  # to be told, where it is a fault


def cut(
    frames: Iterable[Frame],
    name: str,
    video: str,
    options: PrepareOptions,
    encoder: FrameEncoder = JPEGS,
) -> Iterator[Clip | Skipped]:
    """Cuts the frames of one video, or of one folder without gaps, into clips.

    A scene cut ends a clip that is not yet whole, and so do a broken frame, a change of size, and a
    jump in time.

    Args:
      frames: Those taken, in order.
      name: A clip's name is this and the number of its first frame.
      video: The clips' video.
      options: Clip rule and stride, and the thresholds of cuts and of stillness.
      encoder: What becomes of the frames.

    Yields:
      Clips, and what is passed over: what is broken, still, or too short.
    """
    gathered: list[_Taken] = []
    left_out = seen = clips = 0  # frames between clips that lie apart; frames and clips of a scene
    whole, before = False, ""  # whether there was a clip at all; what the scene began with
    for one in _with_cuts(_take(frames, options, encoder), options.scene_cut):
        if isinstance(one, _Break):
            start = gathered[0].number if gathered else one.number
            if one.reason:
                yield Skipped(f"{name}/{start}", one.reason)
            elif not clips:
                yield Skipped(f"{name}/{start}", f"{_too_short(seen)} before {one.what}")
            gathered, left_out, seen, clips = [], 0, 0, 0
            before = one.what
            continue
        seen += 1
        if left_out:
            left_out -= 1
            continue
        gathered.append(one)
        if len(gathered) < FRAMES:
            continue
        clips, whole = clips + 1, True
        yield _clip(gathered, name, video, options, encoder)
        if options.clip_rule == "first":
            return
        left_out = max(options.clip_stride - FRAMES, 0)
        gathered = gathered[options.clip_stride :]
    if not whole and not before:
        yield Skipped(name, _too_short(seen))
    elif seen and not clips:
        yield Skipped(f"{name}/{gathered[0].number}", f"{_too_short(seen)} after {before}")


def _too_short(frames: int) -> str:
    return f"too short: {frames} of {FRAMES} frames"


def _clip(
    frames: Sequence[_Taken], name: str, video: str, options: PrepareOptions, encoder: FrameEncoder
) -> Clip | Skipped:
    changes = sorted(frame.change for frame in frames[1:] if frame.change is not None)
    start, usual = frames[0].number, statistics.fmean(changes[:-JUMPS])
    if usual < options.static_threshold:
        return Skipped(f"{name}/{start}", f"still: changes by {usual:.5f} from frame to frame")
    values = tuple(frame.value for frame in frames)
    clip = Clip(f"{name}/{start}", video, start, values, statistics.fmean(changes))
    if encoder is not JPEGS:
        return clip
    smalls = [frame.small for frame in frames]
    # Skies that are drawn drift as they are told, and are not measured.
    drift = None if options.layout == "synthetic" else motion.drift(smalls)
    return dataclasses.replace(clip, hashes=clip_hashes(smalls), drift=drift)


def _take(
    frames: Iterable[Frame], options: PrepareOptions, encoder: FrameEncoder
) -> Iterator[_Taken | _Break]:
    last: np.ndarray | None = None
    pace, size = _Pace(), ()
    for frame in frames:
        if frame.picture is None:
            last, pace, size = None, _Pace(), ()
            yield _Break(frame.number, "a broken frame", frame.broken)
            continue
        before, size = size, frame.picture.image.shape
        if before not in ((), size):
            last, pace = None, _Pace()
            sizes = " after ".join(f"{width}×{height}" for height, width, _ in (size, before))
            yield _Break(frame.number, "a change of size", f"frames of different sizes: {sizes}")
        if pace.jumps(frame.time):
            last = None
            yield _Break(frame.number, "a jump in time")
        small = motion.small(frame.picture, options)
        change = None if last is None else motion.difference(last, small)
        yield _Taken(frame.number, encoder(frame.picture, options), small, change)
        last = small


class _Pace:
    """How far apart frames come; files with variable frame rates leave some out."""

    def __init__(self) -> None:
        self._time: float | None = None
        self._recent: collections.deque[float] = collections.deque(maxlen=AROUND)
        self._was_later = self._was_sooner = False

    def jumps(self, time: float | None) -> bool:
        """Whether a frame comes far later than those before it, or earlier, or now all come sooner.

        One that is late and the next in time is jitter, and no jump.
        """
        before, self._time = self._time, time
        if before is None or time is None:
            return False
        if time <= before:
            usual = statistics.fmean(self._recent or [before - time])
            is_another = before - time > UNEVEN * usual  # recording, joined to the first
            if is_another:
                self._recent.clear()
                self._was_later = self._was_sooner = False
            return is_another
        apart = time - before
        usual = statistics.fmean(self._recent or [apart])
        is_later, is_sooner = apart > UNEVEN * usual, apart * UNEVEN < usual
        is_other_rate = (is_later and self._was_later) or (is_sooner and self._was_sooner)
        self._was_later, self._was_sooner = is_later, is_sooner
        if is_other_rate:
            self._recent.clear()
            self._recent.append(apart)
            return is_sooner
        self._recent.append(min(apart, 2 * usual))
        return is_later


def _with_cuts(frames: Iterable[_Taken | _Break], threshold: float) -> Iterator[_Taken | _Break]:
    """Puts a break before each frame that begins another scene."""
    near: collections.deque[_Taken] = collections.deque()
    decided = 0  # so many of `near` are passed on; the others wait for those behind them
    for one in itertools.chain(frames, [None]):
        if isinstance(one, _Taken):
            near.append(one)
        end = not isinstance(one, _Taken)
        while decided < len(near) and (end or len(near) - decided > AROUND):
            if threshold and _is_cut(near, decided, threshold):
                yield _Break(near[decided].number)
            yield near[decided]
            decided += 1
            if decided > AROUND:
                near.popleft()
                decided -= 1
        if end:
            near.clear()
            decided = 0
        if isinstance(one, _Break):
            yield one


def _is_cut(near: Sequence[_Taken], at: int, threshold: float) -> bool:
    """Whether a frame differs from the one before far more than is usual around it.

    A flash is no cut: the frame after it is like the one before it.
    """
    change = near[at].change or 0.0
    others = [x.change for i, x in enumerate(near) if i != at and x.change is not None]
    if change < LEAST_JUMP or not others:
        return False
    least = max(LEAST_JUMP, threshold * statistics.median(others))
    if change < least:
        return False
    pairs = [(at - 1, at + 1), (at - 2, at)]
    return all(
        motion.difference(near[i].small, near[j].small) >= least
        for i, j in pairs
        if i >= 0 and j < len(near)
    )
