// Which parts of a photo move: the sky, and water if it moves in a clip made from the photo
// (ssagan_tf/motion/moving_mask.py).
//
// The sky segmentation works on the photo at about 160 pixels a side. Here, thin structures such as wires and masts are
// excluded, and other regions that move in the clip are added.

import { rgbToGray } from '../imaging/color.js';
import { connectedComponents } from '../imaging/components.js';
import { blur, gaussianBlur } from '../imaging/filters.js';
import { close, dilate, ellipse, erode, open } from '../imaging/morphology.js';
import { picture } from '../imaging/picture.js';
import { resizeArea, resizeLinear } from '../imaging/resize.js';
import { roundToEven } from '../imaging/rounding.js';
import { median } from '../imaging/statistics.js';
import { guidedFilter } from './guided_filter.js';
import { disc, downscale } from './sun.js';

const { fround } = Math;

const SIDE = 1280; // pixels, for finding thin structures
const MAX_THICKNESS = 0.009; // of thin structures, in widths of the picture
// Contrast of certain and of possible parts; possible ones must touch a certain one.
const DARKER = [0.5, 0.3].map(fround);
const LIGHTER = [0.2, 0.1].map(fround);
const MIN_LENGTH = 0.02; // of thin structures, in widths
const MOVING = fround(0.4); // minimum change, and share explained by motion, relative to those of the sky
const MIN_REGION = 0.05; // share of the picture; smaller moving regions are noise
const [RADIUS, EPSILON] = [0.03, 1e-3]; // of the guided filter, in widths
const EROSION = 1 / 500; // in widths
const [MAX_FRAME, FRAME_CONTRAST] = [0.01, 10]; // width of a frame in widths or heights; of 255

/**
 * Returns how much of each pixel moves, in [0, 1].
 *
 * @param photo bytes, RGB
 * @param sky from `findSky`
 * @param {import('./sun.js').Sun|null} sun stands still
 * @param change float at any size: how much a clip made from the photo changes
 * @param residual float, the part of it that the clip's motion does not explain
 */
export function movingMask(photo, sky, sun = null, change = null, residual = null) {
  const { height, width } = photo;
  const mask = picture(height, width, 1, sky.data.slice());
  if (change !== null && residual !== null) {
    const moving = movingInClip(photo, sky, change, residual);
    if (moving !== null) for (let i = 0; i < mask.data.length; i++) mask.data[i] = Math.max(mask.data[i], moving.data[i]);
  }
  const fine = downscale(photo, SIDE);
  const thin = thinStructures(fine, resizeArea(sky, fine.width, fine.height));
  if (thin !== null) keepStill(mask.data, resizeLinear(thin, width, height).data, sun && disc(sun, height, width).data);
  else if (sun !== null) keepStill(mask.data, disc(sun, height, width).data);
  clearFrame(photo, mask);
  return shrunk(mask);
}

function keepStill(mask, still, alsoStill = null) {
  for (let i = 0; i < mask.length; i++) {
    const share = alsoStill === null ? still[i] : Math.max(still[i], alsoStill[i]);
    mask[i] *= fround(1 - share);
  }
}

/** Returns the median height of a mask's lower end: 0 is the picture's top, 1 its bottom. */
export function horizonHeight({ height, width, data }) {
  const lowest = [];
  for (let x = 0; x < width; x++) {
    let y = height - 1;
    while (y >= 0 && !(data[y * width + x] > 0.5)) y--;
    if (y >= 0) lowest.push(y + 1);
  }
  return lowest.length ? median(lowest) / height : 1;
}

