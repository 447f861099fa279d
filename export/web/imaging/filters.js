// Filters that are separable into rows and columns, as OpenCV computes them.

import { insideBorder } from './border.js';
import { picture } from './picture.js';
import { roundToEven } from './rounding.js';

/**
 * @param {object} source Uint8Array or Float32Array; the result has its type
 * @param {number} sigmaX in pixels; 0 with a side: binomial weights
 * @param {number} sigmaY
 * @param {import('./border.js').Border} border
 * @param {number} side number of weights, odd; 0: as many as the sigmas need
 */
export function gaussianBlur(source, sigmaX, sigmaY = sigmaX, border = 'reflect101', side = 0) {
  const exact = source.data instanceof Float32Array;
  // OpenCV cuts off at 4 sigma, with 8 bits at 3.
  const sideOf = (sigma) => side || roundToEven(2 * (exact ? 4 : 3) * sigma + 1) | 1;
  const [across, down] = [sigmaX, sigmaY].map((sigma) => gaussian(sideOf(sigma), sigma));
  if (exact) return separable(source, across.map(Math.fround), down.map(Math.fround), border);
  // 8 bits are blurred with weights in 256ths: exactly, but for one rounding at the end.
  const sum = separable(source, in256ths(across), in256ths(down), border);
  const data = Uint8Array.from(sum.data, (value) => Math.floor(value / 65536 + 0.5));
  return picture(source.height, source.width, source.channels, data);
}

/** Means over squares of side × side pixels; of Float32Array. */
export function blur(source, side, border = 'reflect101') {
  const { height, width, channels } = source;
  const means = Float32Array.from(boxSums(source, side, border), (sum) => sum / (side * side));
  return picture(height, width, channels, means);
}

/** Sums over squares of side × side pixels, in double precision. */
export function boxSums({ height, width, channels, data }, side, border) {
  const length = width * channels;
  const rows = new Float64Array(height * length);
  const from = offsets(width, side >> 1, border, channels);
  for (let start = 0; start < rows.length; start += length) {
    for (let channel = 0; channel < channels; channel++) {
      const first = start + channel;
      let sum = 0;
      for (let i = 0; i < side; i++) sum += data[first + from[i]];
      rows[first] = sum;
      for (let x = 1; x < width; x++) {
        sum += data[first + from[x + side - 1]] - data[first + from[x - 1]];
        rows[first + x * channels] = sum;
      }
    }
  }
  const sums = new Float64Array(height * length);
  const rowOf = offsets(height, side >> 1, border, length);
  for (let x = 0; x < length; x++) for (let i = 0; i < side; i++) sums[x] += rows[rowOf[i] + x];
  for (let y = 1; y < height; y++) {
    const [added, removed, above] = [rowOf[y + side - 1], rowOf[y - 1], (y - 1) * length];
    for (let x = 0; x < length; x++) {
      sums[above + length + x] = sums[above + x] + (rows[added + x] - rows[removed + x]);
    }
  }
  return sums;
}

/** First derivatives with 3×3 weights, in float; either dx or dy is 1, the other 0. */
export function sobel(source, dx, dy, scale = 1) {
  const slope = [-1, 0, 1];
  const smooth = [scale, 2 * scale, scale];
  return separable(source, dx ? slope : smooth, dy ? slope : smooth, 'reflect101');
}

/** Filters rows by the weights `across`, then columns by `down`; returns float. */
function separable(source, across, down, border) {
  const { height, width, channels } = source;
  const length = width * channels;
  const rows = new Float32Array(height * length);
  const from = offsets(width, across.length >> 1, border, channels);
  const padded = new Float32Array((width + across.length - 1) * channels);
  for (let start = 0; start < rows.length; start += length) {
    for (let i = 0; i < from.length; i++) {
      for (let c = 0; c < channels; c++) padded[i * channels + c] = source.data[start + from[i] + c];
    }
    for (let x = 0; x < length; x++) {
      let sum = 0;
      for (let i = 0; i < across.length; i++) sum += across[i] * padded[x + i * channels];
      rows[start + x] = sum;
    }
  }
  const result = picture(height, width, channels);
  const rowOf = offsets(height, down.length >> 1, border, length);
  const sums = new Float64Array(length);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let i = 0; i < down.length; i++) {
      const start = rowOf[y + i];
      const weight = down[i];
      for (let x = 0; x < length; x++) sums[x] += weight * rows[start + x];
    }
    result.data.set(sums, y * length);
  }
  return result;
}

/** Where positions from -radius to size + radius - 1 are found, in steps of `step`. */
function offsets(size, radius, border, step) {
  return Int32Array.from({ length: size + 2 * radius }, (_, i) => step * insideBorder(i - radius, size, border));
}

function gaussian(side, sigma) {
  if (sigma <= 0) return BINOMIAL[side];
  const weights = Array.from({ length: side }, (_, i) => Math.exp(-((i - (side >> 1)) ** 2) / (2 * sigma ** 2)));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

const BINOMIAL = { 1: [1], 3: [0.25, 0.5, 0.25], 5: [0.0625, 0.25, 0.375, 0.25, 0.0625] };

/** Rounds weights to integers with the sum 256: what is rounded off is added to the next weight. */
function in256ths(weights) {
  const rounded = weights.slice();
  const centre = weights.length >> 1;
  let left = 0;
  let sum = 0;
  for (let i = 0; i < centre; i++) {
    const value = 256 * weights[i] + left;
    rounded[i] = rounded[weights.length - 1 - i] = roundToEven(value);
    left = value - rounded[i];
    sum += 2 * rounded[i];
  }
  rounded[centre] = 256 - sum;
  return rounded;
}
