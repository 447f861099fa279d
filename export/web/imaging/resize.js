// Resizing as cv2.resize does it, bit for bit but for the last bit of sums of floats.

import { picture } from './picture.js';
import { roundToEven } from './rounding.js';

/**
 * Resizes by means over areas (cv2.INTER_AREA). A picture of floats may also grow: it is interpolated then.
 *
 * @param {{height: number, width: number, channels: number, data: Uint8Array|Float32Array}} source
 */
export function resizeArea(source, width, height) {
  const across = source.width / width;
  const down = source.height / height;
  if (across < 1 || down < 1) {
    const columns = areaPositions(source.width, width);
    const rows = areaPositions(source.height, height);
    return interpolate(source, columns, rows, width, height);
  }
  return across === 1 && down === 1 ? copy(source) : meanOfAreas(source, width, height);
}

/** Resizes a picture of floats by bilinear interpolation (cv2.INTER_LINEAR). */
export function resizeLinear(source, width, height) {
  if (source.width === width && source.height === height) return copy(source);
  if (source.width === 2 * width && source.height === 2 * height) return resizeArea(source, width, height);
  const columns = linearPositions(source.width, width);
  const rows = linearPositions(source.height, height);
  return interpolate(source, columns, rows, width, height);
}

function copy(source) {
  return picture(source.height, source.width, source.channels, source.data.slice());
}

/** The source pixels that each target pixel covers, with their shares. */
function coverage(source, target) {
  const scale = source / target;
  const first = new Int32Array(target + 1);
  const indices = [];
  const shares = [];
  for (let i = 0; i < target; i++) {
    const start = i * scale;
    const end = start + scale;
    const cell = Math.min(scale, source - start);
    const whole = Math.min(Math.ceil(start), source - 1);
    const last = Math.max(Math.min(Math.floor(end), source - 1), whole);
    const from = Math.min(whole, last);
    if (from - start > 1e-3) add(from - 1, (from - start) / cell);
    for (let k = from; k < last; k++) add(k, 1 / cell);
    if (end - last > 1e-3) add(last, Math.min(Math.min(end - last, 1), cell) / cell);
    first[i + 1] = indices.length;
  }
  return { first, indices: Int32Array.from(indices), shares: Float32Array.from(shares) };

  function add(index, share) {
    indices.push(index);
    shares.push(share);
  }
}

function meanOfAreas(source, width, height) {
  const { channels, data } = source;
  const result = picture(height, width, channels, new data.constructor(height * width * channels));
  const target = result.data;
  const isByte = data instanceof Uint8Array;
  // Whole blocks are summed first, exactly for bytes, and then divided.
  const [across, down] = [source.width / width, source.height / height];
  const inBlocks = Number.isInteger(across) && Number.isInteger(down);
  const columns = inBlocks ? blocks(across, width) : coverage(source.width, width);
  const rows = inBlocks ? blocks(down, height) : coverage(source.height, height);
  const scale = inBlocks ? Math.fround(1 / (across * down)) : 1;
  const halvesUp = inBlocks && across === 2 && down === 2;
  const round = halvesUp ? (value) => Math.floor(value + 0.5) : roundToEven;
  const stride = source.width * channels;
  const length = width * channels;
  const row = new Float32Array(length);
  const sums = new Float32Array(length);
  let known = -1; // neighbouring targets share a row
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let k = rows.first[y]; k < rows.first[y + 1]; k++) {
      if (rows.indices[k] !== known) {
        known = rows.indices[k];
        reduceRow(data, known * stride, columns, channels, row);
      }
      const share = rows.shares[k];
      for (let i = 0; i < length; i++) sums[i] += Math.fround(share * row[i]);
    }
    const start = y * length;
    if (isByte) for (let i = 0; i < length; i++) target[start + i] = round(Math.fround(sums[i] * scale));
    else for (let i = 0; i < length; i++) target[start + i] = sums[i] * scale;
  }
  return result;
}

/** Like `coverage`, for blocks of whole pixels, but each with a share of 1. */
function blocks(scale, target) {
  return {
    first: Int32Array.from({ length: target + 1 }, (_, i) => i * scale),
    indices: Int32Array.from({ length: target * scale }, (_, i) => i),
    shares: new Float32Array(target * scale).fill(1),
  };
}

