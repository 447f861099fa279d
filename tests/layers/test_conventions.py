"""SpatialSelfAttention behaves like Keras' own layers: sizes, masks, files, formats."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from ssagan_tf.layers import ConvolutionBlock, SpatialSelfAttention
from ssagan_tf.layers.attention import attention_by
from ssagan_tf.layers.gates import GATES
from tests.exactness import assert_exact, draws, fill, rms, value_and_gradients

pytestmark = pytest.mark.numeric


def awake(shape: tuple, dtype: str = "float64", **arguments) -> SpatialSelfAttention:
    """A built layer whose weights are far from their initial values."""
    layer = SpatialSelfAttention(dtype=dtype, **arguments)
    layer.build(shape)
    fill(layer.weights, lambda drawn: 0.5 + 0.3 * drawn**2)
    return layer


def gradients(layer: SpatialSelfAttention, clip: tf.Tensor, **arguments) -> list[tf.Tensor]:
    """The output and the gradients of the clip and all weights."""
    weights = [weight.value for weight in layer.trainable_weights]
    return value_and_gradients(lambda clip, *_: layer(clip, **arguments), [clip, *weights])


def in_graph(layer: SpatialSelfAttention, clip: tf.Tensor, shape: tuple, **options) -> list:
    """The same in a graph that is traced for `shape`."""
    run = tf.function(
        lambda clip: gradients(layer, clip, training=True),
        autograph=False,
        input_signature=[tf.TensorSpec(shape, clip.dtype)],
        **options,
    )
    return run(clip)


# Any size


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize(
    "known",
    [(None, 2, 12, 13, 3), (None, None, None, None, 3)],
    ids=["unknown batch", "all unknown"],
)
def test_an_empty_batch(gate: str, compiled: bool, known: tuple) -> None:
    """In blocks, since an unknown batch counts as 16 clips."""
    layer = awake(known, gate=gate, memory=1)
    before = layer.get_weights()
    clip = tf.zeros((0, 2, 12, 13, 3), "float64")
    for output, of_clip, *others in (
        gradients(layer, clip, training=True),
        in_graph(layer, clip, known, jit_compile=compiled),
    ):
        assert output.shape == of_clip.shape == clip.shape
        assert all(not np.any(np.asarray(gradient)) for gradient in others)
    for weight, then in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, then)  # the moving statistics, too


@pytest.mark.parametrize("memory", [256, 1], ids=["one block", "blocks"])
@pytest.mark.parametrize("shape", [(2, 3, 19, 15, 3), (3, 1, 1, 1, 3)], ids=["large", "1x1"])
def test_unknown_sizes(shape: tuple, memory: int) -> None:
    layer = awake((None,) * 4 + (3,), memory=memory, gate="none")
    clip = draws(*shape)
    assert_exact(in_graph(layer, clip, (None,) * 4 + (3,)), gradients(layer, clip))


def test_unknown_sizes_with_xla() -> None:
    layer = awake((None,) * 4 + (3,), memory=1, gate="none")
    clip = draws(1, 2, 19, 21, 3)
    found = in_graph(layer, clip, (None,) * 4 + (3,), jit_compile=True)
    assert_exact(found, gradients(layer, clip))


def test_unknown_sizes_hold_no_more_than_memory() -> None:
    """No tensor has more elements than a third of the limit."""
    layer = awake((None,) * 4 + (2,), "float32", memory=1, gate="none")
    sizes = []

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None,) * 4 + (2,))])
    def run(clip):
        return gradients(layer, clip)

    graph = run.get_concrete_function().graph
    products = [
        node
        for function in graph.as_graph_def().library.function
        for node in function.node_def
        if node.op == "Softmax"
    ]
    assert products  # in the bodies of loops only
    assert not [op for op in graph.get_operations() if op.type == "Softmax"]

    from ssagan_tf.layers import dynamic_blocks

    for batch, positions in [(1, 900), (7, 900), (3, 128 * 128), (2, 5)]:
        rows, number = map(int, dynamic_blocks._division(batch, positions, 2**18))
        sizes.append((batch * rows * positions, number))
        assert rows * number >= positions
    assert all(held <= 2**18 / 3 or number == 1 for held, number in sizes)
    assert [number > 1 for _, number in sizes] == [True, True, True, False]


# Conventions of Keras


def test_wrong_channels_are_reported_as_by_keras() -> None:
    layer = awake((None, 2, 3, 3, 4), "float32")
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 4"):
        layer(np.zeros((1, 2, 3, 3, 5), "float32"))
    with pytest.raises(ValueError, match="expected ndim=5, found ndim=4"):
        layer(np.zeros((1, 3, 3, 4), "float32"))
    with pytest.raises(ValueError, match="expected axis -1"):
        layer(keras.Input((2, 3, 3, 5)))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_integers_are_cast(dtype: str, policy: str) -> None:
    layer = awake((None, 2, 3, 3, 4), policy)
    clip = np.random.default_rng(0).integers(0, 2, (1, 2, 3, 3, 4)).astype(dtype)
    output = layer(clip)
    assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype
    np.testing.assert_array_equal(
        keras.ops.cast(output, "float32"), keras.ops.cast(layer(clip.astype("float32")), "float32")
    )


def test_argument_names_are_those_of_keras() -> None:
    layer = SpatialSelfAttention(
        bias_initializer="ones",
        kernel_regularizer=keras.regularizers.L2(0.1),
        bias_regularizer="l1",
        kernel_constraint="non_neg",
        bias_constraint=keras.constraints.MaxNorm(3),
    )
    again = SpatialSelfAttention.from_config(layer.get_config())
    again(draws(1, 2, 3, 3, 4, dtype="float32"))
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again.query.bias, np.ones(4))
    assert len(again.losses) == 6  # of q, k, v, kernels and biases
    assert isinstance(again.value.kernel_constraint, keras.constraints.NonNeg)
    assert again.attention_axes == (2, 3)
    assert "convolutions" not in again.get_config()


# Scores and masks


def by_definition(layer: SpatialSelfAttention, clip: np.ndarray) -> np.ndarray:
    """A of Eq. 1."""
    q, k = (np.asarray(dense(clip)) for dense in (layer.query, layer.key))
    batch, time, height, width, channels = q.shape
    q, k = (x.reshape(batch, time, height * width, channels) for x in (q, k))
    logits = np.einsum("btnc,btmc->bnm", q, k)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def test_attention_scores() -> None:
    layer = awake((None, 3, 2, 4, 5), gate="none")
    clip = draws(2, 3, 2, 4, 5)
    output, scores = layer(clip, return_attention_scores=True)
    assert scores.shape == (2, 8, 8)
    assert_exact([output, scores], [layer(clip), by_definition(layer, clip.numpy())])
    # In a user's functional model.
    inputs = keras.Input((3, 2, 4, 5), dtype="float64")
    model = keras.Model(inputs, layer(inputs, return_attention_scores=True))
    assert [tuple(x.shape) for x in model.outputs] == [(None, 3, 2, 4, 5), (None, 8, 8)]
    assert_exact(model(clip), [output, scores])
    unknown = layer(keras.Input((None, None, None, 5)), return_attention_scores=True)
    assert tuple(unknown[1].shape) == (None, None, None)


def test_scores_larger_than_memory() -> None:
    layer = awake((None, 1, 32, 32, 2), "float32", memory=8)
    layer(tf.zeros((2, 1, 32, 32, 2)), return_attention_scores=True)
    with pytest.raises(ValueError, match=r"take 12 MiB, but `memory` is 8"):
        layer(tf.zeros((3, 1, 32, 32, 2)), return_attention_scores=True)
    spec = tf.TensorSpec((1, 1, None, 32, 2))
    with pytest.raises(ValueError, match="needs a known height and width"):
        tf.function(layer, autograph=False).get_concrete_function(
            spec, return_attention_scores=True
        )


MEMORIES = pytest.mark.parametrize("memory", [256, 1], ids=["plain", "blocks"])


@MEMORIES
@pytest.mark.parametrize("flat", [True, False])
def test_a_mask_is_exact(memory: int, flat: bool) -> None:
    """Letterbox bars: the result is that of the clip without them."""
    layer = awake((None, 2, 26, 20, 3), memory=memory, ratio=0.7)
    clip = draws(3, 2, 26, 20, 3)
    between = np.zeros((3, 26, 20), bool)
    between[:, 3:21] = True
    mask = between.reshape(3, -1) if flat else between
    found = gradients(layer, clip, attention_mask=mask)
    inner = gradients(layer, clip[:, :, 3:21])
    assert_exact([found[0][:, :, 3:21]], [inner[0]])
    # The content of the bars does not change anything between them.
    noise = np.where(between[:, None, ..., None], clip, 100.0)
    assert_exact([layer(noise, attention_mask=mask)[:, :, 3:21]], [inner[0]])
    unknown = tf.function(
        lambda clip, mask: layer(clip, attention_mask=mask),
        autograph=False,
        input_signature=[
            tf.TensorSpec((None,) * 4 + (3,), "float64"),
            tf.TensorSpec((None,) * mask.ndim, "bool"),
        ],
    )
    assert_exact([unknown(clip, tf.constant(mask))], [found[0]])


@MEMORIES
def test_the_gradient_of_a_mask(memory: int) -> None:
    clip = draws(3, 1, 20, 19, 2)
    mask = np.random.default_rng(0).integers(0, 2, (3, 380)).astype(bool)
    layer, plain = (awake((None, 1, 20, 19, 2), gate="none", memory=each) for each in (memory, 256))

    def by_scores(clip: tf.Tensor, *_) -> tf.Tensor:
        output, _ = plain(clip, attention_mask=mask, return_attention_scores=True)
        return output

    weights = [weight.value for weight in plain.trainable_weights]
    expected = value_and_gradients(by_scores, [clip, *weights])
    assert_exact(gradients(layer, clip, attention_mask=mask), expected)
    _, scores = plain(clip, attention_mask=mask, return_attention_scores=True)
    assert not np.asarray(scores)[~np.broadcast_to(mask[:, None], scores.shape)].any()


def test_fully_masked_clip() -> None:
    layer = awake((None, 2, 3, 4, 2), gate="none")
    clip = draws(2, 2, 3, 4, 2)
    mask = np.stack([np.zeros(12, bool), np.ones(12, bool)])
    output, scores = layer(clip, attention_mask=mask, return_attention_scores=True)
    np.testing.assert_array_equal(output[0], clip[0])
    assert not np.any(scores[0])
    whole = layer(clip, attention_mask=mask)
    np.testing.assert_array_equal(whole[0], clip[0])
    assert_exact([whole[1:], output[1:]], [layer(clip[1:])] * 2)


@pytest.mark.parametrize("extra", [False, True], ids=["mask", "with attention_mask"])
def test_keras_mask(extra: bool) -> None:
    """Frames and positions masked by `Masking` count as if they were not there."""
    layer = awake((None, 5, 4, 6, 3), gate="gamma")
    clip = draws(2, 5, 4, 6, 3).numpy()
    clip[:, 3:] = 0
    clip[:, :, :, 4:] = 0
    masked = keras.layers.Masking(dtype="float64")(clip)
    arguments = {"attention_mask": np.ones((2, 24), bool)} if extra else {}
    output = layer(masked, **arguments)
    assert_exact([output[:, :3, :, :4]], [layer(clip[:, :3, :, :4])])
    np.testing.assert_array_equal(output._keras_mask, (clip != 0).any(-1))
    first, scores = layer(masked, return_attention_scores=True, **arguments)
    assert_exact([first], [output])
    assert not np.asarray(scores).reshape(2, 24, 4, 6)[..., 4:].any()
    # The same with a mask of frames; masked values do not matter.
    clip[:, 3:] = 7
    by_frames = layer(clip[:, :, :, :4], mask=np.array([[True] * 3 + [False] * 2] * 2))
    assert_exact([by_frames[:, :3]], [output[:, :3, :, :4]])


def test_moments_with_a_mask() -> None:
    """Batch norm of the projected gate ignores masked values."""
    layer = awake((None, 4, 3, 3, 2), gate="projected")
    clip = draws(2, 4, 3, 3, 2)
    frames = np.array([[True, True, True, False]] * 2)
    output = layer(clip, mask=frames, training=True)
    other = awake((None, 4, 3, 3, 2), gate="projected")
    expected = other(clip[:, :3], training=True)
    bound = 1e-6  # Keras divides by a number of positions that is greater by 1e-7
    assert_exact([output[:, :3]], [expected], bound)
    weights = ([weight.value for weight in each.weights] for each in (layer, other))
    assert_exact(*weights, bound)


@pytest.mark.parametrize("shape", [(3, 9), (2, 8), (2, 3, 2), (2, 9, 9), (9,), (2, 1, 3, 3)])
def test_other_masks_are_refused(shape: tuple) -> None:
    layer = awake((None, 2, 3, 3, 2))
    with pytest.raises(ValueError, match=r"`attention_mask` must be \[B, H·W\] or \[B, H, W\]"):
        layer(draws(2, 2, 3, 3, 2), attention_mask=np.ones(shape, bool))


def test_one_mask_for_all_clips() -> None:
    layer = awake((None, 2, 3, 3, 2))
    clip, mask = draws(2, 2, 3, 3, 2), np.arange(9)[None] > 3
    expected = layer(clip, attention_mask=np.repeat(mask, 2, axis=0))
    assert_exact([layer(clip, attention_mask=mask.reshape(1, 3, 3))], [expected])
    frames = np.ones((2, 2), bool)
    assert_exact([layer(clip, attention_mask=mask, mask=frames)], [expected])


def test_mask_of_unknown_shape() -> None:
    layer = awake((None, 2, 3, 3, 2))
    with pytest.raises(ValueError, match=r"`mask` must be \[B, T\] or \[B, T, H, W\]"):
        layer(draws(1, 2, 3, 3, 2), mask=np.ones((1, 2, 3), bool))


# Quantization


def quantized(mode: str, **arguments) -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """A quantized user model, a clip, and the output before quantization."""
    clip = draws(2, 3, 12, 11, 32, dtype="float32").numpy() / 3
    inputs = keras.Input(clip.shape[1:])
    layer = SpatialSelfAttention(name="attention", **arguments)
    model = keras.Model(inputs, layer(inputs))
    for seed, weight in enumerate(layer.trainable_weights):
        weight.assign(draws(*weight.shape, seed=seed, dtype="float32") / 6)
    before = np.asarray(model(clip))
    model.quantize(mode, filters=lambda each: isinstance(each, keras.layers.Dense))
    return model, clip, before


@pytest.mark.parametrize(("mode", "error"), [("int8", 0.02), ("int4", 0.12), ("float8", 0.06)])
@pytest.mark.parametrize("gate", ["none", pytest.param("projected", marks=pytest.mark.long)])
def test_quantized_output_is_close(mode: str, error: float, gate: str, tmp_path) -> None:
    model, clip, before = quantized(mode, gate=gate)
    layer = model.get_layer("attention")
    assert {each.quantization_mode for each in (layer.query, layer.key, layer.value)} == {mode}
    after = np.asarray(model(clip))
    assert 0 < rms(after - before) < error * rms(before - clip)
    with pytest.raises(ValueError, match=f"attention/query is quantized to {mode}"):
        layer.projections()
    # After saving, cloning and rebuilding from its config.
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(clip), after)
    if mode != "float8":  # Keras lists its weights in another order
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(copy(clip), after)


def test_quantized_kernels_are_small_and_in_blocks() -> None:
    sizes = {}
    for memory in (256, 1):
        model, clip, _ = quantized("int8", gate="none", memory=memory)
        layer = model.get_layer("attention")
        assert {str(each._kernel.dtype) for each in (layer.query, layer.value)} == {"int8"}
        with tf.GradientTape() as tape:
            x = tf.constant(np.tile(clip, (12, 1, 1, 1, 1)))
            tape.watch(x)
            output = model(x)
        sizes[memory] = [output, tape.gradient(output, x)]
    for one, other in zip(*sizes.values(), strict=True):
        assert rms(np.subtract(one, other)) < 1e-5 * rms(np.asarray(other))


def test_a_quantized_block(tmp_path) -> None:
    block = ConvolutionBlock(
        8, (3, 3, 3), (1, 1, 1), "same", ssa={"gate": "none"}, name="block", activation="relu"
    )
    inputs = keras.Input((2, 4, 4, 3))
    model = keras.Model(inputs, block(inputs))
    model.quantize("int8", filters=lambda each: isinstance(each, keras.layers.Dense))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    clip = draws(1, 2, 4, 4, 3, dtype="float32")
    np.testing.assert_array_equal(again(clip), model(clip))
    assert again.layers[1].ssa.query.quantization_mode == "int8"


def test_lora(tmp_path) -> None:
    """Keras' low-rank update of a frozen convolution."""
    clip = draws(2, 2, 3, 3, 8, dtype="float32")
    inputs = keras.Input(clip.shape[1:])
    model = keras.Model(inputs, SpatialSelfAttention(gate="none", name="attention")(inputs))
    layer = model.get_layer("attention")
    before = np.asarray(model(clip))
    layer.value.enable_lora(2)
    np.testing.assert_allclose(model(clip), before, atol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(clip) ** 2)
    assert np.any(tape.gradient(loss, layer.value.lora_kernel_b.value))
    layer.value.lora_kernel_b.assign(draws(2, 8, dtype="float32"))
    after = np.asarray(model(clip))
    assert rms(after - before) > 0.1
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(clip), after, atol=1e-5)


