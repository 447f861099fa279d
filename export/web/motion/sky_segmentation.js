// Finds the sky of a photo by colour and gradient (ssagan_tf/motion/sky_segmentation.py, which says how and why).

import { rgbToGray, rgbToLab } from '../imaging/color.js';
import { connectedComponents } from '../imaging/components.js';
import { gaussianBlur, sobel } from '../imaging/filters.js';
import { dilate, erode, rectangle } from '../imaging/morphology.js';
import { picture } from '../imaging/picture.js';
import { remap } from '../imaging/remap.js';
import { resizeArea } from '../imaging/resize.js';
import { roundToEven } from '../imaging/rounding.js';
import { median, percentile } from '../imaging/statistics.js';
import { mixture } from './gaussian_mixture.js';
import { guidedFilter } from './guided_filter.js';

const { fround } = Math;

const PIXELS = 160 * 160; // of the reduced picture
const ATTEMPTS = [[0, 4], [2, 4], [3, 0]]; // log-odds subtracted from ground; fitting iterations
const [RADIUS, EPSILON] = [5, 1e-3]; // of the guided filter
const LARGEST_ODDS = 6; // log-odds of a pixel by its colour
const [MIN_GROUND, MIN_DOUBT] = [0.002, 0.01]; // areas of ground, and of a doubt worth another attempt
const HARD_EDGE = 8; // change of colour per pixel
const DENSE = [0.45, 0.65].map(fround); // density of hard edges that is possibly, and certainly, not a cloud
const MIN_SIZE = 8; // rows or columns of the reduced picture, below which nothing can be judged
// Weights of `notSkyLogOdds`: explained, hard edges, upright ones, brown, blue; the intercept.
const WEIGHTS = [-4.8, 10.3, 15.4, 2.6, -4.1, -6.3];
const HORIZON_EDGE = 2.3; // darkening across a level horizon in most columns, in L* per pixel
const DARK = 28; // of 255; the bars of a letterbox are at most as bright

/**
 * Returns how much of each pixel is sky: 1 in the sky, 0 elsewhere, and in between at the border.
 *
 * @param photo bytes, RGB, of any size; segmented at a reduced size, then aligned with the edges at full size
 */
export function findSky(photo) {
  const mask = picture(photo.height, photo.width, 1);
  const inside = withoutBars(photo);
  if (inside === null) return mask;
  const cropped = crop(photo, inside);
  const reduced = new Reduced(cropped);
  const sky = withoutHoles(skyOf(reduced));
  const crowd = crowded(reduced, sky);
  sky.data.forEach((_, i) => crowd[i] && (sky.data[i] = 0));
  if (isLand(reduced, (i) => sky.data[i] > 0.5)) return mask;
  const { height, width, data } = rgbToGray(cropped);
  const grey = picture(height, width, 1, new Float32Array(data.length));
  for (let i = 0; i < data.length; i++) grey.data[i] = data[i] / 255;
  const fine = guidedFilter(sky, reduced.grey, 2, EPSILON, grey).data;
  // A tenth of sky counts as none.
  for (let i = 0; i < fine.length; i++) {
    fine[i] = Math.min(Math.max(fround(fround(1.25 * fround(fine[i] - 0.5)) + 0.5), 0), 1);
  }
  for (let y = 0; y < height; y++) {
    mask.data.set(fine.subarray(y * width, (y + 1) * width), (y + inside.top) * photo.width + inside.left);
  }
  return mask;
}

/**
 * Returns the log-odds that a region taken for sky is something else (a face, a wall).
 *
 * @param photo bytes, RGB
 * @param sky float in [0, 1], the region
 * @param {number} explained share of a clip's change in the region that motion explains, at most 1
 */
export function notSkyLogOdds(photo, sky, explained) {
  const reduced = new Reduced(photo);
  const { height, width } = reduced;
  const small = resizeArea(sky, width, height).data;
  const inside = erode(picture(height, width, 1, Uint8Array.from(small, (share) => share > 0.5)), 5).data;
  if (!inside.includes(1) || Math.min(height, width) < MIN_SIZE) return 0; // all edges of a line are upright
  const features = [Math.max(explained, -0.3), ...appearance(reduced, inside), 1];
  return features.reduce((sum, feature, i) => sum + WEIGHTS[i] * feature, 0);
}

