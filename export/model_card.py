"""What an exported model says about itself: settings, fingerprint and model card."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from typing import Any

import ssagan_tf
from ssagan_tf.models import Network
from ssagan_tf.models.loading import fingerprint
from ssagan_tf.options import FRAMES
from ssagan_tf.training.generator_source import Source

SETTINGS_FILE, CARD_FILE, FLAGS_FILE = "settings.json", "model_card.md", "flags.cfg"
_BUNDLED_MODEL = ("name", "made", "sha256", "licence", "limits", "data", "recipe")


def settings(generator: Network, source: Source, how: str, **more: Any) -> dict[str, Any]:
    """Returns everything that describes an export, as values for JSON.

    Args:
      generator: The network.
      source: Where the network comes from.
      how: How photos are made square: `stretch`, `crop` or `letterbox`.
      more: Settings of the export itself.
    """
    described = {
        "fingerprint": fingerprint(generator),
        "source": source.about,
        "value_range": [-1.0, 1.0],
        "frames": FRAMES,
        "resolution": generator.options.resolution,
        "fit": how,
        "networks": [dataclasses.asdict(stage.options) for stage in generator.stages()],
        **more,
        "versions": {
            "ssagan_tf": ssagan_tf.__version__,
            **{name: importlib.metadata.version(name) for name in ("tensorflow", "keras")},
        },
    }
    if source.run:
        described["train"] = dataclasses.asdict(source.run.train)
        described["data"] = {
            "fingerprint": source.run.data.fingerprint,
            "layout": source.run.data.layout,
            "clips": {name: split.clips for name, split in source.run.data.splits.items()},
        }
    if source.box:
        described["box"] = {name: source.box.card[name] for name in _BUNDLED_MODEL}
    return described


def model_card(described: dict[str, Any]) -> str:
    """Returns the model card, in Markdown, for the result of `settings`."""
    side, frames = described["resolution"], described["frames"]
    networks = [dict(network) for network in described["networks"]]
    names = " + ".join(network.pop("network") for network in networks)
    stages = "; then ".join(
        ", ".join(f"{name} {value}" for name, value in network.items()) for network in networks
    )
    version, clip = described["versions"]["ssagan_tf"], f"`[N, {frames}, {side}, {side}, 3]`"
    image = f"`[N, {side}, {side}, 3]`"
    if train := described.get("train"):
        clips = described["data"]["clips"]
        trained = (
            f"{clips['train']} clips (layout `{described['data']['layout']}`), in the run "
            f"`{described['source']}` of {train['steps']} steps at batch size "
            f"{train['batch_size']}, λ_con {train['lambda_con']}, seed {train['seed']}; "
            f"`{FLAGS_FILE}` has all settings."
        )
    elif card := described.get("box"):
        trained = (
            f"{card['data']['clips']['train']} procedural skies ({card['data']['benchmark']}). "
            f"This is {described['source']}, bundled with ssagan_tf. Licence: {card['licence']}."
        )
    else:
        trained = f"unknown: it was exported from the file `{described['source']}` alone."
    return f"""# {names}, {side}×{side}, {frames} frames

One photo of a sky or a sea in, a time-lapse video of {frames} frames out. Made with ssagan_tf
{version}, an implementation of SSA-GAN (D. Horita and K. Yanai, "SSA-GAN: End-to-End Time-Lapse
Video Generation with Spatial Self-Attention", ACPR 2019).

- Fingerprint: `{described["fingerprint"]}`
- Network: {names}: {stages}
- Trained on: {trained}

## Use

| signature | input | output |
|---|---|---|
| `serving_default` | `image_bytes`: JPEG or PNG, string `[N]` | `video`: uint8 {clip} |
| `encoded` | `image_bytes` | `frames_bytes`: JPEGs, string `[N, {frames}]` |
| `tensor` | `image`: float32 {image} in [-1, 1] | `clip`: float32 {clip} in [-1, 1] |

- Photos of any size are accepted; the model makes them square ({described["fit"]}). EXIF rotation
  is not applied: send photos that are stored upright.
- Transparent pixels become black. 16-bit channels are reduced to 8 bits.
- A photo is rejected with INVALID_ARGUMENT if it is not a JPEG or PNG, is damaged, or has more than
  {described["max_megapixels"]} megapixels. If the server combines requests into batches, all
  requests in its batch fail.

## Limits

The model knows only time-lapses like those it was trained on: any other photo will move in the same
way. The motion is invented; it is not a forecast.
"""
