# %% [markdown]
# # SpatialSelfAttention in a model of your own
#
# The layer runs on every backend of Keras: choose one before Keras is loaded, for example
# `KERAS_BACKEND=jax python docs/attention_anywhere.py` (or tensorflow, or torch).
#
# The task is one that no convolution of a small model can do. In a clip of 8×8 positions each
# position is of one of two kinds and has a brightness that changes over time. Wanted at each
# position: the mean brightness, at each time, of all positions of the same kind. They are spread
# over the whole picture, so the model must look everywhere at once.

# %%
import keras
import numpy as np

from ssagan_tf.layers import SpatialSelfAttention

FRAMES, SIDE = 4, 8


def clips(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips `[B, T, H, W, 3]` (two kinds, brightness) and what is wanted, `[B, T, H, W, 1]`."""
    draw = np.random.default_rng(seed)
    kind = draw.integers(0, 2, (number, 1, SIDE, SIDE))
    kind = np.repeat(kind, FRAMES, axis=1)
    levels = draw.uniform(-1, 1, (number, FRAMES, 2))  # of each kind, at each time
    own = np.take_along_axis(levels, kind.reshape(number, FRAMES, -1), axis=2).reshape(kind.shape)
    brightness = own + draw.standard_normal(kind.shape)
    wanted = np.zeros_like(brightness)
    for which in (0, 1):
        of_kind = kind == which
        count = np.maximum(of_kind.sum((2, 3), keepdims=True), 1)
        mean = (brightness * of_kind).sum((2, 3), keepdims=True) / count
        wanted += mean * of_kind
    inputs = np.stack([kind == 0, kind == 1, brightness], axis=-1)
    return inputs.astype("float32"), wanted[..., None].astype("float32")


# %% [markdown]
# The layer takes and gives `[B, T, H, W, C]`, so it goes between any two layers of a video model.
# Its attention runs over the positions; all frames together decide how two positions match. It
# starts as the identity (γ = 0), so it can be put into a trained model without harm.


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
    """A trained model, and its error on clips it has not seen, over that of a constant."""
    keras.utils.set_random_seed(0)
    network = model(attention)
    network.compile(keras.optimizers.Adam(0.02), "mse")
    network.fit(*clips(160, seed=1), batch_size=16, epochs=epochs, verbose=0)
    inputs, wanted = clips(64, seed=2)
    error = network.evaluate(inputs, wanted, verbose=0)
    return network, error / float(np.var(wanted))


def main() -> None:
    print(f"Keras on {keras.backend.backend()}; error, of that of guessing the mean:")
    _, without = trained(attention=False)
    print(f"  convolutions only      {without:.3f}")
    network, with_attention = trained(attention=True)
    gamma = float(keras.ops.convert_to_numpy(network.get_layer("attention").gamma.value))
    print(f"  with spatial attention {with_attention:.3f}   (γ has grown from 0 to {gamma:.2f})")


if __name__ == "__main__":
    main()