/** Returns features in [0, 1] of `notSkyLogOdds`: hard edges, upright ones, brown, blue. */
function appearance({ lab }, inside) {
  const smooth = gaussianBlur(lab, 1);
  const [across, down] = [sobel(smooth, 1, 0, 1 / 8).data, sobel(smooth, 0, 1, 1 / 8).data];
  let [hard, upright, level, brown, blue, number] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < inside.length; i++) {
    if (!inside[i]) continue;
    const [light, greenRed, blueYellow] = lab.data.subarray(3 * i, 3 * i + 3);
    number++;
    hard += length(across, down, i) > HARD_EDGE;
    upright += Math.abs(across[3 * i]);
    level += Math.abs(down[3 * i]);
    brown += blueYellow > 8 && light < 60 && Math.hypot(greenRed, blueYellow) < 40;
    blue += blueYellow < -4;
  }
  return [Math.sqrt(hard / number), upright / (upright + level + 1e-6 * number), brown / number, blue / number];
}

/** Returns the length of the gradient of three colours at a pixel. */
function length(across, down, pixel) {
  let sum = 0;
  for (let i = 3 * pixel; i < 3 * pixel + 3; i++) sum += across[i] ** 2 + down[i] ** 2;
  return fround(Math.sqrt(sum));
}

/** Returns regions on the ground with denser edges than clouds: towers, trees, faces. */
function crowded({ lab, height, width }, sky) {
  const plane = (data) => picture(height, width, 1, data);
  const [across, down] = [sobel(lab, 1, 0, 1 / 8).data, sobel(lab, 0, 1, 1 / 8).data];
  const share = Float32Array.from(sky.data, (value) => value > 0.5);
  const hard = share.map((value, i) => (length(across, down, i) > HARD_EDGE ? value : 0));
  const [edges, area] = [hard, share].map((values) => gaussianBlur(plane(values), 4).data);
  const density = edges.map((value, i) => value / Math.max(area[i], fround(0.2)));
  const dense = Uint8Array.from(density, (value, i) => value > DENSE[0] && share[i] > 0);
  const { number, labels } = connectedComponents(plane(dense), 8);
  const land = Uint8Array.from(share, (value) => value === 0);
  land.fill(1, (height - 1) * width);
  const nearLand = dilate(plane(land), 3).data;
  const [certain, standing] = [new Uint8Array(number), new Uint8Array(number)];
  for (let i = 0; i < labels.length; i++) {
    if (density[i] > DENSE[1] && labels[i]) certain[labels[i]] = 1;
    if (nearLand[i]) standing[labels[i]] = 1;
  }
  return Uint8Array.from(labels, (label) => certain[label] && standing[label]);
}

/** Returns what is between the black bars of a letterbox, or null for a black photo. */
function withoutBars({ height, width, data }) {
  const [rows, columns] = [new Uint8Array(height), new Uint8Array(width)];
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      if (data[at] > DARK || data[at + 1] > DARK || data[at + 2] > DARK) rows[y] = columns[x] = 1;
    }
  }
  if (!rows.includes(1)) return null;
  return {
    top: rows.indexOf(1),
    bottom: rows.lastIndexOf(1) + 1,
    left: columns.indexOf(1),
    right: columns.lastIndexOf(1) + 1,
  };
}

function crop(photo, { top, bottom, left, right }) {
  if (bottom - top === photo.height && right - left === photo.width) return photo;
  const result = picture(bottom - top, right - left, 3, new Uint8Array((bottom - top) * (right - left) * 3));
  for (let y = top; y < bottom; y++) {
    const start = y * photo.width;
    result.data.set(photo.data.subarray(3 * (start + left), 3 * (start + right)), (y - top) * result.width * 3);
  }
  return result;
}

/** A picture at reduced size: its colours (CIE L*a*b*), heights from 0 at the top to 1 at the bottom, and gradient. */
class Reduced {
  constructor(photo) {
    const scale = Math.min(1, Math.sqrt(PIXELS / (photo.height * photo.width)));
    const [width, height] = [photo.width, photo.height].map((side) => Math.max(1, roundToEven(side * scale)));
    const small = resizeArea(photo, width, height);
    this.height = height;
    this.width = width;
    this.lab = rgbToLab(picture(height, width, 3, Float32Array.from(small.data, (value) => value / 255)));
    this.light = this.plane((i) => this.lab.data[3 * i]);
    this.grey = this.plane((i) => this.light.data[i] / 100);
    this.heights = Float32Array.from({ length: height }, (_, y) => (y + 0.5) / height);
    const smooth = gaussianBlur(this.lab, 1);
    const [across, down] = [sobel(smooth, 1, 0, 1 / 8).data, sobel(smooth, 0, 1, 1 / 8).data];
    // The largest change of colour per pixel in the neighbourhood.
    this.gradient = dilate(this.plane((i) => length(across, down, i)), 3);
  }

