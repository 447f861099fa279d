// Pictures sampled at any positions, as OpenCV 5 does: without rounding the positions.

import { insideBorder } from './border.js';
import { picture } from './picture.js';

/**
 * @param {object} source of Float32Array; sampled by linear interpolation
 * @param {object} xs picture of one channel: in which column of the source each value is found
 * @param {object} ys in which row
 * @param {import('./border.js').Border} border
 */
export function remap({ height, width, channels, data }, xs, ys, border) {
  const stride = width * channels;
  const result = picture(xs.height, xs.width, channels);
  for (let i = 0; i < xs.data.length; i++) {
    const [x, y] = [Math.floor(xs.data[i]), Math.floor(ys.data[i])];
    const [across, down] = [xs.data[i] - x, ys.data[i] - y];
    const left = channels * insideBorder(x, width, border), right = channels * insideBorder(x + 1, width, border);
    const top = stride * insideBorder(y, height, border), bottom = stride * insideBorder(y + 1, height, border);
    for (let channel = 0; channel < channels; channel++) {
      const above = (1 - across) * data[top + left + channel] + across * data[top + right + channel];
      const below = (1 - across) * data[bottom + left + channel] + across * data[bottom + right + channel];
      result.data[i * channels + channel] = (1 - down) * above + down * below;
    }
  }
  return result;
}
