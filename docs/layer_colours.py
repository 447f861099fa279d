# %% [markdown]
# # Colour from hints: SpatialSelfAttention at work
#
# A camera pans over a grey picture for four frames; in the first frame the colour of 3 % of the
# pixels is known. Wanted: the colour of every pixel of every frame. A hint says something about
# what looks alike, wherever that is, so a model must compare positions that are far apart.
#
# The pictures come with scikit-image (`pip install scikit-image`): their left halves to train on,
# their right halves to test with.
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
    """Left and right halves `[H, W, 3]` at a quarter of the size: brightness, two of colour."""
    left, right = [], []
    for name in PICTURES:
        picture = color.rgb2ycbcr(getattr(data, name)())
        picture = transform.downscale_local_mean(picture, (4, 4, 1))
        picture = (picture - (126, 128, 128)) / (50, 20, 20)  # about as large as each other
        middle = picture.shape[1] // 2
        left.append(picture[:, :middle])
        right.append(picture[:, middle:])
    return left, right


def clips(pictures: list[np.ndarray], number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips `[B, T, H, W, 4]` (brightness, is there a hint, its colour), and all colours."""
    draw = np.random.default_rng(seed)
    shown = np.empty((number, FRAMES, SIDE, SIDE, 3), "float32")
    for clip in shown:
        picture = pictures[draw.integers(len(pictures))]
        height, width = picture.shape[:2]
        top, left = draw.integers(FRAMES, (height - SIDE - FRAMES, width - SIDE - FRAMES))
        down, across = draw.integers(-1, 2, 2)  # pixels a frame
        for frame in range(FRAMES):
            y, x = top + down * frame, left + across * frame
            clip[frame] = picture[y : y + SIDE, x : x + SIDE]
    known = np.zeros((*shown.shape[:4], 1), "float32")
    known[:, 0] = draw.random(known[:, 0].shape) < HINTS
    return np.concatenate([shown[..., :1], known, known * shown[..., 1:]], -1), shown[..., 1:]


# %% [markdown]
# The layer goes between any two layers of a video model. For `MultiHeadAttention` each position
# must become a token of T·C features first, and a clip again afterwards.


# %%
def tokens(x: keras.KerasTensor) -> keras.KerasTensor:
    """Attention over the positions with Keras' own layer: `[B, T, H, W, C]` -> the same."""
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
        x = tokens(x)
    x = convolution(16, activation="relu")(x)
    return keras.Model(clip, convolution(2)(x))


# %%
def trained(attention: str, seed: int, epochs: int) -> tuple[int, float]:
    """Weights of a trained model, and its error on clips that it has not seen."""
    left, right = halves()
    inputs, wanted = clips(left, 640, seed=1)
    keras.utils.set_random_seed(seed)
    network = model(attention)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, epochs * len(inputs) // 16)
    network.compile(keras.optimizers.Adam(rate), "mse")
    network.fit(inputs, wanted, batch_size=16, epochs=epochs, verbose=0)
    inputs, wanted = clips(right, 160, seed=2)
    error = network.evaluate(inputs, wanted, verbose=0)
    return network.count_params(), error / float(np.mean(wanted**2))


def main(seeds: int = 3, epochs: int = 6) -> None:
    print(f"Keras on {keras.backend.backend()}; error, of that of grey, of {seeds} seeds:")
    for attention in ("none", "SpatialSelfAttention", "MultiHeadAttention"):
        runs = [trained(attention, seed, epochs) for seed in range(seeds)]
        errors = " ".join(f"{error:.3f}" for _, error in runs)
        print(f"  {attention:20} {runs[0][0]:6,} weights   {errors}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
