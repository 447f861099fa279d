from __future__ import annotations

import dataclasses

import pytest
from absl import flags as absl_flags

from export import options as export_options
from ssagan_tf import flags, options
from ssagan_tf.models import REGISTRY
from ssagan_tf.options import refuse_without_effect

OF_EXPORT = [
    section
    for section in vars(export_options).values()
    if isinstance(section, type) and section.__module__ == export_options.__name__
]
SECTIONS = (*flags.SECTIONS, options.AnimateOptions, options.ImportOptions, *OF_EXPORT)
ALL = [(section, field) for section in SECTIONS for field in dataclasses.fields(section)]
EVERY_SETTING = pytest.mark.parametrize(
    ("section", "field"), ALL, ids=[f"{s.__name__}.{f.name}" for s, f in ALL]
)


@EVERY_SETTING
def test_every_setting_has_a_flag_and_help(section, field) -> None:
    values = absl_flags.FlagValues()
    flags.define(values, [section])
    values([""])
    assert field.name in values
    assert field.metadata["help"].endswith(".")
    section()  # the default passes its own check
    default = values[field.name].value
    assert (tuple(default) if isinstance(default, list) else default) == field.default


def test_written_flags_are_read_back_as_the_same_options(tmp_path) -> None:
    model = options.ModelOptions(resolution=256, base_filters=8, ssa_gate="none", ssa_ratio=0.125)
    train = options.TrainOptions(data="set", run_dir="a b", steps=7, flip=True, lambda_con=0.5)
    compute = options.ComputeOptions(precision="mixed_bfloat16", attention_memory=64, remat=True)
    generate = options.GenerateOptions(run_dir="a b", image=("a.jpg", "b.png"))
    evaluate = options.EvaluateOptions(
        data="set", run_dir="a b", generated=("a=x", "y"), optical_flow=False, batch_size=16
    )
    path = tmp_path / "flags.cfg"
    lines = flags.to_lines(model, compute, train, generate, evaluate)
    path.write_text("# a comment\n" + "\n".join(lines))
    values = flags.from_file(str(path))
    assert flags.read(options.ModelOptions, values) == model
    assert flags.read(options.ComputeOptions, values) == compute
    assert flags.read(options.TrainOptions, values) == train
    assert flags.read(options.GenerateOptions, values) == generate
    assert flags.read(options.EvaluateOptions, values) == evaluate


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: options.ModelOptions(resolution=100), "resolution=100: must be 64·2^k"),
        (lambda: options.ModelOptions(resolution=192), "resolution=192"),
        (lambda: options.ModelOptions(resolution=2048), "resolution=2048: must be 64·2^k"),
        (
            lambda: options.DemoOptions(names=("x.org", "::1", "a:80")),
            "names=x.org,::1,a:80: must be host names",
        ),
        (lambda: options.StudyOptions(names=("http://x",)), "names=http://x: must be host names"),
        (lambda: options.ModelOptions(base_filters=0), "base_filters=0: must be at least 1"),
        (
            lambda: options.ModelOptions(resolution=256, base_filters=3),
            "base_filters=3: must be a multiple of 2 at --resolution=256",
        ),
        (lambda: options.ModelOptions(skips="sum"), "skips=sum: must be one of standard, concat"),
        (lambda: options.ModelOptions(ssa_gate="sum"), "ssa_gate=sum: must be one of gamma"),
        (lambda: options.ModelOptions(ssa_layers="conv1 conv2"), "ssa_layers"),
        (lambda: options.ModelOptions(ssa_ratio=0.0), "ssa_ratio"),
        (lambda: options.PrepareOptions(test_fraction=1.5), "test_fraction=1.5"),
        (lambda: options.PrepareOptions(frame_stride=0), "frame_stride=0"),
        (lambda: options.TrainOptions(learning_rate=0.0), "learning_rate=0.0"),
        (lambda: options.TrainOptions(batch_size=0), "batch_size=0"),
        (lambda: options.TrainOptions(adversarial="none"), "adversarial=none: must be one of"),
        (lambda: options.GenerateOptions(fps=0.0), "fps=0.0"),
        (lambda: options.DemoOptions(port=70000), "port=70000: must be between"),
        (lambda: export_options.SavedModelOptions(warm_up=("1", "x")), "warm_up="),
        (lambda: export_options.ParityOptions(batches=("0",)), "batches="),
        (lambda: export_options.OnnxOptions(precision="bfloat16"), "precision=bfloat16"),
        (lambda: options.ModelOptions(resolution="64"), "resolution=64: must be a whole number"),
        (lambda: options.ModelOptions(base_filters=8.5), "base_filters=8.5: must be a whole"),
        (lambda: options.ModelOptions(spectral_norm="false"), "spectral_norm=false: must be a"),
        (lambda: options.TrainOptions(lambda_con=float("nan")), "lambda_con=nan: must be a finite"),
        (lambda: options.GenerateOptions(image="a.jpg"), "image=a.jpg: must be a tuple"),
        (
            lambda: options.EvaluateOptions(attention_at=("1", "x")),
            "attention_at=1,x: must be",
        ),
        (
            lambda: options.TrainOptions(data="gs://set", cache="gs://cache"),
            "cache=gs://cache: is a remote address, which only --data and prepare's --source and",
        ),
        (
            lambda: options.EvaluateOptions(generated=("a=x", "b=S3://bucket/clips")),
            "generated=a=x,b=S3://bucket/clips: is a remote address",
        ),
        (
            lambda: export_options.ClientOptions(server="http://host:8501"),
            "server=http://host:8501: must be HOST:PORT",
        ),
        (lambda: options.TrainOptions(run_dir="gs://b/date=24"), "run_dir=gs://b/date=24: is a r"),
        (lambda: options.PrepareOptions(output="s3:///"), "output=s3:///: is incomplete; expected"),
    ],
)
def test_impossible_values_are_named(make, message: str) -> None:
    with pytest.raises(options.OptionError) as caught:
        make()
    assert str(caught.value).startswith(message)


