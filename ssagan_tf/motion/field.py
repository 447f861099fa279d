"""The motion of a sky as a field of few numbers, fitted robustly to noisy velocities.

Velocities of single pixels stretch clouds into streaks; a field of first order in place and in
distance from the horizon keeps their shapes and has the perspective in it. A generated clip is soft
and says little, and less than the truth: what it leaves open comes from what is known of skies that
drift to the right. The fit is the mean of a posterior: a normal prior, and weights that are found
anew in turns (iteratively reweighted least squares). This form and its prior are ours.
"""

from __future__ import annotations

import dataclasses

import numpy as np

# Coefficients (one, across, away from the horizon) of (x, y), in widths and heights a frame: mean
# and standard deviation of those of 128 training clips of procedural-skies-64 v1.
_MEAN = np.array([[0.0067, 0.0], [0.0, 0.0032], [0.0123, 0.0]])
_SPREAD = np.array([[0.0020, 0.0013], [0.0035, 0.0024], [0.0056, 0.0062]])
_BORDER = 16  # this part of each side is spoilt by padding
_WINDOWS = 34.0  # independent velocities in a clip: 64 pixels by 64, over windows of 11
_ERROR = 0.002  # standard deviation of such a one, in widths a frame
_ROUNDS = 10
_LEAST = 0.01  # share of the picture below which there is nothing to fit


@dataclasses.dataclass(frozen=True)
class Field:
    """Velocities as a function of place, of no size.

    With x and y from 0 to 1 and d = |y - horizon|, the velocity is
    `coefficients[0] + (x - 1/2) coefficients[1] + d coefficients[2]`; below the horizon, where
    water mirrors, its vertical part has the other sign.

    Attributes:
      horizon: Height of the horizon: 0 at the top of the picture, 1 at its bottom.
      coefficients: `[3, 2]`, to the right in widths and down in heights of the picture a frame.
    """

    horizon: float
    coefficients: np.ndarray

    def velocities(self, height: int, width: int) -> np.ndarray:
        """Velocities at the centres of pixels.

        Returns:
          `[height, width, 2]` float32, pixels a frame, x to the right and y down.
        """
        x = (np.arange(width, dtype=np.float32) + 0.5) / width - 0.5
        y = (np.arange(height, dtype=np.float32) + 0.5) / height - self.horizon
        one, across, away = (np.float32(row) for row in self.coefficients)
        rows = one + np.abs(y)[:, None] * away
        field = rows[:, None] + x[None, :, None] * across
        field[y > 0, :, 1] *= -1
        return field * np.float32([width, height])

    def scaled(self, factor: float) -> Field:
        """The same at another speed; backwards if the factor is negative."""
        return dataclasses.replace(self, coefficients=self.coefficients * factor)

    def mirrored(self) -> Field:
        """As the mirrored photo would move."""
        signs = np.array([[-1, 1], [1, -1], [-1, 1]])
        return dataclasses.replace(self, coefficients=self.coefficients * signs)


def prior_mean(horizon: float) -> Field:
    """The mean of skies that drift to the right."""
    return Field(horizon, _MEAN.copy())


def fit(velocities: np.ndarray, weights: np.ndarray, horizon: float, confidence: float) -> Field:
    """The field most likely behind measured velocities.

    Args:
      velocities: `[h, w, 2]`, pixels a frame: x to the right, y down.
      weights: `[h, w]`, at least 0: how much each of them counts.
      horizon: See `Field`.
      confidence: In [0, 1]: how much of what changes in the clip they explain. With 0 the result is
        `usual`, with 1 it is as fast as they are.
    """
    height, width = weights.shape
    inside = np.zeros_like(weights, dtype=np.float64)
    across, down = width // _BORDER, height // _BORDER
    inside[down : height - down, across : width - across] = 1
    weights = inside * weights
    prior = prior_mean(horizon)
    if confidence <= 0 or np.count_nonzero(weights) < _LEAST * weights.size:
        return prior
    weights = weights.ravel() / weights.sum()
    expected = (prior.velocities(height, width) / (width, height)).reshape(-1, 2).astype(np.float64)
    measured = (velocities / (width, height)).reshape(-1, 2).astype(np.float64)
    speed = _median(np.hypot(*measured.T), weights)
    if speed == 0:
        return prior
    # A soft clip moves too slowly: its speed counts as far as the clip can be trusted.
    measured *= (_median(np.hypot(*expected.T), weights) / speed) ** (1 - confidence)

    features, below = basis(height, width, horizon)
    measured[below, 1] *= -1
    precision = _WINDOWS * confidence / _ERROR**2
    coefficients, reliable = _MEAN, np.ones(len(weights))
    for _ in range(_ROUNDS):
        weighted = features * (weights * reliable)[:, None]
        coefficients = np.stack(
            [
                np.linalg.solve(
                    precision * weighted.T @ features + np.diag(_SPREAD[:, axis] ** -2),
                    precision * weighted.T @ measured[:, axis]
                    + _MEAN[:, axis] / _SPREAD[:, axis] ** 2,
                )
                for axis in (0, 1)
            ],
            axis=-1,
        )
        errors = np.hypot(*(measured - features @ coefficients).T)
        reliable = 1 / (1 + (errors / (2 * _median(errors, weights) + 1e-6)) ** 2)
    return Field(horizon, coefficients)


def basis(height: int, width: int, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """What the coefficients are of, `[height · width, 3]`, and what is below the horizon."""
    y, x = np.indices((height, width)).reshape(2, -1) + 0.5
    down = y / height - horizon
    return np.stack([np.ones_like(x), x / width - 0.5, np.abs(down)], axis=-1), down > 0


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    """Weighted; the weights sum to 1."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), 0.5)])
