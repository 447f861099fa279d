from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Callable

import pytest
import tensorflow as tf

from ssagan_tf.layers import Convolution, TransposedConvolution, im2col, subpixel
from ssagan_tf.layers.convolution import plain_convolutions
from tests.exactness import assert_equal, assert_exact, draws, fill, value_and_gradients

pytestmark = pytest.mark.numeric

every_layer = pytest.mark.parametrize("kind", [Convolution, TransposedConvolution])
CLIP = (2, 2, 4, 4)  # few enough positions for patches


@pytest.fixture
def used(monkeypatch) -> list[str]:
    """Records the calls of `im2col` and `subpixel`, by module."""
    calls: list[str] = []
    ways = (im2col, "convolve"), (im2col, "convolve_transposed"), (subpixel, "convolve_transposed")
    for module, name in ways:
        original = getattr(module, name)

        def call(*args, module=module, original=original) -> tf.Tensor:
            calls.append(module.__name__.split(".")[-1])
            return original(*args)

        monkeypatch.setattr(module, name, call)
    return calls


def assert_equals_keras(kind: type, shape: tuple, filters: int = 9, **arguments) -> None:
    """With the same weights, values and gradients equal those of Keras' layer."""

    def ways(dtype: str) -> tuple:
        ours, theirs = (kind(filters, **arguments, dtype=dtype) for kind in (kind, kind.__mro__[2]))
        assert theirs.__class__.__module__.startswith("keras.")
        clip = draws(*shape, dtype=dtype)
        for layer in (ours, theirs):
            layer.build(shape)
            fill(layer.weights)

        def run(layer: Callable) -> list[tf.Tensor]:
            weights = [layer.kernel.value, layer.bias.value]
            return value_and_gradients(lambda clip, *_: layer(clip), [clip, *weights])

        return run(ours), run(theirs)

    assert_equal(ways)


@every_layer
@pytest.mark.parametrize("with_patches", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": (4, 4, 4), "strides": (2, 2, 2), "padding": "same"},
        {"kernel_size": (3, 4, 4), "strides": (1, 2, 2), "padding": "same", "activation": "tanh"},
        {"kernel_size": (2, 4, 4), "strides": (1, 1, 1), "padding": "valid"},
        # A kernel smaller than its stride: Keras' transposed output is longer then.
        {"kernel_size": (2, 2, 2), "strides": (2, 3, 3), "padding": "valid"},
    ],
)
def test_equals_keras(kind: type, with_patches: bool, arguments: dict, used, monkeypatch) -> None:
    if not with_patches:
        monkeypatch.setattr(im2col, "is_faster", lambda _: False)
    assert_equals_keras(kind, (*CLIP, 5), **arguments)
    assert bool(used) == with_patches


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": (3, 4, 4), "strides": (1, 2, 2), "padding": "same"},
        {"kernel_size": (2, 2, 3), "strides": (2, 3, 2), "padding": "valid"},
    ],
)
def test_few_filters_equal_keras(plain: bool, arguments: dict, used) -> None:
    with plain_convolutions() if plain else contextlib.nullcontext():
        assert_equals_keras(TransposedConvolution, (2, 3, 4, 5, 5), filters=3, **arguments)
    assert set(used) == (set() if plain else {"subpixel"})


def test_plain_convolutions_nest_and_leave_other_threads_alone(used) -> None:
    layer, clip = TransposedConvolution(3, 4, strides=2, padding="same"), draws(*CLIP, 6)

    def calls() -> int:
        before = len(used)
        layer(clip)
        return len(used) - before

    with plain_convolutions():
        with contextlib.suppress(KeyError), plain_convolutions():
            raise KeyError
        assert calls() == 0
        with concurrent.futures.ThreadPoolExecutor() as pool:
            assert pool.submit(calls).result() == 1
    assert calls() == 1


@every_layer
@pytest.mark.parametrize("clip", [(1, 5, 7, 6, 5), (2, 1, 3, 5, 5)], ids=["large", "small"])
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": (4, 4, 4), "strides": (2, 2, 2), "padding": "same"},
        {"kernel_size": (1, 3, 2), "strides": (1, 1, 1), "padding": "valid"},
        {"kernel_size": (3, 3, 3), "strides": (1, 2, 2), "padding": "same"},
    ],
)
def test_odd_sizes_equal_keras(kind: type, clip: tuple, arguments: dict) -> None:
    assert_equals_keras(kind, clip, **arguments)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (Convolution, {"groups": 3, "strides": 2}),
        (Convolution, {"dilation_rate": 2}),
        (TransposedConvolution, {"strides": 2, "output_padding": 1}),
    ],
)
def test_short_cuts_are_not_used_where_unsupported(kind: type, arguments: dict, used) -> None:
    assert_equals_keras(kind, (*CLIP, 6), 3, kernel_size=3, padding="same", **arguments)
    assert not used


@every_layer
def test_unknown_sizes(kind: type) -> None:
    layer = kind(3, 4, 2, padding="same", dtype="float64")
    layer.build((None, None, None, None, 2))
    spec = tf.TensorSpec((None, None, None, None, 2), "float64")
    run = tf.function(layer, autograph=False, input_signature=[spec])
    for shape in [(1, 2, 2, 2, 2), (2, 4, 4, 6, 2)]:
        clip = draws(*shape)
        assert_exact([run(clip)], [layer(clip)])


@every_layer
def test_config(kind: type) -> None:
    layer = kind(3, 4, 2, padding="same", spectral_norm=True)
    again = kind.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.spectral_norm


@every_layer
def test_channels_first_is_refused(kind: type) -> None:
    with pytest.raises(ValueError, match="channels last"):
        kind(6, 4, data_format="channels_first")


@pytest.mark.parametrize("filters", [3, 9])
def test_the_graph_of_a_step_is_optimized(filters: int, capfd: pytest.CaptureFixture) -> None:
    """Where one pass of TensorFlow's graph optimizer fails, it logs so, and the pass is skipped."""
    layer = TransposedConvolution(filters, (3, 4, 4), strides=(1, 2, 2), padding="same")

    @tf.function
    def step(clip: tf.Tensor) -> list:
        with tf.GradientTape() as tape:
            tape.watch(clip)
            loss = tf.reduce_sum(layer(clip) ** 2)
        return tape.gradient(loss, [clip, *layer.trainable_variables])

    step(tf.random.normal((1, 4, 16, 16, 8)))
    assert "failed: INVALID_ARGUMENT" not in capfd.readouterr().err
