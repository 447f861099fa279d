// The moving region of a photo, extended over what stands still: parts of ssagan_tf/motion/warping.py.

import { gaussianBlur } from '../imaging/filters.js';
import { picture } from '../imaging/picture.js';
import { resizeArea, resizeLinear } from '../imaging/resize.js';
import { roundToEven } from '../imaging/rounding.js';

const PURE = Math.fround(0.95); // mask value; pixels below may be mixed with the static background
const SMOOTH_SIDE = 128; // pixels; a picture of this size has no details
const FAR = 2 ** 30;

/**
 * Returns the photo with its moving region extended over what stands still: colours are extrapolated
 * smoothly, details are reflected at the border of the region.
 *
 * @param {object} photo Uint8Array; the result is rounded to 8 bits, too
 * @param {object} mask in [0, 1]
 */
export function extendMovingRegion(photo, mask) {
  const { height, width, channels } = photo;
  let least = Infinity, most = -Infinity;
  for (const value of mask.data) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (least >= PURE || most <= 0) return photo;
  const limit = Math.min(PURE, most);
  const known = new Uint8Array(height * width);
  for (let i = 0; i < known.length; i++) known[i] = mask.data[i] >= limit;
  const smooth = enlarged(extrapolated(photo, known), width, height);
  const nearest = nearestKnown(known, height, width);
  const extended = new Uint8ClampedArray(photo.data); // rounds what it is given
  for (let row = 0, pixel = 0; row < height; row++) {
    for (let column = 0; column < width; column++, pixel++) {
      if (known[pixel]) continue;
      const border = Math.floor(nearest[pixel] / width);
      const y = 2 * border - row, x = 2 * (nearest[pixel] - border * width) - column;
      const reflected = y >= 0 && y < height && x >= 0 && x < width && known[y * width + x] ? y * width + x : -1;
      for (let channel = 0; channel < channels; channel++) {
        let value = smooth(row, column, channel);
        if (reflected >= 0) value += photo.data[reflected * channels + channel] - smooth(y, x, channel);
        extended[pixel * channels + channel] = value;
      }
    }
  }
  return picture(height, width, channels, new Uint8Array(extended.buffer));
}

/** Returns the picture without details, extrapolated from what is known, at a reduced size. */
function extrapolated({ height, width, channels, data }, known) {
  const scale = Math.min(1, SMOOTH_SIDE / Math.max(height, width));
  const size = [width, height].map((side) => Math.max(1, roundToEven(side * scale)));
  const plane = picture(height, width, 1);
  const blurred = () => gaussianBlur(resizeArea(plane, ...size), 2.5);
  plane.data.set(known);
  const weights = blurred();
  const weighted = picture(size[1], size[0], channels);
  for (let channel = 0; channel < channels; channel++) { // one at a time takes less memory
    for (let i = 0; i < known.length; i++) plane.data[i] = known[i] * data[i * channels + channel];
    blurred().data.forEach((value, i) => (weighted.data[i * channels + channel] = value));
  }
  return spread(weighted, weights);
}

/** Returns a function of row, column and channel: the picture, enlarged linearly. */
function enlarged(source, width, height) {
  const { channels, data } = source;
  const along = (size, from, step) => {
    const [near, far, share] = [new Int32Array(size), new Int32Array(size), new Float32Array(size)];
    for (let i = 0; i < size; i++) {
      const place = Math.min(Math.max(((i + 0.5) * from) / size - 0.5, 0), from - 1);
      near[i] = step * Math.floor(place);
      far[i] = step * Math.ceil(place);
      share[i] = place - Math.floor(place);
    }
    return { near, far, share };
  };
  const across = along(width, source.width, channels), down = along(height, source.height, source.width * channels);
  return (row, column, channel) => {
    const left = across.near[column] + channel, right = across.far[column] + channel, share = across.share[column];
    const above = data[down.near[row] + left] * (1 - share) + data[down.near[row] + right] * share;
    const below = data[down.far[row] + left] * (1 - share) + data[down.far[row] + right] * share;
    return above + (below - above) * down.share[row];
  };
}

/** Fills pixels without weight from weighted means at coarser and coarser scales. */
function spread(weighted, weights) {
  const { height, width, channels } = weighted;
  const mean = picture(height, width, channels);
  for (let i = 0; i < mean.data.length; i++) {
    mean.data[i] = weighted.data[i] / Math.max(weights.data[Math.floor(i / channels)], Math.fround(1e-6));
  }
  if (height === 1 && width === 1) return mean;
  const half = [(width + 1) >> 1, (height + 1) >> 1];
  const smaller = [weighted, weights].map((each) => resizeArea(each, ...half));
  const coarse = resizeLinear(spread(...smaller), width, height).data;
  for (let i = 0; i < mean.data.length; i++) {
    const weight = weights.data[Math.floor(i / channels)];
    mean.data[i] = Math.fround(mean.data[i] * weight) + Math.fround(coarse[i] * Math.fround(1 - weight));
  }
  return mean;
}

// Neighbours that precede a pixel, row by row: rows up, columns to the right, and the length of the
// step in 65536ths of a pixel. Those that follow it are opposite.
const STEPS = [
  [2, -1, 2.1969], [2, 1, 2.1969], [1, -2, 2.1969], [1, -1, 1.4],
  [1, 0, 1], [1, 1, 1.4], [1, 2, 2.1969], [0, -1, 1],
].map(([up, right, length]) => [up, right, Math.round(length * 65536)]);

/**
 * Returns the nearest known pixel of each pixel, by paths of steps to neighbours. OpenCV measures the
 * same way, so that ties end alike.
 *
 * @param {Uint8Array} known not 0 where known, somewhere
 */
export function nearestKnown(known, height, width) {
  const stride = width + 4; // two pixels on each side that are far from everything
  const distances = new Int32Array(stride * (height + 4)).fill(FAR);
  const nearest = new Int32Array(distances.length);
  for (let row = 0, pixel = 0; row < height; row++) {
    for (let at = (row + 2) * stride + 2, end = at + width; at < end; at++, pixel++) {
      if (!known[pixel]) continue;
      distances[at] = 0;
      nearest[at] = pixel;
    }
  }
  const lengths = Int32Array.from(STEPS, ([, , length]) => length);
  for (const sign of [-1, 1]) {
    const offsets = Int32Array.from(STEPS, ([up, right]) => sign * (up * stride - right));
    const last = distances.length - 1;
    for (let i = 2 * stride + 2; i < last - 2 * stride; i++) {
      const at = sign < 0 ? i : last - i;
      const column = at % stride;
      if (distances[at] === 0 || column < 2 || column >= width + 2) continue;
      let distance = distances[at], from = at;
      for (let k = 0; k < 8; k++) {
        const other = at + offsets[k], along = distances[other] + lengths[k];
        if (along < distance) {
          distance = along;
          from = other;
        }
      }
      distances[at] = distance;
      nearest[at] = nearest[from];
    }
  }
  const inside = new Int32Array(height * width);
  for (let row = 0; row < height; row++) {
    const start = (row + 2) * stride + 2;
    inside.set(nearest.subarray(start, start + width), row * width);
  }
  return inside;
}
