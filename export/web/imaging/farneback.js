// Dense optical flow by expansion into polynomials (Farnebäck, 2003), with OpenCV's borders and pyramid.

import { eachRowOfSums, gaussianBlur } from './filters.js';
import { picture } from './picture.js';
import { resizeLinear } from './resize.js';
import { roundToEven } from './rounding.js';

const HALVINGS = 3; // at most, of the size
const MIN_SIDE = 32; // pixels, of the smallest size
const ITERATIONS = 3; // at each size
const RADIUS = 5; // pixels, of the neighbourhoods that polynomials are fitted to
const SIGMA = 1.2; // of the weights in them
const BORDER = [0.14, 0.14, 0.4472, 0.4472, 0.4472]; // confidence in the outermost pixels

/**
 * @param {object} now grey
 * @param {object} then grey, a later frame
 * @param {number} window side in pixels of the windows in which motion is assumed to be equal
 * @returns {object} picture of two channels: displacement of what is visible in `now`, right and down
 */
export function farneback(now, then, window) {
  let halvings = 0;
  while (halvings < HALVINGS && Math.min(now.height, now.width) / 2 ** (halvings + 1) >= MIN_SIDE) halvings++;
  let flow = null;
  for (; halvings >= 0; halvings--) {
    const factor = 2 ** halvings;
    const [height, width] = [roundToEven(now.height / factor), roundToEven(now.width / factor)];
    const [first, second] = [now, then].map((frame) => expansion(reduced(frame, factor, width, height)));
    flow = flow ? enlarged(flow, width, height) : picture(height, width, 2);
    for (let i = 0; i < ITERATIONS; i++) flow = solution(equations(first, second, flow), window);
  }
  return flow;
}

function reduced(frame, factor, width, height) {
  const sigma = (factor - 1) / 2;
  const side = Math.max(roundToEven(5 * sigma) | 1, 3);
  const values = picture(frame.height, frame.width, 1, new Float32Array(frame.data));
  return resizeLinear(gaussianBlur(values, sigma, sigma, 'reflect101', side), width, height);
}

function enlarged(flow, width, height) {
  const result = resizeLinear(flow, width, height);
  for (let i = 0; i < result.data.length; i++) result.data[i] *= 2;
  return result;
}

/** Returns the coefficients (y, x, y², x², xy) of a weighted quadratic fit around each pixel. */
function expansion({ height, width, data }) {
  const { weights, inverse } = weighting();
  const moments = new Float32Array(3 * (width + 2 * RADIUS)); // of columns: 1, y, y²; then replicated
  const result = picture(height, width, 5);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let constant = weights[0] * data[y * width + x];
      let slope = 0;
      let square = 0;
      for (let k = 1; k <= RADIUS; k++) {
        const above = data[Math.max(y - k, 0) * width + x];
        const below = data[Math.min(y + k, height - 1) * width + x];
        constant += weights[k] * (above + below);
        slope += weights[k] * k * (below - above);
        square += weights[k] * k * k * (above + below);
      }
      const target = 3 * (x + RADIUS);
      moments[target] = constant;
      moments[target + 1] = slope;
      moments[target + 2] = square;
    }
    const end = 3 * (width + RADIUS);
    for (let i = 1; i <= RADIUS; i++) {
      moments.copyWithin(3 * (RADIUS - i), 3 * RADIUS, 3 * RADIUS + 3);
      moments.copyWithin(end + 3 * (i - 1), end - 3, end);
    }
    for (let x = 0; x < width; x++) {
      const centre = 3 * (x + RADIUS);
      let constant = weights[0] * moments[centre];
      let ofY = weights[0] * moments[centre + 1];
      let ofYY = weights[0] * moments[centre + 2];
      let ofX = 0;
      let ofXX = 0;
      let ofXY = 0;
      for (let k = 1; k <= RADIUS; k++) {
        const left = centre - 3 * k;
        const right = centre + 3 * k;
        const both = moments[left] + moments[right];
        constant += weights[k] * both;
        ofXX += weights[k] * k * k * both;
        ofX += weights[k] * k * (moments[right] - moments[left]);
        ofY += weights[k] * (moments[left + 1] + moments[right + 1]);
        ofXY += weights[k] * k * (moments[right + 1] - moments[left + 1]);
        ofYY += weights[k] * (moments[left + 2] + moments[right + 2]);
      }
      const target = 5 * (y * width + x);
      result.data[target] = ofY * inverse.linear;
      result.data[target + 1] = ofX * inverse.linear;
      result.data[target + 2] = constant * inverse.mixed + ofYY * inverse.square;
      result.data[target + 3] = constant * inverse.mixed + ofXX * inverse.square;
      result.data[target + 4] = ofXY * inverse.product;
    }
  }
  return result;
}