  plane(value) {
    const result = picture(this.height, this.width, 1);
    for (let i = 0; i < result.data.length; i++) result.data[i] = value(i);
    return result;
  }

  /** The median colour of the chosen pixels. */
  medianColour(chosen) {
    const pixels = [];
    for (let i = 0; i < this.height * this.width; i++) if (chosen(i)) pixels.push(i);
    return [0, 1, 2].map((c) => median(Float32Array.from(pixels, (i) => this.lab.data[3 * i + c])));
  }

  /** Returns the prior log-odds of ground: low, or dark or warm for the upper half. */
  expectedGround() {
    const upper = Math.max(1, this.height >> 1) * this.width;
    const [light, greenRed, blueYellow] = this.medianColour((i) => i < upper);
    const usual = Math.max(light, 1);
    const within = (value, low, high) => Math.min(Math.max(value, low), high);
    return this.plane((i) => {
      const [l, a, b] = this.lab.data.subarray(3 * i, 3 * i + 3);
      const ratio = fround(l / usual);
      const dark = fround(within(8 * fround(0.55 - ratio), -2, 3));
      const hue = fround(Math.sqrt(fround(b - blueYellow) ** 2 + fround(a - greenRed) ** 2));
      const warm = b > blueYellow && ratio < 1 ? fround(within(fround(hue / 12) - 1, 0, 2)) : 0;
      const low = fround(within(6 * fround(this.heights[Math.floor(i / this.width)] - fround(0.62)), -3, 1.5));
      return fround(dark + warm) + low;
    }).data;
  }
}

/** Returns how much of each pixel of the reduced picture is sky. */
function skyOf(reduced) {
  const { height, width } = reduced;
  const below = belowHorizon(reduced);
  const expected = Float64Array.from(reduced.expectedGround(), (odds, i) => odds + (below[i] ? LARGEST_ODDS : 0));
  const sky = reduced.plane((i) => (below[i] ? 0 : 1));
  // A whole dark sky may be taken for ground. Then ground is made less likely, and fitted again.
  for (const [reluctance, rounds] of ATTEMPTS) {
    const found = fit(reduced, expected.map((odds) => odds - reluctance), rounds);
    const land = picture(height, width, 1, new Uint8Array(height * width));
    let doubt = false;
    for (const region of regions(found.data.map((share) => share < 0.5), height, width)) {
      const share = region.area / found.data.length;
      if (share < MIN_GROUND) continue;
      let hidden = 0;
      region.pixels.forEach((inside, i) => (hidden += inside && below[i]));
      if (hidden / region.area > 0.5 || isGround(region.pixels, found.data, reduced)) {
        region.pixels.forEach((inside, i) => inside && (land.data[i] = 1));
      } else {
        doubt ||= share > MIN_DOUBT;
      }
    }
    const adjacent = dilate(land, 7).data;
    for (let i = 0; i < adjacent.length; i++) {
      if (adjacent[i]) sky.data[i] = Math.min(sky.data[i], found.data[i]);
    }
    if (!doubt) break;
  }
  return sky;
}

/** Fits the mask and the colours of its two sides alternately; returns how much is sky. */
function fit(reduced, expected, rounds) {
  const { height, width, lab, heights } = reduced;
  const features = new Float64Array(4 * height * width);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) features[4 * i + c] = lab.data[3 * i + c];
    features[4 * i + 3] = heights[Math.floor(i / width)];
  }
  const logDensity = mixture(features, height, width);
  let odds = expected;
  for (let done = 0; ; done++) {
    const likely = reduced.plane((i) => 1 / (1 + Math.exp(Math.min(Math.max(odds[i], -30), 30))));
    const sky = guidedFilter(likely, reduced.grey, RADIUS, EPSILON);
    if (done === rounds) return sky;
    const ground = logDensity(sky.data.map((share) => (share < 0.5 ? 1 - share : 0)));
    const above = logDensity(sky.data.map((share) => (share > 0.5 ? share : 0)));
    odds = ground.map((value, i) => {
      const byColour = Math.min(Math.max(value - above[i], -LARGEST_ODDS), LARGEST_ODDS);
      return byColour + 0.5 * expected[i];
    });
  }
}

