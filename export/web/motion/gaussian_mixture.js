// Mixtures of Gaussians of colours and heights, fitted to weighted pixels (`_log_density` of
// ssagan_tf/motion/sky_segmentation.py).

const { fround } = Math;

const COMPONENTS = 3;
const ITERATIONS = 4;
const SIZE = 4; // features of a pixel: L*, a*, b* and height
const FLOOR = [16, 4, 4, 0.01]; // added to their variances

/**
 * Returns a function that fits a mixture to pixels of given weights and returns its log-density at each pixel.
 *
 * Expectation maximisation on every other row and column. It starts from groups of equal weight ordered by lightness, so
 * the result is deterministic.
 *
 * @param {Float64Array} features SIZE values for each pixel
 * @returns {(weights: Float32Array) => Float64Array}
 */
export function mixture(features, height, width) {
  const some = everyOther(height, width);
  const samples = new Float64Array(SIZE * some.length);
  for (let i = 0; i < samples.length; i++) samples[i] = features[SIZE * some[i >> 2] + (i & 3)];
  const order = Uint32Array.from(some, (_, i) => i).sort((a, b) => samples[SIZE * a] - samples[SIZE * b] || a - b);
  const totals = new Float64Array(some.length);
  return (weights) => {
    const given = new Float32Array(some.length);
    for (let i = 0; i < given.length; i++) given[i] = weights[some[i]] + fround(1e-6);
    const parts = groups(order, given);
    for (let round = 0; round < ITERATIONS; round++) {
      const logs = evaluate(samples, parts.map((part) => gaussian(samples, part)), totals);
      for (let k = 0; k < COMPONENTS; k++) {
        for (let i = 0; i < given.length; i++) parts[k][i] = given[i] * Math.exp(logs[k][i] - totals[i]);
      }
    }
    const result = new Float64Array(height * width);
    evaluate(features, parts.map((part) => gaussian(samples, part)), result);
    return result;
  };
}

function everyOther(height, width) {
  const pixels = [];
  for (let y = 0; y < height; y += 2) for (let x = 0; x < width; x += 2) pixels.push(y * width + x);
  return pixels;
}

/** Returns the weight of each sample in each of the groups from dark to light. */
function groups(order, given) {
  const total = fround(given.reduce((a, b) => a + b, 0));
  const parts = Array.from({ length: COMPONENTS }, () => new Float64Array(given.length));
  let sum = 0;
  for (const pixel of order) {
    sum = fround(sum + given[pixel]);
    const group = Math.floor(Math.min(fround(fround(sum / total) * COMPONENTS), COMPONENTS - 1));
    parts[group][pixel] = given[pixel];
  }
  return parts;
}

/** Returns a weighted Gaussian: its mean, the inverse of the Cholesky factor of its covariance, and a constant. */
function gaussian(samples, weights) {
  let total = 1e-9;
  const mean = new Float64Array(SIZE);
  for (let i = 0, at = 0; i < weights.length; i++, at += SIZE) {
    const weight = weights[i];
    total += weight;
    for (let k = 0; k < SIZE; k++) mean[k] += weight * samples[at + k];
  }
  for (let k = 0; k < SIZE; k++) mean[k] /= total;
  const covariance = new Float64Array(SIZE * SIZE); // its lower triangle
  for (let i = 0, at = 0; i < weights.length; i++, at += SIZE) {
    const weight = weights[i];
    if (weight === 0) continue;
    for (let row = 0; row < SIZE; row++) {
      const offset = weight * (samples[at + row] - mean[row]);
      for (let column = 0; column <= row; column++) {
        covariance[SIZE * row + column] += offset * (samples[at + column] - mean[column]);
      }
    }
  }
  for (let i = 0; i < covariance.length; i++) covariance[i] /= total;
  for (let k = 0; k < SIZE; k++) covariance[SIZE * k + k] += FLOOR[k];
  const factor = cholesky(covariance);
  let logDeterminant = 0;
  for (let k = 0; k < SIZE; k++) logDeterminant += 2 * Math.log(factor[SIZE * k + k]);
  return { mean, whitening: inverseOfTriangle(factor), constant: Math.log(total) - 0.5 * logDeterminant };
}

/** Returns the lower triangle L of a positive definite matrix L Lᵀ. */
function cholesky(matrix) {
  const factor = new Float64Array(matrix.length);
  for (let row = 0; row < SIZE; row++) {
    for (let column = 0; column <= row; column++) {
      let rest = matrix[SIZE * row + column];
      for (let k = 0; k < column; k++) rest -= factor[SIZE * row + k] * factor[SIZE * column + k];
      factor[SIZE * row + column] = row === column ? Math.sqrt(rest) : rest / factor[SIZE * column + column];
    }
  }
  return factor;
}

function inverseOfTriangle(factor) {
  const inverse = new Float64Array(factor.length);
  for (let column = 0; column < SIZE; column++) {
    for (let row = column; row < SIZE; row++) {
      let rest = row === column ? 1 : 0;
      for (let k = column; k < row; k++) rest -= factor[SIZE * row + k] * inverse[SIZE * k + column];
      inverse[SIZE * row + column] = rest / factor[SIZE * row + row];
    }
  }
  return inverse;
}

/** Returns the logs of weight times density of each Gaussian; sets `totals` to the logs of their sums. */
function evaluate(features, gaussians, totals) {
  const logs = gaussians.map(({ mean, whitening: w, constant }) => {
    const values = new Float64Array(totals.length);
    for (let i = 0, at = 0; i < values.length; i++, at += SIZE) {
      const a = features[at] - mean[0];
      const b = features[at + 1] - mean[1];
      const c = features[at + 2] - mean[2];
      const d = features[at + 3] - mean[3];
      const first = w[0] * a;
      const second = w[4] * a + w[5] * b;
      const third = w[8] * a + w[9] * b + w[10] * c;
      const fourth = w[12] * a + w[13] * b + w[14] * c + w[15] * d;
      values[i] = constant - 0.5 * (first * first + second * second + third * third + fourth * fourth);
    }
    return values;
  });
  const [x, y, z] = logs;
  for (let i = 0; i < totals.length; i++) {
    const most = Math.max(x[i], y[i], z[i]);
    totals[i] = most + Math.log(Math.exp(x[i] - most) + Math.exp(y[i] - most) + Math.exp(z[i] - most));
  }
  return logs;
}
