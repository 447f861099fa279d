// Dilation and erosion as cv2 does them: pixels outside the picture do not count.

import { picture } from './picture.js';

/** Returns the rows of a rectangle, each as its reach to the left and right of the centre; odd sides. */
export function rectangle(width, height = width) {
  return new Int32Array(height).fill(width >> 1);
}

/** Returns the rows of an ellipse (cv2.MORPH_ELLIPSE) in a square of an odd side. */
export function ellipse(side) {
  const radius = side >> 1;
  return Int32Array.from({ length: side }, (_, row) =>
    Math.round(radius * Math.sqrt(1 - ((row - radius) / Math.max(radius, 1)) ** 2)),
  );
}

/**
 * Returns the largest value around each pixel.
 *
 * @param {{height: number, width: number, data: Uint8Array|Float32Array}} source of one channel
 * @param {number|Int32Array} shape the side of a square, or rows from `rectangle` or `ellipse`
 */
export function dilate(source, shape) {
  return filtered(source, shape, true);
}

/** Returns the smallest value around each pixel. */
export function erode(source, shape) {
  return filtered(source, shape, false);
}

/** Removes bright parts that are smaller than the shape. */
export function open(source, shape) {
  return dilate(erode(source, shape), shape);
}

/** Fills dark parts that are smaller than the shape. */
export function close(source, shape) {
  return erode(dilate(source, shape), shape);
}

/**
 * Erodes, or dilates by eroding the negative.
 *
 * Around the picture there is a margin that no minimum is taken from, so that each step is one loop over all values.
 */
function filtered({ height, width, data }, shape, negative) {
  const rows = typeof shape === 'number' ? rectangle(shape) : shape;
  const above = rows.length >> 1;
  const widest = rows[above];
  const stride = width + 2 * widest;
  const isByte = data instanceof Uint8Array;
  const nothing = isByte ? 255 : Infinity;
  const wide = new data.constructor((height + 2 * above) * stride).fill(nothing);
  const origin = above * stride + widest;
  const values = negative ? negated(data) : data;
  for (let y = 0; y < height; y++) wide.set(values.subarray(y * width, (y + 1) * width), origin + y * stride);
  const last = origin + (height - 1) * stride + width;
  const reaches = [...new Set(rows)].sort((a, b) => a - b);
  const least = reaches.length > 1 ? new data.constructor(last).fill(nothing) : null;
  let length = 1; // of the windows: each value becomes the minimum of those from there to the right, then down
  const widen = (wanted, unit) => {
    while (length < wanted) {
      const step = Math.min(length, wanted - length);
      toMinimum(wide, step * unit);
      length += step;
    }
  };
  for (const reach of reaches) {
    widen(2 * reach + 1, 1);
    if (reach === widest) break;
    for (let row = 0; row < above; row++) {
      const offset = (above - row) * stride;
      if (rows[row] === reach) takeMinimum(least, origin, last, wide, -reach - offset, -reach + offset);
    }
  }
  // The widest rows are those around the middle.
  const tall = rows.filter((reach) => reach === widest).length;
  length = 1;
  widen(tall, stride);
  const shift = -widest - (tall >> 1) * stride;
  if (least !== null) takeMinimum(least, origin, last, wide, shift, shift);
  const minima = least === null ? wide : least;
  const first = least === null ? origin + shift : origin;
  const result = new data.constructor(height * width);
  for (let y = 0; y < height; y++) {
    const start = first + y * stride;
    result.set(minima.subarray(start, start + width), y * width);
  }
  return picture(height, width, 1, negative ? negated(result) : result);
}

// The loops below are written twice, as engines make faster code of a loop over one type: for bytes without branches, which
// noise makes unpredictable (`difference >> 31` is all ones if the difference is negative), and for floats.

function negated(values) {
  const result = new values.constructor(values.length);
  if (values instanceof Uint8Array) for (let i = 0; i < values.length; i++) result[i] = 255 - values[i];
  else for (let i = 0; i < values.length; i++) result[i] = -values[i];
  return result;
}

/** Sets each value to the minimum of itself and the value at a distance after it. */
function toMinimum(values, distance) {
  const end = values.length - distance;
  if (values instanceof Uint8Array) {
    for (let i = 0; i < end; i++) {
      const other = values[i + distance];
      const difference = values[i] - other;
      values[i] = other + (difference & (difference >> 31));
    }
  } else {
    for (let i = 0; i < end; i++) if (values[i + distance] < values[i]) values[i] = values[i + distance];
  }
}

/** Sets values from `start` to `end` to the minimum of themselves and the values at two distances from them in a source. */
function takeMinimum(target, start, end, source, first, second) {
  if (target instanceof Uint8Array) {
    for (let i = start; i < end; i++) {
      const other = source[i + second];
      const fromOther = source[i + first] - other;
      const least = other + (fromOther & (fromOther >> 31));
      const difference = target[i] - least;
      target[i] = least + (difference & (difference >> 31));
    }
  } else {
    for (let i = start; i < end; i++) {
      if (source[i + first] < target[i]) target[i] = source[i + first];
      if (source[i + second] < target[i]) target[i] = source[i + second];
    }
  }
}
