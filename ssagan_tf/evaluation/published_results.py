"""Figures that papers report, to stand beside ours and never for ours."""

from __future__ import annotations

from typing import Any

SOURCE = "Horita & Yanai, ACPR 2019, Table {}: as reported, on the whole of its test set"
TABLE_4_NOTE = (
    "The PSNR column of Table 4 mixes two peak values: its first three rows fit a peak of 1, the "
    "last two a peak of 2."
)

_TABLES: dict[int, tuple[str, dict[str, tuple[float, float, float]]]] = {
    3: (
        "cloud, 128×128",
        {
            "MD-GAN stage I": (0.0280, 23.14, 0.5997),
            "MD-GAN stage II": (0.0245, 23.8529, 0.6327),
            "SSA-GAN (a)": (0.0238, 24.3512, 0.6991),
            "SSA-GAN (b)": (0.0259, 23.5224, 0.6460),
        },
    ),
    4: (
        "beach, 64×64",
        {
            "RNN-GAN": (0.1849, 7.7988, 0.5143),
            "VGAN": (0.0958, 11.5586, 0.6035),
            "MD-GAN stage II": (0.0422, 16.1951, 0.8019),
            "SSA-GAN (a)": (0.0379, 23.6601, 0.7320),
            "SSA-GAN (b)": (0.0374, 25.6432, 0.7346),
        },
    ),
}
# Table 2: preference for the first over the second, of 1000.
PREFERENCES = {
    ("SSA-GAN (a)", "MD-GAN stage I"): 871,
    ("SSA-GAN (a)", "MD-GAN stage II"): 526,
    ("MD-GAN stage I", "real"): 286,
    ("MD-GAN stage II", "real"): 322,
    ("SSA-GAN (a)", "real"): 334,
}


def reported_rows() -> list[dict[str, Any]]:
    """Tables 3 and 4, a row each system, for `metrics.json`."""
    return [
        {
            "table": table,
            "data": data,
            "name": name,
            "mse": mse,
            "psnr": psnr,
            "ssim": ssim,
            "source": SOURCE.format(table),
        }
        for table, (data, rows) in _TABLES.items()
        for name, (mse, psnr, ssim) in rows.items()
    ]
