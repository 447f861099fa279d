# %% [markdown]
# # SpatialSelfAttention in your own model
#
# The layer runs on every Keras backend. Choose one before Keras is imported, for example
# `KERAS_BACKEND=jax python docs/attention_anywhere.py` (or tensorflow, or torch).
#
# This task is out of reach for the convolutions of a small model. In a clip of 8×8 positions, each
# position belongs to one of two kinds and has a brightness that changes over time. The target at
# each position is the mean brightness, frame by frame, of all positions of the same kind. These are
# scattered over the whole frame, so the model must look everywhere at once.

# %%
import keras
import numpy as np

from ssagan_tf.layers import SpatialSelfAttention

FRAMES, SIDE = 4, 8


def clips(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns clips `[B, T, H, W, 3]` (two kinds, brightness) and targets `[B, T, H, W, 1]`."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, (number, 1, SIDE, SIDE))
    kind = np.repeat(kind, FRAMES, axis=1)
    levels = rng.uniform(-1, 1, (number, FRAMES, 2))  # per kind and frame
    level = np.take_along_axis(levels, kind.reshape(number, FRAMES, -1), axis=2)
    brightness = level.reshape(kind.shape) + rng.standard_normal(kind.shape)
    targets = np.zeros_like(brightness)
    for which in (0, 1):
        of_kind = kind == which
        count = np.maximum(of_kind.sum((2, 3), keepdims=True), 1)
        mean = (brightness * of_kind).sum((2, 3), keepdims=True) / count
        targets += mean * of_kind
    inputs = np.stack([kind == 0, kind == 1, brightness], axis=-1)
    return inputs.astype("float32"), targets[..., None].astype("float32")


# %% [markdown]
# The layer maps `[B, T, H, W, C]` to the same shape, so it fits between any two layers of a video
# model. It attends over positions, and all frames together decide how well two positions match. It
# starts as the identity (γ = 0), so it can be inserted into a trained model without harm.


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
    """Returns a trained model, and its error on unseen clips relative to predicting the mean."""
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
