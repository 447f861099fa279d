// Conversions of colours as cv2.cvtColor does them.

import { picture } from './picture.js';

/** Converts bytes to grey (cv2.COLOR_RGB2GRAY), in fixed point. */
export function rgbToGray({ height, width, data }) {
  const grey = new Uint8Array(height * width);
  for (let i = 0, from = 0; i < grey.length; i++, from += 3) {
    grey[i] = (9798 * data[from] + 19235 * data[from + 1] + 3735 * data[from + 2] + 16384) >> 15;
  }
  return picture(height, width, 1, grey);
}

const BITS = 14; // of colours in fixed point
const ONE = 1 << BITS;
const CELLS = 32; // along each side of the table of colours
const NODES = CELLS + 1;
const STEPS = 16; // within a cell
// From linear sRGB to XYZ, relative to the white point D65.
const TO_XYZ = [
  [0.412453 / 0.950456, 0.35758 / 0.950456, 0.180423 / 0.950456],
  [0.212671, 0.71516, 0.072169],
  [0.019334 / 1.088754, 0.119193 / 1.088754, 0.950227 / 1.088754],
];

/**
 * Converts sRGB in [0, 1] to CIE L*a*b* (cv2.COLOR_RGB2LAB).
 *
 * cv2 interpolates floats, too, in a table of 33×33×33 colours in fixed point. This does the same, so that both agree
 * to the last bit, not to the two units by which the table differs from the formula.
 */
export function rgbToLab({ height, width, data }) {
  const table = labTable();
  const lab = new Float32Array(data.length);
  const cube = NODES * NODES * 3;
  for (let i = 0; i < data.length; i += 3) {
    const red = fixed(data[i]);
    const green = fixed(data[i + 1]);
    const blue = fixed(data[i + 2]);
    const base = (red >> 9) * cube + (green >> 9) * NODES * 3 + (blue >> 9) * 3;
    const x = (red >> 5) % STEPS;
    const y = (green >> 5) % STEPS;
    const z = (blue >> 5) % STEPS;
    for (let c = 0; c < 3; c++) {
      let sum = STEPS ** 3 / 2;
      for (let corner = 0; corner < 8; corner++) {
        // A corner beyond the table has no weight.
        const weight =
          (corner & 1 ? x : STEPS - x) * (corner & 2 ? y : STEPS - y) * (corner & 4 ? z : STEPS - z);
        if (!weight) continue;
        const at = base + (corner & 1 ? cube : 0) + (corner & 2 ? NODES * 3 : 0) + (corner & 4 ? 3 : 0) + c;
        sum += weight * table[at];
      }
      const value = (sum >> 12) / ONE;
      lab[i + c] = c ? value * 256 - 128 : value * 100;
    }
  }
  return picture(height, width, 3, lab);
}

function fixed(value) {
  return Math.round(Math.min(Math.max(value, 0), 1) * ONE);
}

let cachedTable;

function labTable() {
  if (cachedTable) return cachedTable;
  cachedTable = new Int16Array(NODES ** 3 * 3);
  const linear = Array.from({ length: NODES }, (_, i) => linearized(i / CELLS));
  let to = 0;
  for (const red of linear) {
    for (const green of linear) {
      for (const blue of linear) {
        const [x, y, z] = TO_XYZ.map((row) => row[0] * red + row[1] * green + row[2] * blue);
        const [a, b, c] = [root(x), root(y), root(z)];
        const lightness = y > 0.008856 ? 116 * b - 16 : 903.3 * y;
        cachedTable[to++] = Math.round((lightness / 100) * ONE);
        cachedTable[to++] = Math.round(((500 * (a - b) + 128) / 256) * ONE);
        cachedTable[to++] = Math.round(((200 * (b - c) + 128) / 256) * ONE);
      }
    }
  }
  return cachedTable;
}

function linearized(value) {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function root(value) {
  return value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116;
}