def test_the_defaults_are_those_of_the_paper() -> None:
    model, train = options.ModelOptions(), options.TrainOptions()
    assert (model.resolution, model.base_filters, model.ssa_gate) == (128, 32, "gamma")
    assert (train.batch_size, train.discriminator_updates) == (16, 5)
    assert (train.learning_rate, train.beta_1, train.beta_2) == (2e-4, 0.5, 0.9)
    assert (train.adversarial, train.lambda_con) == ("minimax", 1.0)


def test_a_programs_own_setting_takes_precedence() -> None:
    values = absl_flags.FlagValues()
    flags.define(values, [export_options.OnnxOptions])
    values(["", "--precision=float16"])
    assert flags.read(export_options.OnnxOptions, values).precision == "float16"
    with pytest.raises(absl_flags.Error):
        values(["", "--precision=mixed_bfloat16"])


def test_an_untrusted_flag_file_is_read_as_absl_reads_it(tmp_path) -> None:
    """It is opened only once, so that the content that was checked is used."""
    path = tmp_path / "flags.cfg"
    text = "# a\r// b\r\n\n \t\n  --seed=7 \r--flip\n--run_dir\na b\u2028#\n--steps=3\x0b"
    path.write_bytes(text.encode())
    ours, absls = (flags.from_file(str(path), alone=alone) for alone in (True, False))
    assert ours.flag_values_dict() == absls.flag_values_dict()
    assert (ours["seed"].value, ours["run_dir"].value, ours["steps"].value) == (7, "a b\u2028#", 3)


def test_networks_have_recipes_of_their_own(tmp_path) -> None:
    """For settings that are given neither on the command line nor in a file."""
    path = tmp_path / "flags.cfg"
    for network, recipe in options.RECIPES.items():
        path.write_text(f"--network={network}\n--resolution=64")
        train = flags.read(options.TrainOptions, flags.from_file(str(path)))
        assert train == options.TrainOptions(**recipe)
    path.write_text("--network=vgan\n--discriminator_updates=5\n--lambda_con=1")
    train = flags.read(options.TrainOptions, flags.from_file(str(path)))
    assert (train.discriminator_updates, train.lambda_con) == (5, 1.0)
    assert train.lambda_first_frame == 10.0
    # Settings saved by a run stay the same if the recipes change.
    plain = options.TrainOptions()
    path.write_text("--network=rnngan\n" + "\n".join(flags.to_lines(plain)))
    assert flags.read(options.TrainOptions, flags.from_file(str(path))) == plain


