// Velocities of a clip: the median over time of dense optical flow.

import { rgbToGray } from '../imaging/color.js';
import { farneback } from '../imaging/farneback.js';
import { gaussianBlur, sobel } from '../imaging/filters.js';
import { picture } from '../imaging/picture.js';
import { remap } from '../imaging/remap.js';
import { median } from '../imaging/statistics.js';

const WINDOW = 11; // pixels
const TEXTURE_SIGMA = 3; // pixels
const CHANGE_SIGMA = 1;

/** Returns the optical flow between two grey frames, in pixels right and down. */
export function denseFlow(now, then, window = WINDOW) {
  const same = now.data.every((value, i) => value === then.data[i]);
  return same ? picture(now.height, now.width, 2) : farneback(now, then, window);
}

/** Returns the median over time of the optical flow of each pixel, in pixels per frame. */
export function velocities(clip, apart = 1) {
  const grey = clip.map(rgbToGray);
  const flows = grey.slice(apart).map((then, i) => denseFlow(grey[i], then).data);
  const result = picture(clip[0].height, clip[0].width, 2);
  const values = new Float32Array(flows.length);
  for (let i = 0; i < result.data.length; i++) {
    for (let k = 0; k < flows.length; k++) values[k] = flows[k][i];
    result.data[i] = median(values) / apart;
  }
  return result;
}

/**
 * Returns how much a clip changes, and how much of that velocities do not explain: mean squared
 * differences of grey between frames, as they are and with the earlier one moved. Slightly blurred.
 */
export function changeAndResidual(clip, velocities, apart = 1) {
  const grey = clip.map(toFloatGray);
  const { height, width } = grey[0];
  const [xs, ys, change, residual] = Array.from({ length: 4 }, () => picture(height, width, 1));
  for (let i = 0; i < xs.data.length; i++) {
    xs.data[i] = (i % width) - Math.fround(apart * velocities.data[2 * i]);
    ys.data[i] = Math.floor(i / width) - Math.fround(apart * velocities.data[2 * i + 1]);
  }
  const number = grey.length - apart;
  for (let k = 0; k < number; k++) {
    const [before, after] = [grey[k].data, grey[k + apart].data];
    const moved = remap(grey[k], xs, ys, 'replicate').data;
    for (let i = 0; i < before.length; i++) {
      change.data[i] += (after[i] - before[i]) ** 2;
      residual.data[i] += Math.fround(Math.fround(after[i] - moved[i]) ** 2);
    }
  }
  const [meanChange, meanResidual] = [change, residual].map((sums) => gaussianBlur(divided(sums, number), CHANGE_SIGMA));
  return { change: meanChange, residual: meanResidual };
}

/** Returns the mean squared gradient of grey; flow needs gradients. */
export function texture(clip) {
  const { height, width } = clip[0];
  const slopes = picture(height, width, 1);
  for (const frame of clip) {
    const grey = rgbToGray(frame);
    for (const slope of [sobel(grey, 1, 0), sobel(grey, 0, 1)]) {
      for (let i = 0; i < slopes.data.length; i++) slopes.data[i] += slope.data[i] ** 2;
    }
  }
  return gaussianBlur(divided(slopes, clip.length), TEXTURE_SIGMA);
}

function toFloatGray(frame) {
  const grey = rgbToGray(frame);
  return picture(grey.height, grey.width, 1, new Float32Array(grey.data));
}

function divided({ height, width, data }, number) {
  return picture(height, width, 1, data.map((value) => value / number));
}