function reduceRow(data, start, { first, indices, shares }, channels, row) {
  const width = first.length - 1;
  if (channels === 3) {
    for (let x = 0; x < width; x++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let k = first[x]; k < first[x + 1]; k++) {
        const from = start + 3 * indices[k];
        const share = shares[k];
        red = Math.fround(red + Math.fround(data[from] * share));
        green = Math.fround(green + Math.fround(data[from + 1] * share));
        blue = Math.fround(blue + Math.fround(data[from + 2] * share));
      }
      row[3 * x] = red;
      row[3 * x + 1] = green;
      row[3 * x + 2] = blue;
    }
    return;
  }
  for (let c = 0; c < channels; c++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = first[x]; k < first[x + 1]; k++) {
        sum = Math.fround(sum + Math.fround(data[start + indices[k] * channels + c] * shares[k]));
      }
      row[x * channels + c] = sum;
    }
  }
}

/** Where the centres of target pixels fall: the pixel before, and the weight of the next one. */
function linearPositions(source, target) {
  const scale = source / target;
  const indices = new Int32Array(target);
  const weights = new Float32Array(target);
  for (let i = 0; i < target; i++) {
    const position = (i + 0.5) * scale - 0.5;
    indices[i] = Math.floor(position);
    weights[i] = position - indices[i];
  }
  return { indices, weights };
}

/** Like `linearPositions`, for areas: blends only where a target pixel covers a border of source pixels. */
function areaPositions(source, target) {
  const scale = source / target;
  const indices = new Int32Array(target);
  const weights = new Float32Array(target);
  for (let i = 0; i < target; i++) {
    indices[i] = Math.floor(i * scale);
    const weight = Math.fround(i + 1 - (indices[i] + 1) * (target / source));
    weights[i] = weight <= 0 ? 0 : weight - Math.floor(weight);
  }
  return { indices, weights };
}

/** Interpolates floats separably. */
function interpolate(source, columns, rows, width, height) {
  const { channels, data } = source;
  const result = picture(height, width, channels);
  const target = result.data;
  const length = width * channels;
  const stride = source.width * channels;
  const before = new Int32Array(width);
  const after = new Int32Array(width);
  const nearer = new Float32Array(width);
  const farther = new Float32Array(width);
  for (let x = 0; x < width; x++) {
    const index = columns.indices[x];
    const within = index >= 0 && index < source.width - 1;
    const weight = within ? columns.weights[x] : 0;
    before[x] = Math.min(Math.max(index, 0), source.width - 1) * channels;
    after[x] = Math.min(before[x] + channels, (source.width - 1) * channels);
    nearer[x] = 1 - weight;
    farther[x] = weight;
  }
  let [first, second] = [new Float32Array(length), new Float32Array(length)];
  let [firstRow, secondRow] = [-1, -1];
  const fill = (line, row) => {
    const start = row * stride;
    for (let x = 0, i = 0; x < width; x++) {
      const [left, right] = [start + before[x], start + after[x]];
      const [less, more] = [nearer[x], farther[x]];
      for (let c = 0; c < channels; c++) {
        line[i++] = Math.fround(data[left + c] * less) + Math.fround(data[right + c] * more);
      }
    }
  };
  const inside = (row) => Math.min(Math.max(row, 0), source.height - 1);
  for (let y = 0; y < height; y++) {
    const [top, bottom] = [inside(rows.indices[y]), inside(rows.indices[y] + 1)];
    if (top !== firstRow && top === secondRow) {
      [first, second] = [second, first];
      [firstRow, secondRow] = [secondRow, firstRow];
    }
    if (top !== firstRow) fill(first, (firstRow = top));
    if (bottom !== secondRow) fill(second, (secondRow = bottom));
    const lower = rows.weights[y];
    const upper = Math.fround(1 - lower);
    const start = y * length;
    for (let i = 0; i < length; i++) {
      target[start + i] = Math.fround(first[i] * upper) + Math.fround(second[i] * lower);
    }
  }
  return result;
}
