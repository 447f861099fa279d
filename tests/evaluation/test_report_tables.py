"""Everything that is written about a metric follows from its entry."""

from __future__ import annotations

import numpy as np

from ssagan_tf.evaluation import report_tables, results
from ssagan_tf.evaluation.metrics.metric import Metric, ReportSection, mean, median
from ssagan_tf.evaluation.protocols import PAPER
from ssagan_tf.evaluation.scoring import Row, Scores

FRAMES = ReportSection("Frames", "About frames.")
CLIPS = ReportSection("Clips", "About clips.")
METRICS = (
    Metric(
        name="loss",
        key="mean_loss",
        section=FRAMES,
        title="loss",
        better="↓",
        format=".1f",
        compute=lambda pair: np.zeros(32),
        aggregate=mean,
        over_protocol_frames=True,
        curve="loss",
    ),
    Metric(
        name="size",
        key="median_size",
        section=CLIPS,
        title="size",
        better="→ 1",
        format=".2f",
        compute=lambda pair: 0.0,
        aggregate=median,
        also_real=True,
        can_be_nan=True,
    ),
)


def table() -> results.Table:
    """Two rows of three clips. The loss of a frame is its number from 0; one size is NaN."""
    sizes = np.array([1.0, 2.0, np.nan])
    rows = [
        Row(name, f"about {name}", {"loss": np.tile(np.arange(32.0), (3, 1)), "size": sizes})
        for name in ("mine", "pan")
    ]
    clips = ["a", "b", "c"]
    scores = Scores(PAPER, METRICS, clips, clips, rows, {"size": np.ones(3)}, {})
    return results.tabulate(scores, seed=0)


def test_report() -> None:
    text = "\n".join(report_tables.main_table(table(), 128))
    assert text.startswith("|  | loss ↓ |\n| --- | ---: |\n| mine | 15.5 [15.5, 15.5] |")
    assert "| *SSA-GAN (a) (reported: Table 3, cloud, 128×128)* | *–* |" in text
    text = "\n".join(report_tables.section_tables(table()))
    assert "## Frames\n\nAbout frames.\n\n|  | loss ↓ |\n| --- | ---: |\n| mine | 16.0 [" in text
    assert "## Clips\n\nAbout clips.\n\n|  | size → 1 |\n| --- | ---: |\n| real | 1.00 [" in text
    assert "Clips that count, of 3: size 2." in text
    assert text.count("### Paired differences") == 2
    assert "|  | size |\n| --- | ---: |\n| mine − pan | +0.00 [" in text
    assert "pan − " not in text


def test_terminal() -> None:
    assert report_tables.terminal_lines(table()) == [
        *("mine  mean_loss 15.5", "pan   mean_loss 15.5"),
        *("real  median_size 1.00", "mine  median_size 1.50", "pan   median_size 1.50"),
    ]


def test_json_and_csv() -> None:
    content = results.to_json(table(), {}, {})
    row = content["rows"][0]
    assert (row["mean_loss"], row["frames_2_to_32"]["mean_loss"]) == (15.5, 16.0)
    assert (row["median_size"], row["median_size_clips"]) == (1.5, 2)
    assert row["per_frame"] == {"loss": list(range(32))}
    assert content["real"]["median_size"] == 1
    assert content["differences"][0]["rows"] == ["mine", "pan"]
    lines = results.clips_csv(table().scores)
    assert lines[0] == ("clip", "video", "row", "loss", "size", "size_real")
    assert lines[1] == ("a", "a", "mine", "15.5", "1", "1")
    assert lines[-1] == ("c", "c", "pan", "15.5", "", "1")
