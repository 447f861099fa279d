"""`python -m ssagan_tf.train`: trains a run, or goes on with it."""

from __future__ import annotations

from ssagan_tf import program
from ssagan_tf.options import ModelOptions, TrainOptions

ABOUT = """
Trains a generator on a prepared set (or --data=synthetic) and leaves settings, checkpoints,
samples, metrics and generator.keras in --run_dir. The same command again resumes the run.
"""


def train(model: ModelOptions, options: TrainOptions) -> None:
    from ssagan_tf.training import loop  # TensorFlow loads once the flags are right

    loop.train(model, options)


def main() -> None:
    program.run("train", ABOUT, [ModelOptions, TrainOptions], train)


if __name__ == "__main__":
    main()
