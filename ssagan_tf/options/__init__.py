"""Every setting once: its name, type, default, help and check.

The sections are frozen dataclasses. `flags.py` makes the command-line flags from them, so a setting
is added to one of these files and nowhere else. A setting that two sections share (`seed`,
`resolution`) has the same type and default in both.
"""

from ssagan_tf.options.animation import (
    FLOW_SUFFIXES,
    AnimateOptions,
    MotionOptions,
    PhotosToAnimations,
)
from ssagan_tf.options.data import BENCHMARKS, PrepareOptions, VerifyOptions
from ssagan_tf.options.evaluation import CompareOptions, EvaluateOptions, StudyOptions
from ssagan_tf.options.generation import (
    DemoOptions,
    GenerateOptions,
    ImportOptions,
    PhotosToClips,
    PhotosToVideos,
    SourceOptions,
    SourceOrBoxOptions,
)
from ssagan_tf.options.networks import ComputeOptions, ModelOptions
from ssagan_tf.options.renamed import RENAMED, current_names, original_names, renamed_settings
from ssagan_tf.options.setting import (
    ADDRESS,
    OptionError,
    Section,
    Stride,
    above_zero,
    at_least,
    between,
    refuse_without_effect,
    require,
    resolve,
    setting,
)
from ssagan_tf.options.shared import ClipRule, Fit, Layout, Skips
from ssagan_tf.options.sizes import CORE_RESOLUTION, FRAMES, LARGEST_RESOLUTION, outer_levels
from ssagan_tf.options.training import RECIPES, SweepOptions, TrainOptions

__all__ = [
    "ADDRESS",
    "BENCHMARKS",
    "CORE_RESOLUTION",
    "FLOW_SUFFIXES",
    "FRAMES",
    "LARGEST_RESOLUTION",
    "RECIPES",
    "RENAMED",
    "AnimateOptions",
    "ClipRule",
    "CompareOptions",
    "ComputeOptions",
    "DemoOptions",
    "EvaluateOptions",
    "Fit",
    "GenerateOptions",
    "ImportOptions",
    "Layout",
    "ModelOptions",
    "MotionOptions",
    "OptionError",
    "PhotosToAnimations",
    "PhotosToClips",
    "PhotosToVideos",
    "PrepareOptions",
    "Section",
    "Skips",
    "SourceOptions",
    "SourceOrBoxOptions",
    "Stride",
    "StudyOptions",
    "SweepOptions",
    "TrainOptions",
    "VerifyOptions",
    "above_zero",
    "at_least",
    "between",
    "current_names",
    "original_names",
    "outer_levels",
    "refuse_without_effect",
    "renamed_settings",
    "require",
    "resolve",
    "setting",
]
