# %% [markdown]
# # SpatialSelfAttention in a model of your own
#
# The layer runs on every backend of Keras: choose one before Keras is loaded, for example
# `KERAS_BACKEND=jax python docs/attention_anywhere.py` (or tensorflow, or torch).
#
# The task is one that the convolutions of a small model cannot solve. In a clip of 8×8 positions,
# each position is of one of two kinds and has a brightness that changes over time. The target at
# each position is the mean brightness, at each time, of all positions of the same kind. These are
# spread over the whole frame, so the model must look everywhere at once.

# %%
import keras
import numpy as np

from ssagan_tf.layers import SpatialSelfAttention

FRAMES, SIDE = 4, 8


def clips(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips `[B, T, H, W, 3]` (one-hot kind, brightness) and targets `[B, T, H, W, 1]`."""
    draw = np.random.default_rng(seed)
    kind = draw.integers(0, 2, (number, 1, SIDE, SIDE))
    kind = np.repeat(kind, FRAMES, axis=1)
    levels = draw.uniform(-1, 1, (number, FRAMES, 2))  # per kind and time
    level = np.take_along_axis(levels, kind.reshape(number, FRAMES, -1), axis=2).reshape(kind.shape)
    brightness = level + draw.standard_normal(kind.shape)
    targets = np.zeros_like(brightness)
    for index in (0, 1):
        mask = kind == index
        count = np.maximum(mask.sum((2, 3), keepdims=True), 1)
        mean = (brightness * mask).sum((2, 3), keepdims=True) / count
        targets += mean * mask
    inputs = np.stack([kind == 0, kind == 1, brightness], axis=-1)
    return inputs.astype("float32"), targets[..., None].astype("float32")


# %% [markdown]
# The layer's input and output are `[B, T, H, W, C]`, so it fits between any two layers of a video
# model. It attends over positions; all frames together decide how well two positions match. It
# starts as the identity (γ = 0), so adding it to a trained model changes nothing at first.


# %%
def model(attention: bool) -> keras.Model:
    clip = keras.Input((FRAMES, SIDE, SIDE, 3))
    x = keras.layers.Conv3D(8, (1, 3, 3), padding="same", activation="relu")(clip)
    x = keras.layers.Concatenate()([clip, x])
    if attention:
        x = SpatialSelfAttention(name="attention")(x)
    x = keras.layers.Conv3D(8, 1, activation="relu")(x)
    return keras.Model(clip, keras.layers.Conv3D(1, 1)(x))


# %%
def trained(attention: bool, epochs: int = 10) -> tuple[keras.Model, float]:
    """A trained model, and its error on new clips relative to that of predicting the mean."""
    keras.utils.set_random_seed(0)
    network = model(attention)
    network.compile(keras.optimizers.Adam(0.02), "mse")
    network.fit(*clips(160, seed=1), batch_size=16, epochs=epochs, verbose=0)
    inputs, targets = clips(64, seed=2)
    error = network.evaluate(inputs, targets, verbose=0)
    return network, error / float(np.var(targets))


def main() -> None:
    print(f"Keras on {keras.backend.backend()}; error relative to predicting the mean:")
    _, without = trained(attention=False)
    print(f"  convolutions only      {without:.3f}")
    network, with_attention = trained(attention=True)
    gamma = float(keras.ops.convert_to_numpy(network.get_layer("attention").gamma.value))
    print(f"  with spatial attention {with_attention:.3f}   (γ grew from 0 to {gamma:.2f})")


if __name__ == "__main__":
    main()
