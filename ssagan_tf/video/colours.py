"""How colours are converted between RGB and what videos store."""

from __future__ import annotations

BT709 = 1  # FFmpeg's number of the colour space of HD video and browsers
# Bicubic, full chroma, accurate rounding: FFmpeg's quick default darkens by 1 to 2 levels.
EXACT = 0x4 | 0x2000 | 0x40000
