// Measures the motion of a generated clip, to be transferred to the photo that it was made from.

import { gaussianBlur } from '../imaging/filters.js';
import { picture } from '../imaging/picture.js';
import { resizeArea, resizeLinear } from '../imaging/resize.js';
import { fit, mirrored as mirroredField, velocities as fieldVelocities } from './field.js';
import { horizonHeight, movingMask } from './moving_mask.js';
import { changeAndResidual, texture, velocities } from './optical_flow.js';
import { findSky, notSkyLogOdds } from './sky_segmentation.js';
import { downscale, findSun } from './sun.js';

const FIRST_FRAMES = 14; // later frames are blurred
const FLOW_DISTANCE = 2; // frames between two compared
const BORDER = 16; // one part in 16 of each side is distorted by padding
const MIN_MOVING = 0.003; // share of the photo
const MAX_NOT_SKY = 2.8; // log-odds
const VISIBLE_SIDE = 256; // pixels; finer motion does not count
const MIN_VISIBLE = 0.35; // of 255: mean change when shifted by a twentieth of the width
const NOISE_SIGMA = 1 / 64; // in widths; finer contrasts are noise, not clouds

/** Nothing would move in a photo: why, and whether a mask of what moves would help. */
export class NothingMovesError extends Error {
  name = 'NothingMovesError';

  constructor(reason, maskHelps = false) {
    super(reason);
    this.reason = reason;
    this.maskHelps = maskHelps;
  }
}

/**
 * How a photo moves.
 *
 * @typedef {object} Motion
 * @property {import('./field.js').Field} field velocities per frame of the clip
 * @property {object} mask picture of the photo's size, from 0 to 1: how much of each pixel moves
 * @property {?object} sun sun or moon, which stands still with its glow
 * @property {number} confidence share from 0 to 1 of the clip's change that is motion
 */

/**
 * @param {object[]} clip at least two pictures, made from the photo, squeezed to any size
 * @param {object} photo
 * @param {?object} mask picture of floats from 0 to 1: what moves, instead of what is found
 * @returns {Motion}
 * @throws {NothingMovesError} no sky was found, or its motion would be invisible
 */
export function estimateMotion(clip, photo, mask = null) {
  const first = clip.slice(0, FIRST_FRAMES);
  const apart = Math.min(FLOW_DISTANCE, first.length - 1);
  const measured = velocities(first, apart);
  const { change, residual } = changeAndResidual(first, measured, apart);
  const sky = findSky(photo);
  const sun = findSun(photo, sky);
  const moving = mask ? resizedMask(mask, photo) : movingMask(photo, sky, sun, change, residual);
  checkVisible(photo, moving, !mask);

  const small = resizeArea(moving, clip[0].width, clip[0].height);
  const explained = explainedShare(change, residual, small);
  if (!mask && notSkyLogOdds(photo, moving, explained) > MAX_NOT_SKY) {
    throw new NothingMovesError('it does not look like a sky', true);
  }
  const confidence = Math.max(0, explained) ** 2;
  const field = fit(measured, flowWeights(first, measured, small), horizonHeight(moving), confidence);
  return { field, mask: moving, sun, confidence };
}

/** Returns the motion of the horizontally mirrored photo. */
export function mirrored({ field, mask, sun, confidence }) {
  const { height, width, data } = mask;
  const flipped = data.map((_, i) => data[i - (i % width) + (width - 1 - (i % width))]);
  return {
    field: mirroredField(field),
    mask: picture(height, width, 1, flipped),
    sun: sun && { ...sun, x: 1 - sun.x },
    confidence,
  };
}

/** Returns the main direction of a motion, 'left' or 'right'. */
export function driftDirection({ field, mask }) {
  const small = resizeArea(mask, 64, 64);
  const across = fieldVelocities(field, 64, 64);
  const sum = small.data.reduce((total, share, i) => total + share * across.data[2 * i], 0);
  return sum < 0 ? 'left' : 'right';
}

/** Returns how much each measured velocity counts: where the sky is, has texture, and moves. */
export function flowWeights(clip, measured, small) {
  const slopes = texture(clip);
  const weights = small.data.map((share, i) => {
    const speed = Math.hypot(measured.data[2 * i], measured.data[2 * i + 1]);
    return share * slopes.data[i] ** 0.25 * Math.sqrt(speed);
  });
  return picture(small.height, small.width, 1, weights);
}

/** Throws NothingMovesError if no motion would be visible. */
export function checkVisible(photo, mask, found) {
  if (mean(mask.data) < MIN_MOVING) {
    if (found) throw new NothingMovesError('no sky was found', true);
    throw new NothingMovesError('the mask is black, but white marks what moves');
  }
  const reduced = downscale(photo, VISIBLE_SIDE);
  const { height, width } = reduced;
  const shift = Math.max(1, Math.floor(width / 20));
  if (width <= shift) throw new NothingMovesError('the photo is too small');
  const values = picture(height, width, 3, new Float32Array(reduced.data));
  const small = gaussianBlur(values, Math.max(NOISE_SIGMA * width, 0.3)).data;
  const share = resizeArea(mask, width, height).data;
  let [visible, area] = [0, 0];
  for (let i = 0; i < share.length; i++) {
    if (i % width < shift) continue;
    let change = 0;
    for (let c = 0; c < 3; c++) change += Math.abs(small[3 * i + c] - small[3 * (i - shift) + c]) / 3;
    const both = Math.min(share[i], share[i - shift]);
    visible += change * both;
    area += both;
  }
  if (visible < MIN_VISIBLE * Math.max(area, 1e-6)) {
    throw new NothingMovesError('the sky is as smooth as fog, so its motion would be invisible');
  }
}

/** Returns the share of the change that motion explains, at most 1; may be negative. */
export function explainedShare(change, residual, { height, width, data }) {
  const [across, down] = [Math.floor(width / BORDER), Math.floor(height / BORDER)];
  let [total, unexplained] = [0, 0];
  for (let y = down; y < height - down; y++) {
    for (let i = y * width + across; i < (y + 1) * width - across; i++) {
      if (data[i] <= 0.5) continue;
      total += change.data[i];
      unexplained += residual.data[i];
    }
  }
  return total > 0 ? 1 - unexplained / total : 0;
}

function resizedMask(mask, { height, width }) {
  const resized = resizeLinear(mask, width, height);
  return picture(height, width, 1, resized.data.map((value) => Math.min(Math.max(value, 0), 1)));
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
