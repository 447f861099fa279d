"""Weights by the names and shapes of the released PyTorch code of SSA-GAN and MD-GAN, in NumPy.

Generators: `downConv1…6` and `upConv1…6` with `downBN2…5` and `upBN1…5`; attention `attn_1…5` after
the convolutions, `up_attn_5…1` after the deconvolutions. Discriminators: `slice1.0` to `slice4.0`,
each normalisation next to its convolution. Those networks are 128×128; here networks of other sizes
have the same names, layer by layer of Table 1.
"""

from ssagan_tf.torch_weights.architecture import read_off
from ssagan_tf.torch_weights.state_dict import describe, load_state, state_of

__all__ = ["describe", "load_state", "read_off", "state_of"]
