"""The motion of a sky as a field with few parameters, fitted robustly to noisy velocities.

Moving each pixel by its own velocity would stretch clouds into streaks. A field that is linear in
position and in distance from the horizon keeps their shapes and models perspective. A generated
clip is blurred and moves too slowly, so its evidence is combined with a prior: the usual motion of
skies that drift to the right. The fit is a posterior mean with a normal prior, by iteratively
reweighted least squares. This model and its prior are our own.
"""

from __future__ import annotations

import dataclasses

import numpy as np

# Coefficients (constant, x, distance from the horizon) of the velocity (x, y), in widths and
# heights per frame: mean and standard deviation over 128 training clips of procedural-skies-64 v1.
_MEAN = np.array([[0.0067, 0.0], [0.0, 0.0032], [0.0123, 0.0]])
_STDDEV = np.array([[0.0020, 0.0013], [0.0035, 0.0024], [0.0056, 0.0062]])
_BORDER = 16  # one part in 16 of each side is distorted by padding
_WINDOWS = 34.0  # independent velocities in a clip: 64×64 pixels in windows of 11×11
_ERROR = 0.002  # standard deviation of one of them, in widths per frame
_ITERATIONS = 10
_MIN_SHARE = 0.01  # of the picture, below which there is nothing to fit


@dataclasses.dataclass(frozen=True)
class Field:
    """Velocities as a function of position, for pictures of any size.

    With x and y from 0 to 1 and d = |y - horizon|, the velocity is
    `coefficients[0] + (x - 1/2) coefficients[1] + d coefficients[2]`; below the horizon, where
    water reflects the sky, its vertical component has the opposite sign.

    Attributes:
      horizon: Height of the horizon: 0 is the top of the picture, 1 its bottom.
      coefficients: `[3, 2]`, to the right in widths and down in heights of the picture per frame.
    """

    horizon: float
    coefficients: np.ndarray

    def velocities(self, height: int, width: int) -> np.ndarray:
        """Evaluates the field at the centres of pixels.

        Returns:
          `[height, width, 2]` float32, pixels per frame, x to the right and y down.
        """
        x = (np.arange(width, dtype=np.float32) + 0.5) / width - 0.5
        y = (np.arange(height, dtype=np.float32) + 0.5) / height - self.horizon
        one, across, away = (np.float32(row) for row in self.coefficients)
        rows = one + np.abs(y)[:, None] * away
        field = rows[:, None] + x[None, :, None] * across
        field[y > 0, :, 1] *= -1
        return field * np.float32([width, height])

    def scaled(self, factor: float) -> Field:
        """Returns the field at another speed; a negative factor reverses it."""
        return dataclasses.replace(self, coefficients=self.coefficients * factor)

    def mirrored(self) -> Field:
        """Returns the field of the horizontally mirrored photo."""
        signs = np.array([[-1, 1], [1, -1], [-1, 1]])
        return dataclasses.replace(self, coefficients=self.coefficients * signs)


def prior_mean(horizon: float) -> Field:
    """Returns the mean motion of skies that drift to the right."""
    return Field(horizon, _MEAN.copy())


def fit(velocities: np.ndarray, weights: np.ndarray, horizon: float, confidence: float) -> Field:
    """Fits a field to measured velocities.

    Args:
      velocities: `[h, w, 2]`, pixels per frame: x to the right, y down.
      weights: `[h, w]`, weights of the velocities, at least 0.
      horizon: See `Field`.
      confidence: In [0, 1], the share of the clip's change that they explain. With 0 the result is
        `prior_mean`, with 1 it is as fast as the measured velocities.
    """
    height, width = weights.shape
    inside = np.zeros_like(weights, dtype=np.float64)
    across, down = width // _BORDER, height // _BORDER
    inside[down : height - down, across : width - across] = 1
    weights = inside * weights
    prior = prior_mean(horizon)
    if confidence <= 0 or np.count_nonzero(weights) < _MIN_SHARE * weights.size:
        return prior
    weights = weights.ravel() / weights.sum()
    expected = (prior.velocities(height, width) / (width, height)).reshape(-1, 2).astype(np.float64)
    measured = (velocities / (width, height)).reshape(-1, 2).astype(np.float64)
    speed = _median(np.hypot(*measured.T), weights)
    if speed == 0:
        return prior
    # A blurred clip moves too slowly: its speed counts as far as the confidence goes.
    measured *= (_median(np.hypot(*expected.T), weights) / speed) ** (1 - confidence)

    features, below = basis(height, width, horizon)
    measured[below, 1] *= -1
    precision = _WINDOWS * confidence / _ERROR**2
    coefficients, reliability = _MEAN, np.ones(len(weights))
    for _ in range(_ITERATIONS):
        weighted = features * (weights * reliability)[:, None]
        coefficients = np.stack(
            [
                np.linalg.solve(
                    precision * weighted.T @ features + np.diag(_STDDEV[:, axis] ** -2),
                    precision * weighted.T @ measured[:, axis]
                    + _MEAN[:, axis] / _STDDEV[:, axis] ** 2,
                )
                for axis in (0, 1)
            ],
            axis=-1,
        )
        errors = np.hypot(*(measured - features @ coefficients).T)
        reliability = 1 / (1 + (errors / (2 * _median(errors, weights) + 1e-6)) ** 2)
    return Field(horizon, coefficients)


def basis(height: int, width: int, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the terms of a field, `[height · width, 3]`, and what is below the horizon."""
    y, x = np.indices((height, width)).reshape(2, -1) + 0.5
    down = y / height - horizon
    return np.stack([np.ones_like(x), x / width - 0.5, np.abs(down)], axis=-1), down > 0


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    """Returns the weighted median; the weights sum to 1."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), 0.5)])
