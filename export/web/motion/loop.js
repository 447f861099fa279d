// An endless loop of a photo whose sky drifts: what renderer/ needs to draw the frames of
// ssagan_tf/motion/loop.py, and their number of phases.

import { insideBorder } from '../imaging/border.js';
import { rgbToGray } from '../imaging/color.js';
import { gaussianBlur } from '../imaging/filters.js';
import { erode } from '../imaging/morphology.js';
import { picture } from '../imaging/picture.js';
import { remap } from '../imaging/remap.js';
import { roundToEven } from '../imaging/rounding.js';
import { percentile } from '../imaging/statistics.js';
import { scaled, velocities } from './field.js';
import { downscale, glow as glowOf, source as sourceOf } from './sun.js';
import { driftDirection } from './transfer.js';
import { extendMovingRegion } from './warping.js';

const CLIP_RATE = 2; // frames of the clip per second at speed 1
const MAX_DRIFT = 0.08; // widths that a copy drifts in a phase; more looks like two pictures
const SPEED_PERCENTILE = 98; // of the pixels, to which that limit applies
const SPEED_SIDE = 128; // pixels
const DETAIL = 0.03; // σ in widths that separates details from light and shade
const CORRELATION_SIDE = 256; // pixels
const SAMPLES = 2 ** 18; // of a frame, about, from which its sharpness is measured

/**
 * What the renderer draws. Photos are RGBA, row by row, without the glow of the sun.
 *
 * @typedef {object} Layers
 * @property {number} height
 * @property {number} width
 * @property {{left: number, top: number, width: number, height: number}} box of what moves
 * @property {Uint8Array} photo alpha: where sharpness is measured
 * @property {Uint8Array} moving the moving region extended over the rest; alpha: share of each pixel that moves
 * @property {?Uint8Array} glow light of the sun, RGB
 * @property {number} stride pixels between those at which sharpness is measured
 * @property {number} sharpness of the photo
 * @property {number} number frames of the loop
 * @property {number} cycles phases of the loop
 * @property {object} drift field: displacement over a phase
 * @property {object} varianceLoss picture: share of the variance of details that blending loses at most
 */

/**
 * Returns the number of phases of a loop that keeps the drift within each short enough: a divisor of
 * the number of frames if there is one nearby, so that frames recur.
 *
 * @param {number} number frames of the loop
 * @param {number} advance frames of the field's clip per frame of the loop
 * @param {object} field how the photo drifts
 * @param {object} mask what moves
 * @param {number} strength drift within a phase, as a multiple of `MAX_DRIFT`
 */
export function countPhases(number, advance, field, mask, strength) {
  const small = downscale(mask, SPEED_SIDE);
  const { data } = velocities(field, small.height, small.width);
  const speeds = [];
  small.data.forEach((share, i) => {
    if (share > 0.5) speeds.push(Math.hypot(data[2 * i], data[2 * i + 1]) / small.width);
  });
  const fastest = speeds.length ? percentile(speeds, SPEED_PERCENTILE) : 0;
  const least = Math.max(1, Math.ceil((number * advance * fastest) / (MAX_DRIFT * strength) - 1e-9));
  for (let phases = least; phases <= Math.min(2 * least, number); phases++) {
    if (number % phases === 0) return phases;
  }
  return Math.min(least, number);
}

/**
 * Returns what the renderer draws.
 *
 * @param {object} photo Uint8Array, RGB
 * @param {object} motion `estimateMotion` of transfer.js
 * @param {{direction, speed, strength, seconds, fps}} settings
 * @param {object} still `stillLayers` of the same photo and motion, which settings leave unchanged
 * @returns {Layers}
 */
export function makeLayers(photo, motion, settings, still = stillLayers(photo, motion)) {
  return { ...still.pictures, ...driftLayers(motion, settings, still) };
}

/**
 * Returns the layers that depend on the photo and on what moves only: `pictures` for the renderer,
 * with buffers that may be transferred, and what `driftLayers` needs.
 */
export function stillLayers(photo, motion) {
  const { mask, sun } = motion;
  const { height, width } = photo;
  const source = sun ? sourceOf(sun, mask) : mask;
  const glow = sun ? glowOf(sun, photo, source) : null;
  const plain = glow ? picture(height, width, 3, photo.data.map((value, i) => value - glow.data[i])) : photo;
  const box = boundingBox(mask);
  const stride = Math.max(1, Math.floor(Math.sqrt((box.width * box.height) / SAMPLES)));
  const inner = innerOf(mask, box);
  const marks = new Uint8Array(height * width);
  for (let row = 0; row < box.height; row++) {
    marks.set(inner.subarray(row * box.width, (row + 1) * box.width), (box.top + row) * width + box.left);
  }
  const share = new Uint8Array(height * width);
  for (let i = 0; i < share.length; i++) {
    const value = mask.data[i];
    if (value > 0) share[i] = value >= 1 ? 255 : Math.min(Math.max(Math.round(255 * value), 1), 254);
  }
  const pictures = {
    height,
    width,
    box,
    stride,
    photo: withAlpha(plain.data, marks),
    moving: withAlpha(extendMovingRegion(plain, source).data, share),
    glow: glow && glow.data,
    sharpness: sharpnessOf(plain, box, inner, stride),
  };
  return { pictures, detail: detailOf(plain, mask), small: downscale(mask, SPEED_SIDE) };
}

