# %% [markdown]
# # Colour from hints: SpatialSelfAttention at work
#
# A camera pans over a grey image for four frames; in the first frame the colour of 3 % of the
# pixels is given as a hint. The target is the colour of every pixel in every frame. A hint applies
# to everything that looks alike, wherever it is, so a model must compare positions far apart.
#
# The images come with scikit-image (`pip install scikit-image`). The left halves are for training,
# the right halves for testing.
#
# `python docs/layer_colours.py` trains the same model three times without attention, with
# `SpatialSelfAttention`, and with `keras.layers.MultiHeadAttention` over the positions.

# %%
import sys

import keras
import numpy as np
from skimage import color, data, transform

from ssagan_tf.layers import SpatialSelfAttention

FRAMES, SIDE, HINTS = 4, 16, 0.03
PICTURES = ("astronaut", "coffee", "chelsea", "rocket", "immunohistochemistry")


def halves() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Left and right halves `[H, W, 3]` (luma, two chroma channels), downscaled by four."""
    left, right = [], []
    for name in PICTURES:
        picture = color.rgb2ycbcr(getattr(data, name)())
        picture = transform.downscale_local_mean(picture, (4, 4, 1))
        picture = (picture - (126, 128, 128)) / (50, 20, 20)  # to similar ranges
        middle = picture.shape[1] // 2
        left.append(picture[:, :middle])
        right.append(picture[:, middle:])
    return left, right


def make_clips(pictures: list[np.ndarray], number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs `[B, T, H, W, 4]` (luma, hint mask, hinted chroma), and targets (chroma)."""
    draw = np.random.default_rng(seed)
    clips = np.empty((number, FRAMES, SIDE, SIDE, 3), "float32")
    for clip in clips:
        picture = pictures[draw.integers(len(pictures))]
        height, width = picture.shape[:2]
        top, left = draw.integers(FRAMES, (height - SIDE - FRAMES, width - SIDE - FRAMES))
        down, across = draw.integers(-1, 2, 2)  # pixels a frame
        for frame in range(FRAMES):
            y, x = top + down * frame, left + across * frame
            clip[frame] = picture[y : y + SIDE, x : x + SIDE]
    hinted = np.zeros((*clips.shape[:4], 1), "float32")
    hinted[:, 0] = draw.random(hinted[:, 0].shape) < HINTS
    return np.concatenate([clips[..., :1], hinted, hinted * clips[..., 1:]], -1), clips[..., 1:]


# %% [markdown]
# The layer fits between any two layers of a video model. `MultiHeadAttention` needs each position
# as a token of T·C features, and the clip restored afterwards.


# %%
def attend_over_positions(x: keras.KerasTensor) -> keras.KerasTensor:
    """Attention over positions with Keras' own layer: `[B, T, H, W, C]` -> the same shape."""
    _, frames, height, width, channels = x.shape
    features = frames * channels
    rows = keras.layers.Permute((2, 3, 1, 4))(x)
    rows = keras.layers.Reshape((height * width, features))(rows)
    attended = keras.layers.MultiHeadAttention(num_heads=1, key_dim=features)(rows, rows)
    rows = keras.layers.Add()([rows, attended])
    rows = keras.layers.Reshape((height, width, frames, channels))(rows)
    return keras.layers.Permute((3, 1, 2, 4))(rows)


def model(attention: str) -> keras.Model:
    def convolution(filters: int, **arguments) -> keras.layers.Layer:
        return keras.layers.Conv3D(filters, 3, padding="same", **arguments)

    clip = keras.Input((FRAMES, SIDE, SIDE, 4))
    x = convolution(16, activation="relu")(clip)
    x = convolution(16, activation="relu")(x)
    if attention == "SpatialSelfAttention":
        x = SpatialSelfAttention()(x)
    elif attention == "MultiHeadAttention":
        x = attend_over_positions(x)
    x = convolution(16, activation="relu")(x)
    return keras.Model(clip, convolution(2)(x))


# %%
def trained(attention: str, seed: int, epochs: int) -> tuple[int, float]:
    """The number of weights of a trained model, and its error on test clips."""
    left, right = halves()
    inputs, targets = make_clips(left, 640, seed=1)
    keras.utils.set_random_seed(seed)
    network = model(attention)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, epochs * len(inputs) // 16)
    network.compile(keras.optimizers.Adam(rate), "mse")
    network.fit(inputs, targets, batch_size=16, epochs=epochs, verbose=0)
    inputs, targets = make_clips(right, 160, seed=2)
    error = network.evaluate(inputs, targets, verbose=0)
    return network.count_params(), error / float(np.mean(targets**2))


def main(seeds: int = 3, epochs: int = 6) -> None:
    print(f"Keras on {keras.backend.backend()}; error relative to grey, for {seeds} seeds:")
    for attention in ("none", "SpatialSelfAttention", "MultiHeadAttention"):
        runs = [trained(attention, seed, epochs) for seed in range(seeds)]
        errors = " ".join(f"{error:.3f}" for _, error in runs)
        print(f"  {attention:20} {runs[0][0]:6,} weights   {errors}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
