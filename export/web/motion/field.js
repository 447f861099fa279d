// The motion of a sky as a field with few parameters, fitted robustly to noisy velocities.
//
// ssagan_tf/motion/field.py explains the model, its prior and where these numbers come from.

import { picture } from '../imaging/picture.js';
import { weightedMedian } from '../imaging/statistics.js';

// Coefficients (constant, x, distance from the horizon) of the velocity (x, y), in widths and
// heights per frame.
const MEAN = [[0.0067, 0.0], [0.0, 0.0032], [0.0123, 0.0]];
const STDDEV = [[0.002, 0.0013], [0.0035, 0.0024], [0.0056, 0.0062]];
const BORDER = 16; // one part in 16 of each side is distorted by padding
const WINDOWS = 34; // independent velocities in a clip
const ERROR = 0.002; // standard deviation of one of them, in widths per frame
const ITERATIONS = 10;
const MIN_SHARE = 0.01; // of the picture, below which there is nothing to fit

/**
 * Velocities as a function of position: with x and y from 0 to 1 and d = |y - horizon|,
 * `coefficients[0] + (x - 1/2) coefficients[1] + d coefficients[2]`; below the horizon, their
 * vertical component has the opposite sign. A plain object, so that it can be posted to a worker.
 *
 * @typedef {{horizon: number, coefficients: number[][]}} Field
 */

/**
 * Evaluates a field at the centres of pixels.
 *
 * @param {Field} field
 * @returns {object} picture of two channels: pixels per frame, right and down
 */
export function velocities(field, height, width) {
  const { fround } = Math;
  const result = picture(height, width, 2);
  const [one, across, away] = field.coefficients.map((row) => row.map(fround));
  const horizon = fround(field.horizon);
  const size = [width, height];
  for (let row = 0, i = 0; row < height; row++) {
    const y = fround(fround((row + 0.5) / height) - horizon);
    for (let column = 0; column < width; column++) {
      const x = fround(fround((column + 0.5) / width) - 0.5);
      for (let axis = 0; axis < 2; axis++) {
        const rest = fround(one[axis] + fround(Math.abs(y) * away[axis]));
        const velocity = fround(rest + fround(x * across[axis]));
        result.data[i++] = (axis === 1 && y > 0 ? -velocity : velocity) * size[axis];
      }
    }
  }
  return result;
}

/** Returns a field at another speed; a negative factor reverses it. */
export function scaled({ horizon, coefficients }, factor) {
  return { horizon, coefficients: coefficients.map((row) => row.map((value) => value * factor)) };
}

/** Returns the field of the horizontally mirrored photo. */
export function mirrored({ horizon, coefficients: [one, across, away] }) {
  return { horizon, coefficients: [[-one[0], one[1]], [across[0], -across[1]], [-away[0], away[1]]] };
}

/** Returns the mean motion of skies that drift to the right. */
export function priorMean(horizon) {
  return { horizon, coefficients: MEAN.map((row) => [...row]) };
}

/**
 * Fits a field to measured velocities.
 *
 * @param {object} flow picture of two channels: pixels per frame, right and down
 * @param {object} weights picture of one channel, at least 0
 * @param {number} horizon from 0, the top, to 1, the bottom
 * @param {number} confidence from 0, for the prior mean, to 1: as fast as the measured velocities
 * @returns {Field}
 */
