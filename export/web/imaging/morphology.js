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
  return filtered(source, shape, larger);
}

/** Returns the smallest value around each pixel. */
export function erode(source, shape) {
  return filtered(source, shape, smaller);
}

/** Removes bright parts that are smaller than the shape. */
export function open(source, shape) {
  return dilate(erode(source, shape), shape);
}

/** Fills dark parts that are smaller than the shape. */
export function close(source, shape) {
  return erode(dilate(source, shape), shape);
}

function filtered({ height, width, data }, shape, extend) {
  const rows = typeof shape === 'number' ? rectangle(shape) : shape;
  const middle = rows.length >> 1;
  const result = data.slice();
  let wide = data; // the extreme within `reach` to the left and right
  let reach = 0;
  for (const next of [...new Set(rows)].sort((a, b) => a - b)) {
    wide = spread(wide, 1, width, height, reach, next, extend);
    reach = next;
    // Rows of the shape with this reach: those around the middle if it is the largest one, else pairs above and below.
    const half = rows.filter((row) => row === reach).length >> 1;
    if (reach === rows[middle]) {
      const tall = spread(wide, width, height, 1, 0, half, extend);
      extend(result, 0, tall, 0, result.length);
      continue;
    }
    for (let row = 0; row < middle; row++) {
      const length = (height - (middle - row)) * width;
      if (rows[row] !== reach || length <= 0) continue;
      const offset = (middle - row) * width;
      extend(result, 0, wide, offset, length);
      extend(result, offset, wide, 0, length);
    }
  }
  return picture(height, width, 1, result);
}

/**
 * Widens windows from one reach to another, along rows or columns.
 *
 * Values lie in `lines` lines one after the other, of `count` units of `unit` values: the pixels of a row, or all rows as one
 * line. A window grows by the windows beside it, so the number of steps is the logarithm of its size.
 */
function spread(values, unit, count, lines, reach, wanted, extend) {
  let known = values;
  let next = values;
  while (reach < wanted) {
    const step = Math.min(wanted - reach, 2 * reach + 1); // windows that adjoin or overlap
    next = known.slice();
    const beyond = Math.min(step, count) * unit; // where a window beside would be outside, the one at the border counts
    for (let line = 0; line < lines; line++) {
      const start = line * count * unit;
      const end = start + count * unit;
      extend(next, start, known, start + beyond, end - start - beyond);
      extend(next, start + beyond, known, start, end - start - beyond);
      for (let at = 0; at < beyond; at += unit) {
        extend(next, start + at, known, start, unit);
        extend(next, end - unit - at, known, end - unit, unit);
      }
    }
    known = next;
    reach += step;
  }
  return next;
}

// Each of these sets `length` values of the target to the extreme of themselves and of values of the source. There are two,
// as a comparison given as a function would be called for each pixel.

function larger(target, to, source, from, length) {
  for (let i = 0; i < length; i++) if (source[from + i] > target[to + i]) target[to + i] = source[from + i];
}

function smaller(target, to, source, from, length) {
  for (let i = 0; i < length; i++) if (source[from + i] < target[to + i]) target[to + i] = source[from + i];
}
