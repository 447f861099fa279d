// Filters that are separable into rows and columns, as OpenCV computes them.

import { insideBorder } from './border.js';
import { picture } from './picture.js';
import { roundToEven } from './rounding.js';

/**
 * @param {object} source of Float32Array
 * @param {number} sigmaX in pixels; 0 with a side: binomial weights
 * @param {number} sigmaY
 * @param {import('./border.js').Border} border
 * @param {number} side number of weights, odd; 0: as many as the sigmas need
 */
export function gaussianBlur(source, sigmaX, sigmaY = sigmaX, border = 'reflect101', side = 0) {
  const sideOf = (sigma) => side || roundToEven(8 * sigma + 1) | 1; // OpenCV cuts off at 4 sigma
  const [across, down] = [sigmaX, sigmaY].map((sigma) => gaussian(sideOf(sigma), sigma).map(Math.fround));
  return separable(source, across, down, border);
}

/** Means over squares of side × side pixels; of Float32Array. */
export function blur(source, side, border = 'reflect101') {
  const { height, width, channels } = source;
  const result = picture(height, width, channels);
  const area = side * side;
  eachRowOfSums(source, side, border, (y, sums) => {
    for (let x = 0, to = y * sums.length; x < sums.length; x++, to++) result.data[to] = sums[x] / area;
  });
  return result;
}

/** Calls `receive(y, sums)` for each row of sums over squares of side × side pixels, in double precision. */
export function eachRowOfSums({ height, width, channels, data }, side, border, receive) {
  const length = width * channels;
  const radius = side >> 1;
  const from = offsets(width, radius, border, channels);
  const slots = Array.from({ length: side + 1 }, () => ({ y: -1, sums: new Float64Array(length) }));
  const rowSums = (y) => {
    const row = insideBorder(y, height, border);
    const slot = slots[row % slots.length]; // rows within a window have different slots
    if (slot.y !== row) {
      slot.y = row;
      sumRow(data, row * length, from, side, channels, slot.sums);
    }
    return slot.sums;
  };
  const sums = new Float64Array(length);
  for (let y = -radius; y <= radius; y++) add(sums, rowSums(y), 1);
  receive(0, sums);
  for (let y = 1; y < height; y++) {
    add(sums, rowSums(y + radius), 1);
    add(sums, rowSums(y - radius - 1), -1);
    receive(y, sums);
  }
}

function sumRow(data, start, from, side, channels, sums) {
  for (let channel = 0; channel < channels; channel++) {
    const first = start + channel;
    let sum = 0;
    for (let i = 0; i < side; i++) sum += data[first + from[i]];
    sums[channel] = sum;
    for (let x = 1, to = channels + channel; to < sums.length; x++, to += channels) {
      sum += data[first + from[x + side - 1]] - data[first + from[x - 1]];
      sums[to] = sum;
    }
  }
}

function add(sums, row, weight) {
  for (let x = 0; x < sums.length; x++) sums[x] += weight * row[x];
}

/** First derivatives with 3×3 weights, in float; either dx or dy is 1, the other 0. */
export function sobel(source, dx, dy, scale = 1) {
  const slope = [-1, 0, 1];
  const smooth = [scale, 2 * scale, scale];
  return separable(source, dx ? slope : smooth, dy ? slope : smooth, 'reflect101');
}

/** Filters rows by the weights `across`, then columns by `down`; returns float. */
function separable(source, across, down, border) {
  const { height, width, channels, data } = source;
  const length = width * channels;
  const result = picture(height, width, channels);
  const from = offsets(width, across.length >> 1, border, channels);
  const padded = new Float32Array(from.length * channels);
  const weights = Float64Array.from(across);
  // Filtered rows, as many as `down` spans: rows within a window have different slots.
  const slots = Array.from(down, () => ({ y: -1, row: new Float32Array(length) }));
  const rowAt = (y) => {
    const inside = insideBorder(y, height, border);
    const slot = slots[inside % slots.length];
    if (slot.y !== inside) {
      slot.y = inside;
      pad(data, inside * length, from, channels, padded);
      filterRow(padded, weights, channels, slot.row);
    }
    return slot.row;
  };
  const sums = new Float64Array(length);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let i = 0; i < down.length; i++) add(sums, rowAt(y + i - (down.length >> 1)), down[i]);
    result.data.set(sums, y * length);
  }
  return result;
}

function pad(data, start, from, channels, padded) {
  for (let i = 0, to = 0; i < from.length; i++) {
    for (let c = 0; c < channels; c++) padded[to++] = data[start + from[i] + c];
  }
}

function filterRow(padded, weights, channels, row) {
  for (let x = 0; x < row.length; x++) {
    let sum = 0;
    for (let i = 0, at = x; i < weights.length; i++, at += channels) sum += weights[i] * padded[at];
    row[x] = sum;
  }
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