def test_every_network_has_a_recipe() -> None:
    assert set(options.RECIPES) == set(REGISTRY)


def test_the_recipe_of_a_network_in_python() -> None:
    vgan = options.TrainOptions.for_network("vgan", steps=7, lambda_con=1.0)
    assert (vgan.steps, vgan.lambda_first_frame, vgan.discriminator_updates) == (7, 10.0, 1)
    assert vgan.deviations("vgan") == ["lambda_con=1 (vgan's recipe: 0)"]
    assert vgan.deviations("ssagan") == [
        "discriminator_updates=1 (ssagan's recipe: 5)",
        "adversarial=nonsaturating (ssagan's recipe: minimax)",
        "lambda_first_frame=10 (ssagan's recipe: 0)",
        "beta_2=0.999 (ssagan's recipe: 0.9)",
    ]
    stepwise = options.TrainOptions(learning_rate_milestones=("9",), batch_size=2)
    assert stepwise.deviations("ssagan") == ["learning_rate_milestones=9 (ssagan's recipe: none)"]
    assert options.TrainOptions.for_network("ssagan") == options.TrainOptions()
    with pytest.raises(options.OptionError, match=r"^network=vgna: must be one of ssagan, mdgan_"):
        options.TrainOptions.for_network("vgna")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        ({"ranking": "generator"}, "ranking=generator: has no effect with --lambda_rank=0"),
        (
            {"canonical_threshold": 0.1},
            "canonical_threshold=0.1: has no effect without --canonical_motion=both or --canoni",
        ),
        ({"wind": "canonical"}, "wind=canonical: has no effect without --data=synthetic"),
        ({"synthetic_clips": 9}, "synthetic_clips=9: has no effect without --data=synthetic"),
        ({"lambda_adv": 0.0, "lambda_con": 0.0}, "lambda_adv=0.0: the generator has no loss; set"),
    ],
)
def test_a_new_run_refuses_what_can_only_be_a_mistake(make: dict, message: str) -> None:
    train = options.TrainOptions(data="set", **make)
    with pytest.raises(options.OptionError) as caught:
        train.check_new_run()
    assert str(caught.value).startswith(message)


def test_defaults_and_recipes_contradict_nothing() -> None:
    for network in options.RECIPES:
        options.TrainOptions.for_network(network, data="set").check_new_run()
    options.TrainOptions(data="synthetic", wind="canonical", synthetic_clips=9).check_new_run()
    options.TrainOptions(lambda_rank=1.0, ranking="generator").check_new_run()
    options.TrainOptions(canonical_motion="drop", canonical_threshold=0.1).check_new_run()


@pytest.mark.parametrize("section", [options.PrepareOptions, options.EvaluateOptions])
def test_settings_of_cutting_that_have_no_effect(section) -> None:
    refuse_without_effect(section(frame_stride="auto", motion_target=0.01))
    with pytest.raises(
        options.OptionError, match=r"^motion_target=0.01: has no effect without --f"
    ):
        refuse_without_effect(section(motion_target=0.01))
    with pytest.raises(
        options.OptionError, match=r"^clip_stride=8: has no effect without --clip_r"
    ):
        refuse_without_effect(section(clip_stride=8, clip_rule="first"))


def test_settings_of_synthetic_clouds_need_the_layout() -> None:
    refuse_without_effect(options.PrepareOptions(layout="synthetic", wind="canonical"))
    refuse_without_effect(options.PrepareOptions(motion_target=0.01, inspect=True))
    with pytest.raises(options.OptionError, match=r"^wind=canonical: has no effect without --lay"):
        refuse_without_effect(options.PrepareOptions(wind="canonical"))
