"""`python -m ssagan_tf.train`: trains a run, or resumes it."""

from __future__ import annotations

from ssagan_tf import cli
from ssagan_tf.options import ComputeOptions, ModelOptions, TrainOptions, require
from ssagan_tf.startup import load_tensorflow

ABOUT = """
Trains a generator on a prepared set (or --data=synthetic) and leaves settings, checkpoints,
samples, metrics and generator.keras in --run_dir. The same command again resumes the run.
"""


def train(model: ModelOptions, compute: ComputeOptions, options: TrainOptions) -> None:
    require(options, "data", "run_dir")  # before TensorFlow takes seconds to load
    load_tensorflow()
    from ssagan_tf.training import loop

    loop.train(model, compute, options)


def main() -> None:
    cli.run("train", ABOUT, [ModelOptions, ComputeOptions, TrainOptions], train)


if __name__ == "__main__":
    main()
