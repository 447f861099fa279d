"""Conversion from and to the released PyTorch code of SSA-GAN and MD-GAN, in NumPy.

Generators have the keys `downConv1…6` and `upConv1…6` with `downBN2…5` and `upBN1…5`, and attention
`attn_1…5` after the convolutions and `up_attn_5…1` after the deconvolutions. Discriminators have
`slice1.0` to `slice4.0`, each batch norm next to its convolution. The released networks are
128×128; here networks of other sizes have the same keys, layer by layer of Table 1.
"""

from ssagan_tf.torch_weights.architecture import infer_network
from ssagan_tf.torch_weights.state_dict import describe, load_state_dict, to_state_dict

__all__ = ["describe", "infer_network", "load_state_dict", "to_state_dict"]