/** Returns the weights by distance, and the entries of the inverse of the normal equations that are needed. */
function weighting() {
  const offsets = Array.from({ length: 2 * RADIUS + 1 }, (_, i) => i - RADIUS);
  const gaussian = offsets.map((offset) => Math.exp(-(offset ** 2) / (2 * SIGMA ** 2)));
  const total = gaussian.reduce((a, b) => a + b);
  const weights = Float32Array.from(gaussian, (weight) => weight / total);
  const [one, second, fourth] = [0, 2, 4].map((power) =>
    offsets.reduce((sum, offset, i) => sum + weights[i] * offset ** power, 0),
  );
  // The equations of 1, x² and y² separate into those of their sum and of their difference.
  const sum = one * fourth + second ** 2 - 2 * second ** 2;
  const difference = one * fourth - second ** 2;
  const inverse = {
    linear: 1 / (one * second),
    mixed: -second / (one * sum),
    square: 0.5 / sum + 0.5 / difference,
    product: 1 / second ** 2,
  };
  return { weights: weights.slice(RADIUS), inverse };
}

/** Returns the terms of the equations for the displacement of each pixel: matrix (yy, xy, xx), right side (y, x). */
function equations(first, second, flow) {
  const { height, width } = flow;
  const result = picture(height, width, 5);
  const terms = new Float64Array(5);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const pixel = y * width + x;
      const own = 5 * pixel;
      const right = flow.data[2 * pixel];
      const down = flow.data[2 * pixel + 1];
      const column = Math.fround(x + right);
      const row = Math.fround(y + down);
      const left = Math.floor(column);
      const top = Math.floor(row);
      if (left >= 0 && top >= 0 && left < width - 1 && top < height - 1) {
        const across = column - left;
        const along = row - top;
        const other = 5 * (top * width + left);
        const below = other + 5 * width;
        for (let i = 0; i < 5; i++) {
          terms[i] =
            (1 - along) * ((1 - across) * second.data[other + i] + across * second.data[other + 5 + i]) +
            along * ((1 - across) * second.data[below + i] + across * second.data[below + 5 + i]);
        }
        for (let i = 2; i < 5; i++) terms[i] = (first.data[own + i] + terms[i]) / 2;
      } else {
        terms.fill(0, 0, 2);
        for (let i = 2; i < 5; i++) terms[i] = first.data[own + i];
      }
      const confidence = confidenceAt(x, width) * confidenceAt(y, height);
      const yy = terms[2] * confidence;
      const xx = terms[3] * confidence;
      const xy = (terms[4] / 2) * confidence;
      const ofY = ((first.data[own] - terms[0]) / 2) * confidence + yy * down + xy * right;
      const ofX = ((first.data[own + 1] - terms[1]) / 2) * confidence + xy * down + xx * right;
      result.data[own] = yy * yy + xy * xy;
      result.data[own + 1] = (yy + xx) * xy;
      result.data[own + 2] = xx * xx + xy * xy;
      result.data[own + 3] = yy * ofY + xy * ofX;
      result.data[own + 4] = xy * ofY + xx * ofX;
    }
  }
  return result;
}

function confidenceAt(position, size) {
  const end = size - 1 - position;
  return (position < BORDER.length ? BORDER[position] : 1) * (end < BORDER.length ? BORDER[end] : 1);
}

/** Solves the equations, averaged over windows. */
function solution(terms, window) {
  const { height, width } = terms;
  const area = window ** 2;
  const flow = picture(height, width, 2);
  eachRowOfSums(terms, window, 'replicate', (y, sums) => {
    for (let x = 0, to = 2 * y * width; x < width; x++, to += 2) {
      const yy = sums[5 * x] / area;
      const xy = sums[5 * x + 1] / area;
      const xx = sums[5 * x + 2] / area;
      const ofY = sums[5 * x + 3] / area;
      const ofX = sums[5 * x + 4] / area;
      const determinant = yy * xx - xy * xy + 1e-3;
      flow.data[to] = (yy * ofX - xy * ofY) / determinant;
      flow.data[to + 1] = (xx * ofY - xy * ofX) / determinant;
    }
  });
  return flow;
}
