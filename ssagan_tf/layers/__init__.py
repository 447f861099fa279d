"""Keras layers of the paper. They use `keras.ops` only, to run on any Keras backend."""

from ssagan_tf.layers.attention import SpatialSelfAttention
from ssagan_tf.layers.blocks import ConvolutionBlock
from ssagan_tf.layers.convolution import Convolution, TransposedConvolution
from ssagan_tf.layers.normalization import BatchNormalization
from ssagan_tf.layers.spectral_norm import SpectralNormalization

__all__ = [
    "BatchNormalization",
    "Convolution",
    "ConvolutionBlock",
    "SpatialSelfAttention",
    "SpectralNormalization",
    "TransposedConvolution",
]