export function fit(flow, weights, horizon, confidence) {
  const { height, width } = weights;
  const inside = new Float64Array(weights.data);
  const [across, down] = [Math.floor(width / BORDER), Math.floor(height / BORDER)];
  let [sum, number] = [0, 0];
  for (let i = 0; i < inside.length; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    if (x < across || x >= width - across || y < down || y >= height - down) inside[i] = 0;
    sum += inside[i];
    if (inside[i] !== 0) number++;
  }
  const prior = priorMean(horizon);
  if (confidence <= 0 || number < MIN_SHARE * inside.length) return prior;
  const shares = inside.map((weight) => weight / sum);
  const size = [width, height];
  const inSizes = (values) => new Float64Array(values).map((value, i) => value / size[i % 2]);
  const expected = inSizes(velocities(prior, height, width).data);
  const measured = inSizes(flow.data);
  const speed = weightedMedian(lengths(measured), shares);
  if (speed === 0) return prior;
  const { features, below } = basis(height, width, horizon);
  // A blurred clip moves too slowly: its speed counts as far as the confidence goes.
  const faster = (weightedMedian(lengths(expected), shares) / speed) ** (1 - confidence);
  for (let i = 0; i < measured.length; i++) measured[i] *= i % 2 === 1 && below[i >> 1] ? -faster : faster;

  const precision = (WINDOWS * confidence) / ERROR ** 2;
  const reliability = new Float64Array(shares.length).fill(1);
  const errors = new Float64Array(measured.length);
  let coefficients;
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    coefficients = posteriorMean(features, measured, shares, reliability, precision);
    for (let i = 0; i < errors.length; i++) {
      const first = 3 * (i >> 1);
      let fitted = 0;
      for (let term = 0; term < 3; term++) fitted += features[first + term] * coefficients[term][i % 2];
      errors[i] = measured[i] - fitted;
    }
    const distances = lengths(errors);
    const typical = 2 * weightedMedian(distances, shares) + 1e-6;
    for (let i = 0; i < reliability.length; i++) reliability[i] = 1 / (1 + (distances[i] / typical) ** 2);
  }
  return { horizon, coefficients };
}

/** Returns the terms of a field, three for each pixel, and which pixels are below the horizon. */
export function basis(height, width, horizon) {
  const features = new Float64Array(3 * height * width);
  const below = new Uint8Array(height * width);
  for (let i = 0; i < below.length; i++) {
    const down = (Math.floor(i / width) + 0.5) / height - horizon;
    features.set([1, ((i % width) + 0.5) / width - 0.5, Math.abs(down)], 3 * i);
    below[i] = down > 0 ? 1 : 0;
  }
  return { features, below };
}

/** Solves the regularized normal equations for both axes; returns rows of [x, y]. */
function posteriorMean(features, measured, shares, reliability, precision) {
  const matrix = new Float64Array(9);
  const right = [new Float64Array(3), new Float64Array(3)];
  for (let i = 0; i < shares.length; i++) {
    const weight = precision * shares[i] * reliability[i];
    if (weight === 0) continue;
    for (let a = 0; a < 3; a++) {
      const weighted = weight * features[3 * i + a];
      for (let b = 0; b < 3; b++) matrix[3 * a + b] += weighted * features[3 * i + b];
      for (let axis = 0; axis < 2; axis++) right[axis][a] += weighted * measured[2 * i + axis];
    }
  }
  const columns = [0, 1].map((axis) => {
    const regularized = matrix.slice();
    for (let a = 0; a < 3; a++) {
      regularized[4 * a] += STDDEV[a][axis] ** -2;
      right[axis][a] += MEAN[a][axis] / STDDEV[a][axis] ** 2;
    }
    return solve(regularized, right[axis]);
  });
  return [0, 1, 2].map((term) => [columns[0][term], columns[1][term]]);
}

/** Solves three equations with a positive definite matrix by elimination. */
function solve(matrix, right) {
  for (let pivot = 0; pivot < 3; pivot++) {
    for (let row = pivot + 1; row < 3; row++) {
      const factor = matrix[3 * row + pivot] / matrix[4 * pivot];
      for (let column = pivot; column < 3; column++) matrix[3 * row + column] -= factor * matrix[3 * pivot + column];
      right[row] -= factor * right[pivot];
    }
  }
  for (let row = 2; row >= 0; row--) {
    for (let column = row + 1; column < 3; column++) right[row] -= matrix[3 * row + column] * right[column];
    right[row] /= matrix[4 * row];
  }
  return right;
}

function lengths(vectors) {
  return new Float64Array(vectors.length / 2).map((_, i) => Math.hypot(vectors[2 * i], vectors[2 * i + 1]));
}