/** Shrinks and softens a mask a little, so that no halo moves along an edge. Changes the mask given. */
function shrunk(mask) {
  const { height, width } = mask;
  const extent = EROSION * width;
  const whole = Math.floor(extent);
  const [less, part] = [1 - (extent - whole), extent - whole].map(fround);
  const [top, bottom] = rowsWithEdges(mask, 2 * (whole + 1));
  if (top >= bottom) return mask;
  const rows = mask.data.subarray(top * width, bottom * width);
  const once = erodeAndBlur(picture(bottom - top, width, 1, rows), whole);
  const twice = erodeAndBlur(once, 1).data;
  const [margin, range] = [fround(0.03), fround(0.94)];
  for (let i = 0; i < rows.length; i++) {
    const value = fround(fround(less * once.data[i]) + fround(part * twice[i]));
    rows[i] = Math.min(Math.max(fround(value - margin) / range, 0), 1);
  }
  return mask;
}

/** Returns the first row and the one after the last, but for those at the top and at the bottom that are all 0 or all 1. */
function rowsWithEdges({ height, width, data }, margin) {
  const isAll = (row, value) => {
    let at = row * width;
    const end = at + width;
    while (at < end && data[at] === value) at++;
    return at === end;
  };
  let [top, bottom] = [0, height];
  const [first, last] = [data[0], data[data.length - 1]];
  if (first === 0 || first === 1) while (top < height && isAll(top, first)) top++;
  if (top === height) return [height, height];
  if (last === 0 || last === 1) while (bottom > top && isAll(bottom - 1, last)) bottom--;
  return [Math.max(0, top - margin), Math.min(height, bottom + margin)];
}

function erodeAndBlur(mask, radius) {
  if (!radius) return mask;
  const side = 2 * radius + 1;
  const eroded = erode(mask, side);
  const smooth = blur(eroded, side, 'reflect');
  for (let i = 0; i < smooth.data.length; i++) smooth.data[i] = Math.min(smooth.data[i], eroded.data[i]);
  return smooth;
}

/** Sets rows and columns at the borders that contrast with the next ones to 0: a frame around the photo. */
function clearFrame(photo, mask) {
  const { height, width } = photo;
  const { data } = rgbToGray(photo);
  const sides = [
    [height, width, 0, width, 1], // lines, their length, start of the first; steps to the next line and within a line
    [height, width, (height - 1) * width, -width, 1],
    [width, height, 0, 1, width],
    [width, height, width - 1, -1, width],
  ];
  for (const [lines, length, start, next, along] of sides) {
    const widest = Math.floor(MAX_FRAME * lines);
    const differences = new Float32Array(length);
    for (let line = widest - 1; line >= 0; line--) {
      for (let i = 0; i < length; i++) {
        const at = start + i * along;
        const neighbours = data[at + (widest + 1) * next] + data[at + (widest + 2) * next];
        differences[i] = data[at + line * next] - neighbours / 2;
      }
      if (!(Math.abs(median(differences)) > FRAME_CONTRAST)) continue;
      for (let outer = 0; outer <= line; outer++) {
        for (let i = 0; i < length; i++) mask.data[start + outer * next + i * along] = 0;
      }
      break;
    }
  }
}

/** Returns regions that move in the clip like the sky does, aligned with the photo's edges, or null. */
function movingInClip(photo, sky, change, residual) {
  const { height, width } = change;
  const size = height * width;
  const small = resizeArea(sky, width, height);
  const within = (values) => values.filter((_, i) => small.data[i] > fround(0.9));
  const least = fround(1e-6);
  const explained = change.data.map((value, i) =>
    Math.min(Math.max(1 - fround(residual.data[i] / Math.max(value, least)), 0), 1),
  );
  const inside = within(change.data);
  if (inside.length / size < MIN_REGION) return null;
  const usual = fround(Math.max(median(inside), 1e-6));
  const usuallyExplained = fround(Math.max(median(within(explained)), 0.2));
  const moving = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    const level = Math.min(fround(change.data[i] / usual), fround(explained[i] / usuallyExplained));
    moving[i] = level > MOVING && small.data[i] < fround(0.9);
  }
  const { labels, stats } = connectedComponents(open(picture(height, width, 1, moving), 3), 4);
  const large = stats.map(({ area }, label) => label > 0 && area > MIN_REGION * size);
  if (!large.includes(true)) return null;
  let found = picture(height, width, 1, small.data.map((share, i) => (large[labels[i]] ? 1 : share)));
  const fine = rgbToGray(downscale(photo, 4 * Math.max(height, width)));
  const grey = picture(fine.height, fine.width, 1, Float32Array.from(fine.data, (value) => value / 255));
  found = resizeLinear(found, grey.width, grey.height);
  found = guidedFilter(found, grey, Math.max(2, roundToEven(RADIUS * grey.width)), EPSILON);
  found.data.forEach((value, i) => (found.data[i] = Math.min(Math.max(2 * value - fround(0.7), 0), 1)));
  return resizeLinear(found, photo.width, photo.height);
}

