"""Results published in the paper, shown next to ours for comparison, never in place of them.

SSA-GAN (a) has attention in the first stage of MD-GAN, SSA-GAN (b) in the second (the paper's
"Ours (a)" and "Ours (b)").
"""

from __future__ import annotations

from typing import Any

SOURCE = "Horita & Yanai, ACPR 2019, Table {}: as reported, on {}"
TABLE_4_NOTE = (
    "The PSNR column of Table 4 mixes two peak values: its first three rows are consistent with a "
    "peak of 1, its last two with a peak of 2."
)

_TABLES: dict[int, tuple[str, str, dict[str, tuple[float, float, float]]]] = {
    3: (
        "cloud, 128×128",
        "its whole test set (2,815 clips)",
        {
            "MD-GAN stage I": (0.0280, 23.14, 0.5997),
            "MD-GAN stage II": (0.0245, 23.8529, 0.6327),
            "SSA-GAN (a)": (0.0238, 24.3512, 0.6991),
            "SSA-GAN (b)": (0.0259, 23.5224, 0.6460),
        },
    ),
    4: (
        "beach, 64×64",
        "1,000 random videos of its evaluation data",
        {
            "RNN-GAN": (0.1849, 7.7988, 0.5143),
            "VGAN": (0.0958, 11.5586, 0.6035),
            "MD-GAN stage II": (0.0422, 16.1951, 0.8019),
            "SSA-GAN (a)": (0.0379, 23.6601, 0.7320),
            "SSA-GAN (b)": (0.0374, 25.6432, 0.7346),
        },
    ),
}
PREFERENCES_SOURCE = (
    "Horita & Yanai, ACPR 2019, Sec. 5.2 and Table 2: 100 pairs per case, 10 subjects, with other "
    'clips and other subjects than here. SSA-GAN is "Ours" there; the paper does not say whether '
    "that is (a) or (b)."
)
# Table 2: preference for the first over the second, out of 1000.
PREFERENCES = {
    ("SSA-GAN", "MD-GAN stage I"): 871,
    ("SSA-GAN", "MD-GAN stage II"): 526,
    ("MD-GAN stage I", "real"): 286,
    ("MD-GAN stage II", "real"): 322,
    ("SSA-GAN", "real"): 334,
}


def reported_rows() -> list[dict[str, Any]]:
    """Tables 3 and 4, one row per system, for `metrics.json`."""
    return [
        {
            "table": table,
            "data": data,
            "name": name,
            "mse": mse,
            "psnr": psnr,
            "ssim": ssim,
            "source": SOURCE.format(table, clips),
        }
        for table, (data, clips, rows) in _TABLES.items()
        for name, (mse, psnr, ssim) in rows.items()
    ]