# Files


def test_configs_of_earlier_versions() -> None:
    """Without the arguments that were added later."""
    old = {
        "name": "here",
        "trainable": True,
        "dtype": {
            "module": "keras",
            "class_name": "DTypePolicy",
            "config": {"name": "float32"},
            "registered_name": None,
        },
        "ratio": 0.5,
        "gate": "projected",
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "GlorotUniform",
            "config": {"seed": None},
            "registered_name": None,
        },
        "memory": 64,
    }
    layer = SpatialSelfAttention.from_config(old)
    layer(draws(1, 2, 3, 3, 4, dtype="float32"))
    names = [weight.path for weight in layer.weights]
    order = ["query", "query", "key", "key", "value", "value", "projection", "projection"]
    assert [name.split("/")[1] for name in names[:8]] == order


def test_weights_file(tmp_path) -> None:
    clip = draws(1, 2, 3, 4, 4, dtype="float32")
    inputs = keras.Input((None, None, None, 4))
    one, other = (keras.Model(inputs, SpatialSelfAttention()(inputs)) for _ in range(2))
    one.layers[1].gamma.assign(0.5)
    one.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other(clip), one(clip))


@pytest.mark.parametrize("masked", [False, True])
def test_saved_model(masked: bool, tmp_path) -> None:
    clip = draws(2, 2, 5, 4, 4, dtype="float32")
    mask = np.arange(20)[None] < np.array([[7], [20]])
    inputs = [keras.Input((None, None, None, 4))]
    more = [keras.Input((None,), dtype="bool")] if masked else []
    layer = awake((None, 2, 5, 4, 4), "float32", memory=1)
    model = keras.Model(inputs + more, layer(*inputs, *more))
    arguments = [clip, tf.constant(mask)] if masked else [clip]
    model.export(tmp_path / "model", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "model"))
    np.testing.assert_allclose(served.serve(arguments), model(arguments), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")  # of Keras' export
@pytest.mark.parametrize(
    "known", [(None, 2, 12, 13, 4), (None, None, None, None, 4)], ids=["known", "unknown"]
)
def test_onnx(known: tuple, tmp_path) -> None:
    pytest.importorskip("tf2onnx", reason="the extra 'onnx' is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    layer = awake(known, "float32", memory=1)
    inputs = keras.Input(batch_shape=known)
    model = keras.Model(inputs, layer(inputs))
    model(draws(1, 2, 12, 13, 4, dtype="float32"))  # Keras exports no other
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    for batch in (1, 3):
        clip = draws(batch, 2, 12, 13, 4, dtype="float32").numpy() / 4
        [found] = session.run(None, {session.get_inputs()[0].name: clip})
        np.testing.assert_allclose(found, model(clip), rtol=1e-4, atol=1e-4)


# Other formulas


def test_another_formula() -> None:
    clip = draws(2, 3, 2, 4, 5)
    layer = awake((None, 3, 2, 4, 5), gate="none")
    seen = []

    def twice(module, inputs, frames):
        seen.append((module, tuple(inputs.shape), frames))
        return 2 * module.attend(inputs, frames)

    plain = layer(clip)
    with attention_by(twice):
        doubled = layer(clip)
        with pytest.raises(ValueError, match="the attention formula in use"):
            layer(clip, return_attention_scores=True)
    assert seen == [(layer, (2, 3, 2, 4, 5), None)]
    assert_exact([doubled, layer(clip)], [2 * plain - clip, plain])
    assert "attend" not in vars(layer)


class Mean(SpatialSelfAttention):
    """A custom attention: the mean of the values over all positions."""

    def attend(self, clip, frames=None):
        value = self.value(clip)
        return ops.broadcast_to(ops.mean(value, axis=(2, 3), keepdims=True), ops.shape(value))


def test_a_subclass_with_its_own_attention() -> None:
    clip = draws(2, 3, 2, 4, 5)
    layer = Mean(gate="none", dtype="float64")
    layer.build((None, 3, 2, 4, 5))
    expected = np.mean(layer.value(clip), axis=(2, 3), keepdims=True) + clip
    assert_exact([layer(clip)], [expected])
    with attention_by(lambda module, inputs, frames: inputs):  # an exporter's, say
        assert_exact([layer(clip)], [expected])
    with pytest.raises(ValueError, match="takes no mask"):
        layer(clip, attention_mask=np.ones((2, 2, 4), bool))