/** Returns the layers that depend on settings: they are small and quick to make. */
export function driftLayers(motion, { direction, speed, strength, seconds, fps }, still) {
  const number = roundToEven(seconds * fps);
  const advance = (speed * CLIP_RATE) / fps;
  const cycles = countPhases(number, advance, motion.field, still.small, strength);
  const sign = direction && direction !== driftDirection(motion) ? -1 : 1;
  const drift = scaled(motion.field, (sign * advance * number) / cycles);
  return { number, cycles, drift, varianceLoss: varianceLoss(still.detail, drift) };
}

/** Smallest box of what moves; a single pixel if nothing does. */
function boundingBox({ height, width, data }) {
  let [top, bottom, left, right] = [height, -1, width, -1];
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++, i++) {
      if (data[i] === 0) continue;
      top = Math.min(top, row);
      bottom = row;
      left = Math.min(left, column);
      right = Math.max(right, column);
    }
  }
  return bottom < 0
    ? { left: 0, top: 0, width: 1, height: 1 }
    : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Returns 255 where sharpness is measured, within the box: away from what stands still. */
function innerOf(mask, box) {
  const eroded = (moves) => {
    const inside = new Uint8Array(box.height * box.width);
    for (let row = 0, at = 0; row < box.height; row++) {
      const start = (box.top + row) * mask.width + box.left;
      for (let i = start; i < start + box.width; i++) inside[at++] = moves(mask.data[i]) ? 255 : 0;
    }
    return erode(picture(box.height, box.width, 1, inside), 5).data;
  };
  const inner = eroded((value) => value >= 1);
  return inner.includes(255) ? inner : eroded((value) => value > 0.5); // the mask is nowhere entirely white
}

/** Returns the norm of a photo's details where sharpness is measured, at every `stride`th pixel. */
function sharpnessOf({ width, data }, box, inner, stride) {
  const weights = [1, 4, 6, 4, 1];
  const reflected = (size, step) => Int32Array.from({ length: size + 4 }, (_, i) => step * insideBorder(i - 2, size, 'reflect'));
  const [columns, rows] = [reflected(box.width, 3), reflected(box.height, 3 * width)];
  const start = 3 * (box.top * width + box.left);
  const grey = (i) => 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
  let total = 0;
  for (let row = 0; row < box.height; row += stride) {
    for (let column = 0; column < box.width; column += stride) {
      if (!inner[row * box.width + column]) continue;
      let soft = 0;
      for (let y = 0; y < 5; y++) {
        for (let x = 0; x < 5; x++) soft += weights[y] * weights[x] * grey(start + rows[row + y] + columns[column + x]);
      }
      total += (grey(start + rows[row + 2] + columns[column + 2]) - soft / 256) ** 2;
    }
  }
  return Math.sqrt(total);
}

/** Returns the details of what moves, at a reduced size. */
function detailOf(photo, mask) {
  const grey = rgbToGray(photo);
  const small = downscale(picture(grey.height, grey.width, 1, Float32Array.from(grey.data)), CORRELATION_SIDE);
  const share = downscale(mask, CORRELATION_SIDE);
  const { height, width } = small;
  const smooth = (values) => gaussianBlur(picture(height, width, 1, values), detailSigma(width), undefined, 'reflect').data;
  const light = smooth(small.data.map((value, i) => value * share.data[i]));
  const weight = smooth(share.data);
  return picture(height, width, 1, small.data.map((value, i) =>
    (value - light[i] / Math.max(weight[i], Math.fround(1e-3))) * share.data[i]));
}

/**
 * Returns how much variance blending loses: 1 minus the local correlation of the details of the two
 * copies, at a reduced size.
 */
function varianceLoss(detail, drift) {
  const { height, width } = detail;
  const moved = velocities(drift, height, width).data;
  const copy = (sign) => {
    const [xs, ys] = [picture(height, width, 1), picture(height, width, 1)];
    for (let i = 0; i < xs.data.length; i++) {
      xs.data[i] = (i % width) + (sign * moved[2 * i]) / 2;
      ys.data[i] = Math.floor(i / width) + (sign * moved[2 * i + 1]) / 2;
    }
    return remap(detail, xs, ys, 'reflect').data;
  };
  const [before, after] = [copy(-1), copy(1)];
  const wide = 3 * detailSigma(width);
  const smooth = (values) => gaussianBlur(picture(height, width, 1, values), wide, undefined, 'reflect').data;
  const together = smooth(before.map((value, i) => value * after[i]));
  const [one, other] = [before, after].map((values) => smooth(values.map((value) => value * value)));
  return picture(height, width, 1, together.map((value, i) =>
    1 - Math.min(Math.max(value / (Math.sqrt(one[i] * other[i]) + 1e-2), 0), 1)));
}

const detailSigma = (width) => Math.max(DETAIL * width, 0.5);

function withAlpha(rgb, alpha) {
  const data = new Uint8Array(4 * alpha.length);
  for (let i = 0; i < alpha.length; i++) {
    data[4 * i] = rgb[3 * i];
    data[4 * i + 1] = rgb[3 * i + 1];
    data[4 * i + 2] = rgb[3 * i + 2];
    data[4 * i + 3] = alpha[i];
  }
  return data;
}
