from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.motion.warping import backtrace, resize_velocities, warp, warp_frames


def noise(height: int = 40, width: int = 48, channels: int = 3) -> np.ndarray:
    shape = height, width, channels
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def constant(x: float, y: float, height: int = 40, width: int = 48) -> np.ndarray:
    return np.broadcast_to(np.float32([x, y]), (height, width, 2))


def turning(side: int, speed: float) -> np.ndarray:
    """A rotation about the centre, in radians per frame."""
    y, x = np.mgrid[:side, :side].astype(np.float32) - (side - 1) / 2
    return speed * np.dstack([-y, x])


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("masked", [False, True])
def test_at_time_0_it_is_the_picture(kind, masked: bool) -> None:
    picture = noise().astype(kind)
    mask = np.random.default_rng(1).uniform(0, 1, picture.shape[:2]) if masked else None
    frames = warp(picture, constant(0.3, 0.7), [0, 1, 0], mask)
    assert frames.dtype == kind
    np.testing.assert_array_equal(frames[0], picture)
    np.testing.assert_array_equal(frames[2], picture)
    assert (frames[1] != picture).any()


@pytest.mark.parametrize(("x", "y"), [(2, 0), (-1, 3), (0, -4)])
def test_whole_pixels_are_shifted_exactly(x: int, y: int) -> None:
    picture = noise()
    first, second = warp(picture, constant(x, y), [1, 3])
    for frame, times in ((first, 1), (second, 3)):
        shifted = np.roll(picture, (times * y, times * x), axis=(0, 1))
        inside = (slice(12, -12), slice(12, -12))
        np.testing.assert_array_equal(frame[inside], shifted[inside])


def test_the_picture_is_reflected_at_its_border() -> None:
    [frame] = warp(noise(), constant(5, 0), [1])
    np.testing.assert_array_equal(frame[:, :5], noise()[:, 4::-1])


def test_subpixel_shifts() -> None:
    y, x = np.mgrid[:64, :64].astype(np.float32)

    def texture(time: float) -> np.ndarray:
        u, v = x - 0.37 * time, y + 0.21 * time
        return 0.5 + 0.2 * np.sin(0.3 * u + 0.2 * v) + 0.2 * np.cos(0.25 * u - 0.3 * v)

    times = [0.5, 1, 3, 7.25]
    frames = warp(texture(0)[..., None], constant(0.37, -0.21, 64, 64), times)
    for time, frame in zip(times, frames, strict=True):
        error = np.abs(frame[..., 0] - texture(time))[8:-8, 8:-8]
        assert error.max() < 0.01  # of a range of 0.8


def test_a_rotation_is_integrated_along_circles() -> None:
    side, speed = 65, 0.05
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    inside = np.hypot(x, y) < 30
    for time, place in zip([4, 30], backtrace(turning(side, speed), [4, 30]), strict=True):
        angle = -speed * time
        expected = np.dstack(
            [np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y]
        )
        error = np.abs(place - (side - 1) / 2 - expected)[inside]
        assert error.max() < 0.05


def test_a_shear_is_integrated_exactly() -> None:
    y, x = np.mgrid[:64, :64].astype(np.float32)
    field = np.dstack([0.05 * (y - 20), np.zeros_like(x)])
    [place] = backtrace(field, [12])
    np.testing.assert_allclose(place[..., 0], x - 12 * 0.05 * (y - 20), atol=2e-3)
    np.testing.assert_array_equal(place[..., 1], y)


def test_times_in_any_order() -> None:
    field, times = turning(33, 0.04), [3, 7, 2, -4, -6, 0, 1]
    together = list(backtrace(field, times))
    for time, place in zip(times, together, strict=True):
        [alone] = backtrace(field, [time])
        np.testing.assert_allclose(place, alone, atol=0.01)
    [back], [forth] = backtrace(field, [-4]), backtrace(-field, [4])
    np.testing.assert_allclose(back, forth, atol=1e-5)


def test_a_resized_field_is_the_same_motion() -> None:
    y, x = np.mgrid[:10, :20].astype(np.float32)
    field = np.dstack([1 + 0.1 * x, 2 + 0.1 * y])
    larger = resize_velocities(field, (40, 60))
    assert larger.shape == (40, 60, 2)
    np.testing.assert_allclose(larger[19:21, 29:31].mean(axis=(0, 1)), [3 * 1.95, 4 * 2.45])
    back = resize_velocities(larger, (10, 20))
    np.testing.assert_allclose(back[1:-1, 1:-1], field[1:-1, 1:-1], atol=1e-4)
    np.testing.assert_array_equal(resize_velocities(field, (10, 20)), field)

    picture = noise()
    [small] = warp(picture, constant(0.5, -0.25, 10, 12), [2])
    [own] = warp(picture, constant(2, -1), [2])
    np.testing.assert_array_equal(small, own)


def test_static_parts_stay_and_are_not_dragged() -> None:
    y, x = np.indices((40, 48))
    still = (x < 14 + 5 * np.sin(y / 4)) | (y > 30)
    mask = np.where(still, 0, 1).astype(np.float32)
    picture = np.where(still[..., None], noise(), 200 + noise() // 16).astype(np.uint8)
    other = np.where(still[..., None], 255 - noise(), picture).astype(np.uint8)
    times = range(1, 24, 4)
    frames = warp(picture, constant(1.3, -0.4), times, mask)
    for frame in frames:
        np.testing.assert_array_equal(frame[still], picture[still])
        assert frame[~still].min() > 185  # bicubic sampling overshoots a little
    others = warp(other, constant(1.3, -0.4), times, mask)
    np.testing.assert_array_equal(frames[:, ~still], others[:, ~still])


def test_a_soft_border_keeps_its_static_part() -> None:
    """A pixel half covered by a black post stays half black, whatever passes behind it."""
    share = np.ones((32, 48), np.float32)
    share[:, 20:22] = 0.5
    share[:, 22:26] = 0
    y, x = np.mgrid[:32, :48]
    sky = 160 + 40 * np.sin(x / 5 + y / 9)
    picture = (share * sky).astype(np.uint8)[..., None]
    frames = warp(picture, constant(0.8, 0, 32, 48), range(16), share)
    assert frames[:, :, 20:22].max() < 115
    assert frames[:, :, 20:22].min() > 45
    near = np.abs(frames[1].astype(int) - frames[0])
    assert near.max() < 12  # nothing jumps between the picture and the frame after it


def test_an_empty_mask_moves_nothing() -> None:
    picture = noise()
    frames = warp(picture, constant(3, 3), [0, 5], np.zeros(picture.shape[:2]))
    np.testing.assert_array_equal(frames, [picture, picture])


def test_frames_are_made_one_at_a_time() -> None:
    frames = warp_frames(noise(), constant(1, 0), [0, 10**9])
    np.testing.assert_array_equal(next(frames), noise())


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 1), (7, 1, 4)])
def test_the_smallest_pictures(shape: tuple[int, int, int]) -> None:
    picture = noise(*shape)
    mask = np.ones(shape[:2], np.float32)
    mask[-1, -1] = 0
    assert warp(picture, constant(1, 2, 3, 3), [0, 1, 2], mask).shape == (3, *shape)