/** Returns the connected parts of a mask: their areas, and their pixels as masks, which are made when asked for. */
function regions(mask, height, width) {
  const { labels, stats } = connectedComponents(picture(height, width, 1, Uint8Array.from(mask)), 4);
  return stats.slice(1).map(({ area }, index) => ({
    area,
    get pixels() {
      const pixels = Uint8Array.from(labels, (label) => label === index + 1);
      Object.defineProperty(this, 'pixels', { value: pixels });
      return pixels;
    },
  }));
}

/** Returns whether a region is land, and not a part of the sky in another colour. */
function isGround(region, sky, reduced) {
  const { height, width, gradient } = reduced;
  const solid = picture(height, width, 1, region);
  const [outer, inner] = [dilate(solid, 3).data, erode(solid, 3).data];
  const near = dilate(solid, 15).data;
  let adjacent = (i) => near[i] && sky[i] > 0.5;
  if (!sky.some((_, i) => adjacent(i))) adjacent = (i) => sky[i] > 0.5;
  if (!sky.some((_, i) => adjacent(i))) return true;
  const [light, , hue] = reduced.medianColour((i) => region[i]);
  const [lightAdjacent, , hueAdjacent] = reduced.medianColour(adjacent);
  const ratio = light / Math.max(lightAdjacent, 1);
  // Clouds have soft edges somewhere.
  const sharpness = percentile(gradient.data.filter((_, i) => outer[i] > inner[i]), 25);
  const within = (value, low, high) => Math.min(Math.max(value, low), high);
  let evidence = 0.85 * within(Math.log2(sharpness / 4 + 1e-6), -2, 2);
  evidence += 4 * (0.4 - Math.min(ratio, 1.3));
  evidence += 3 * within((hue - hueAdjacent) / 20, 0, 1);
  evidence -= 3 * within((-hue - 5) / 10, 0, 2); // deep blue is sky
  evidence += region.includes(1, (height - 1) * width) ? 1 : 0;
  return evidence > 0;
}

/** Returns what is below a straight, level line across which the picture darkens: the sea. */
function belowHorizon(reduced) {
  const { height, width } = reduced;
  const slope = sobel(gaussianBlur(reduced.light, 1), 0, 1, 1 / 8);
  const columns = reduced.plane((i) => i % width);
  let best = -HORIZON_EDGE;
  let below = new Uint8Array(height * width);
  for (let step = 0; step < 7; step++) {
    const tilt = fround(-0.03 + step * 0.01);
    const lean = columns.data.map((column) => tilt * fround(column - width / 2));
    const rows = reduced.plane((i) => Math.floor(i / width) + lean[i]);
    const darkest = erode(remap(slope, columns, rows, 'replicate'), rectangle(1, 3)).data;
    let [most, line] = [Infinity, 0];
    for (let y = 0; y < height; y++) {
      const atBorder = y < 3 || y >= height - 3;
      const value = atBorder ? 0 : percentile(darkest.subarray(y * width, (y + 1) * width), 85);
      if (value < most) [most, line] = [value, y];
    }
    if (!(most < best)) continue;
    best = most;
    below = Uint8Array.from(lean, (value, i) => fround(Math.floor(i / width) - value) > line);
  }
  return below;
}

/** Returns whether the chosen pixels are too dark and green or brown for a sky. */
function isLand(reduced, chosen) {
  if (!reduced.grey.data.some((_, i) => chosen(i))) return true;
  const [light, greenRed, blueYellow] = reduced.medianColour(chosen);
  const green = light < 30 && greenRed < -3 && blueYellow > 0;
  return green || (light < 40 && greenRed < 8 && blueYellow > 8);
}

/** Removes bright regions below the main sky: lakes, walls, lit windows. */
function withoutHoles(sky) {
  const { height, width, data } = sky;
  const parts = regions(data.map((share) => share > 0.5), height, width);
  if (parts.length < 2) return sky;
  const depths = parts.map(({ pixels }) => {
    let [sum, number] = [0, 0];
    for (let y = 0; y < height; y++) {
      if (!pixels.subarray(y * width, (y + 1) * width).includes(1)) continue;
      sum += y;
      number++;
    }
    return sum / number / height;
  });
  const merits = parts.map(({ area }, i) => area * (1 - depths[i]));
  const proper = merits.indexOf(Math.max(...merits));
  parts.forEach(({ pixels }, i) => {
    const touchesTop = pixels.subarray(0, width).includes(1);
    if (depths[i] > depths[proper] && !touchesTop) pixels.forEach((inside, at) => inside && (data[at] = 0));
  });
  return sky;
}