/** Returns thin, long, attached structures (masts, wires, branches, turbines, lit towers), or null if there are none. */
function thinStructures(photo, sky) {
  const { height, width } = photo;
  const plane = (data) => picture(height, width, 1, data);
  const size = height * width;
  const side = 2 * Math.max(1, roundToEven((MAX_THICKNESS * width) / 2)) + 1;
  const shape = ellipse(side);
  // In the brightest channel, as blue gaps between clouds are bright in blue.
  const light = new Uint8Array(size);
  const ground = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    light[i] = Math.max(photo.data[3 * i], photo.data[3 * i + 1], photo.data[3 * i + 2]);
    ground[i] = sky.data[i] < 0.5;
  }
  const land = dilate(plane(ground), side).data;
  const supports = land.slice();
  // Branches reach in from the borders.
  supports.fill(1, 0, width);
  supports.fill(1, size - width);
  for (let start = 0; start < size; start += width) supports[start] = supports[start + width - 1] = 1;
  const visible = fround(0.1);
  const around = close(plane(light), shape).data;
  const behind = open(plane(light), shape).data;
  const [darker, lighter] = [new Float32Array(size), new Float32Array(size)];
  for (let i = 0; i < size; i++) {
    if (!(sky.data[i] > visible)) continue;
    darker[i] = 1 - fround(light[i] / Math.max(around[i], 16));
    lighter[i] = 1 - fround(behind[i] / Math.max(light[i], 16));
  }
  const found = new Uint8Array(size);
  const dark = addSlenderParts(found, darker, DARKER, supports, height, width);
  // Clouds have light fringes as well, but those do not stand upright on land.
  const bright = addSlenderParts(found, lighter, LIGHTER, land, height, width, true);
  if (!dark && !bright) return null;
  return gaussianBlur(plane(new Float32Array(dilate(plane(found), 5).data)), 1);
}

/**
 * Marks slender connected parts that touch a certain pixel and a support.
 *
 * @param {Uint8Array} found set to 1 there
 * @param {Float32Array} contrast
 * @param {number[]} levels contrast of certain and of possible pixels
 * @param {Uint8Array} supports what parts may be attached to; parts in mid-air drift with the sky
 * @param {boolean} upright only parts that are taller than wide
 * @returns {boolean} whether there are any
 */
function addSlenderParts(found, contrast, [certain, possible], supports, height, width, upright = false) {
  const candidates = new Uint8Array(contrast.length);
  for (let i = 0; i < candidates.length; i++) candidates[i] = contrast[i] > possible;
  const { number, labels, stats } = connectedComponents(picture(height, width, 1, candidates), 8);
  const [hasCertain, attached] = [new Uint8Array(number), new Uint8Array(number)];
  for (let i = 0; i < labels.length; i++) {
    if (contrast[i] > certain) hasCertain[labels[i]] = 1;
    if (supports[i]) attached[labels[i]] = 1;
  }
  const kept = stats.map((part, label) => {
    const length = Math.hypot(part.width, part.height);
    const slender = part.area < 0.2 * length ** 2 && length > Math.max(5, MIN_LENGTH * width);
    return label > 0 && hasCertain[label] && attached[label] && slender && !(upright && part.height <= part.width);
  });
  for (let i = 0; i < labels.length; i++) if (kept[labels[i]]) found[i] = 1;
  return kept.includes(true);
}
