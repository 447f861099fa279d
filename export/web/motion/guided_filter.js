// The guided filter, which aligns a mask with the edges of a picture (ssagan_tf/motion/guided_filter.py).

import { blur } from '../imaging/filters.js';
import { picture } from '../imaging/picture.js';
import { resizeLinear } from '../imaging/resize.js';

const { fround } = Math;

/**
 * Smooths a mask, but not across the edges of a picture.
 *
 * @param mask float in [0, 1]
 * @param guide float in [0, 1], the picture in grey at the mask's size
 * @param {number} radius of the windows, in pixels of the mask
 * @param {number} epsilon variance above which a contrast counts as an edge
 * @param full the picture in grey at full size: the result has this size and follows its finer edges
 * @returns float in [0, 1]
 */
export function guidedFilter(mask, guide, radius, epsilon, full = null) {
  const { height, width } = mask;
  const plane = (value) => {
    const result = picture(height, width, 1);
    for (let i = 0; i < result.data.length; i++) result.data[i] = value(i);
    return result;
  };
  const mean = (values) => blur(values, 2 * radius + 1, 'reflect');
  const meanGuide = mean(guide).data;
  const meanMask = mean(mask).data;
  const meanProduct = mean(plane((i) => guide.data[i] * mask.data[i])).data;
  const meanSquare = mean(plane((i) => guide.data[i] ** 2)).data;
  let slope = plane((i) => {
    const covariance = fround(meanProduct[i] - fround(meanGuide[i] * meanMask[i]));
    const variance = fround(meanSquare[i] - fround(meanGuide[i] * meanGuide[i]));
    return covariance / fround(variance + epsilon);
  });
  let offset = plane((i) => meanMask[i] - fround(slope.data[i] * meanGuide[i]));
  [slope, offset] = [mean(slope), mean(offset)];
  if (full !== null) {
    [slope, offset] = [slope, offset].map((values) => resizeLinear(values, full.width, full.height));
    guide = full;
  }
  const result = slope.data;
  for (let i = 0; i < result.length; i++) {
    result[i] = Math.min(Math.max(fround(result[i] * guide.data[i]) + offset.data[i], 0), 1);
  }
  return slope;
}
