// Pictures sampled at any positions, as OpenCV 5 does: without rounding the positions.

import { insideBorder } from './border.js';
import { picture } from './picture.js';
import { roundToEven } from './rounding.js';

/**
 * @param {object} source Uint8Array or Float32Array; the result has its type
 * @param {object} xs picture of one channel: in which column of the source each value is found
 * @param {object} ys in which row
 * @param {'linear'|'cubic'} interpolation
 * @param {import('./border.js').Border} border
 */
export function remap(source, xs, ys, interpolation, border = 'reflect') {
  const { height, width, channels, data } = source;
  const weigh = interpolation === 'cubic' ? cubicWeights : linearWeights;
  const taps = interpolation === 'cubic' ? 4 : 2;
  const [across, down] = [new Float64Array(taps), new Float64Array(taps)];
  const [columns, rows] = [new Int32Array(taps), new Int32Array(taps)];
  const result = picture(xs.height, xs.width, channels, new data.constructor(xs.data.length * channels));
  const round = data instanceof Float32Array ? (value) => value : (value) => roundToEven(Math.min(Math.max(value, 0), 255));
  for (let i = 0; i < xs.data.length; i++) {
    const [x, y] = [Math.floor(xs.data[i]), Math.floor(ys.data[i])];
    weigh(xs.data[i] - x, across);
    weigh(ys.data[i] - y, down);
    for (let k = 0; k < taps; k++) {
      columns[k] = channels * insideBorder(x + k + 1 - taps / 2, width, border);
      rows[k] = width * channels * insideBorder(y + k + 1 - taps / 2, height, border);
    }
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0;
      for (let j = 0; j < taps; j++) {
        let row = 0;
        for (let k = 0; k < taps; k++) row += across[k] * data[rows[j] + columns[k] + channel];
        sum += down[j] * row;
      }
      result.data[i * channels + channel] = round(sum);
    }
  }
  return result;
}

function linearWeights(fraction, weights) {
  weights[0] = 1 - fraction;
  weights[1] = fraction;
}

const SHARPNESS = -0.75; // slope of the cubic kernel at distance 1, as in OpenCV

function cubicWeights(fraction, weights) {
  weights[0] = outer(1 + fraction);
  weights[1] = inner(fraction);
  weights[2] = inner(1 - fraction);
  weights[3] = 1 - weights[0] - weights[1] - weights[2];
}

const inner = (t) => ((SHARPNESS + 2) * t - (SHARPNESS + 3)) * t * t + 1;
const outer = (t) => ((SHARPNESS * t - 5 * SHARPNESS) * t + 8 * SHARPNESS) * t - 4 * SHARPNESS;
