"""`to_saved_model`: exports a generator to a SavedModel for TensorFlow Serving."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from ssagan_tf import cli
from ssagan_tf.errors import DataError, require_extra
from ssagan_tf.files import replacing_folder
from ssagan_tf.options import ComputeOptions, OptionError, require
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training import generator_source
from ssagan_tf.training.run_folder import FLAGS_FILE

from .options import SavedModelOptions

ABOUT = """
Writes a generator as a SavedModel, a folder that TensorFlow Serving can load. It takes photos as
JPEG or PNG and returns videos as pixels or as JPEG frames.
A SavedModel is a program, which can read and write files: load only your own.
"""


def to_saved_model(options: SavedModelOptions, compute: ComputeOptions) -> None:
    """Writes the folder `options.output`, or nothing if anything fails.

    Raises:
      OptionError: A setting is missing or invalid.
      DataError: The generator cannot be read, or the folder cannot be written.
    """
    require(options, "output")
    output = Path(options.output)
    if not output.name.isdecimal():
        raise OptionError("output", output, "must end in a version number, such as models/ssagan/1")
    source = generator_source.find(options)
    how = source.how(options.fit)
    if options.warm_up:
        require_extra("serving", "tensorflow_serving", otherwise=", or skip it with --warm_up=")

    load_tensorflow()
    import tensorflow as tf

    from . import model_card, warm_up
    from .signatures import ServedGenerator

    generator = source.load(compute)
    described = model_card.settings(
        generator,
        source,
        how,
        weights=options.weights,
        precision=compute.precision,
        max_megapixels=options.max_megapixels,
    )
    print(f"writing {output}", flush=True)
    start = time.monotonic()
    with replacing_folder(output) as folder, _errors_of_writing(output):
        served = ServedGenerator(generator, how, options.weights, options.max_megapixels * 10**6)
        tf.saved_model.save(
            served,
            str(folder),
            signatures=served.functions,
            # They are only needed for training.
            options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
        )
        extra = folder / "assets.extra"
        extra.mkdir()
        text = json.dumps(described, indent=1, ensure_ascii=False)
        (extra / model_card.SETTINGS_FILE).write_text(text + "\n", encoding="utf-8")
        card = model_card.model_card(described)
        (extra / model_card.CARD_FILE).write_text(card, encoding="utf-8")
        if source.run:
            shutil.copyfile(source.run.folder / FLAGS_FILE, extra / model_card.FLAGS_FILE)
        if options.warm_up:
            sizes = [int(size) for size in options.warm_up]
            side = generator.options.resolution
            warm_up.write(str(extra / warm_up.FILE_NAME), sizes, side)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    print(f"{size / 1e6:.1f} MB in {time.monotonic() - start:.0f} s; {described['fingerprint']}")


@contextlib.contextmanager
def _errors_of_writing(path: Path) -> Iterator[None]:
    """Turns TensorFlow's file errors, which are not OSErrors, into DataError."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise DataError(f"cannot write {path}: {error.message.splitlines()[0]}") from error


def main() -> None:
    sections = [SavedModelOptions, ComputeOptions]
    cli.run("to_saved_model", ABOUT, sections, to_saved_model, package=__package__)


if __name__ == "__main__":
    main()
