// The sun or moon in a photo, which stands still with its glow while clouds pass (ssagan_tf/motion/sun.py).

import { rgbToGray } from '../imaging/color.js';
import { connectedComponents } from '../imaging/components.js';
import { gaussianBlur } from '../imaging/filters.js';
import { picture } from '../imaging/picture.js';
import { resizeArea } from '../imaging/resize.js';
import { roundToEven } from '../imaging/rounding.js';
import { percentile } from '../imaging/statistics.js';

const { fround } = Math;

const SIDE = 240; // pixels of the reduced picture
const AREA = [0.0001, 0.015]; // share of the picture covered by the disc with its glare
const [MIN_BRIGHTNESS, MIN_CONTRAST] = [245, 30]; // of 255: in red or green; to the surroundings
const MAX_OTHERS = 0.5; // area of other spots as bright, relative to the disc; clouds have many
const MAX_ASPECT = 2.5;
const TRANSITION = [1.2, 4]; // radii between which clouds become visible
const [GLOW_RADIUS, RINGS] = [0.3, 48]; // in widths; number of rings of the profile
const PERCENTILES = [50, 2]; // of a ring: its typical light, and its lower bound

/**
 * @typedef {{x: number, y: number, radius: number}} Sun centre in widths and heights of the picture, radius in widths
 */

/** Returns distances from the centre in widths. */
function distances(sun, height, width) {
  const [centreX, centreY, aspect] = [sun.x, sun.y, height / width].map(fround);
  const xs = Float32Array.from({ length: width }, (_, x) => fround((x + 0.5) / width) - centreX);
  const result = new Float32Array(height * width);
  for (let row = 0, i = 0; row < height; row++) {
    const y = fround(fround(fround((row + 0.5) / height) - centreY) * aspect);
    for (let x = 0; x < width; x++) result[i++] = Math.sqrt(xs[x] * xs[x] + y * y);
  }
  return result;
}

/** Returns how much of each pixel stands still, in [0, 1]. */
export function disc(sun, height, width) {
  const [near, far] = TRANSITION.map(fround);
  const [radius, span] = [sun.radius, TRANSITION[1] - TRANSITION[0]].map(fround);
  const result = distances(sun, height, width);
  for (let i = 0; i < result.length; i++) {
    if (result[i] >= far * radius * 1.001) {
      result[i] = 0;
      continue;
    }
    const out = Math.min(Math.max(fround(fround(fround(result[i] / radius) - near) / span), 0), 1);
    result[i] = 1 - fround(fround(out * out) * fround(3 - 2 * out));
  }
  return picture(height, width, 1, result);
}

/** Returns what may drift, given a mask that excludes `disc`: all but the disc itself, as in the transition there is sky. */
export function source(sun, mask) {
  const still = disc(sun, mask.height, mask.width).data;
  const least = fround(0.1);
  for (let i = 0; i < still.length; i++) {
    const passing = fround(1 - still[i]);
    still[i] = passing > least ? Math.min(Math.max(mask.data[i] / passing, 0), 1) : 0;
  }
  return picture(mask.height, mask.width, 1, still);
}

/**
 * Returns the light around the sun, which stands still: what rings around the centre have in common; it decreases with
 * the radius, and is nowhere brighter than the photo.
 *
 * @param {Sun} sun
 * @param photo bytes, RGB
 * @param drifting from `source`
 */
export function glow(sun, photo, drifting) {
  const result = picture(photo.height, photo.width, 3, new Uint8Array(photo.data.length));
  const profile = glowProfile(sun, photo, drifting);
  if (profile === null) return result;
  const step = (GLOW_RADIUS - sun.radius) / RINGS;
  const start = sun.radius + step / 2; // the middle of the first ring
  const away = distances(sun, photo.height, photo.width);
  for (let i = 0, to = 0; i < away.length; i++, to += 3) {
    const position = Math.min(Math.max((away[i] - start) / step, 0), RINGS - 1);
    const ring = Math.min(Math.floor(position), RINGS - 2);
    for (let c = 0; c < 3; c++) {
      const inner = profile[3 * ring + c];
      const light = inner + (profile[3 * ring + 3 + c] - inner) * (position - ring);
      result.data[to + c] = Math.min(roundToEven(light), photo.data[to + c]);
    }
  }
  return result;
}

/** Returns the light in the middle of each ring, three values each, or null if no ring is visible. */
function glowProfile(sun, photo, drifting) {
  const small = downscale(photo, SIDE);
  const { height, width } = small;
  const share = resizeArea(drifting, width, height).data;
  const away = distances(sun, height, width);
  const step = (GLOW_RADIUS - sun.radius) / RINGS;
  const edges = Array.from({ length: RINGS + 1 }, (_, i) => (i === RINGS ? GLOW_RADIUS : i * step + sun.radius));
  const inside = Array.from({ length: RINGS }, () => []);
  for (let i = 0; i < away.length; i++) {
    if (!(share[i] > fround(0.9)) || away[i] < edges[0] || away[i] >= GLOW_RADIUS) continue;
    let ring = Math.floor((away[i] - sun.radius) / step);
    if (ring >= RINGS || away[i] < edges[ring]) ring--;
    else if (away[i] >= edges[ring + 1]) ring++;
    inside[ring].push(i);
  }
  const [typical, low] = [0, 1].map(() => new Float32Array(3 * RINGS).fill(Infinity));
  const known = [];
  for (let ring = 0; ring < RINGS; ring++) {
    if (inside[ring].length < 8) continue;
    known.push(ring);
    for (let c = 0; c < 3; c++) {
      const values = Float64Array.from(inside[ring], (i) => small.data[3 * i + c]);
      [typical[3 * ring + c], low[3 * ring + c]] = PERCENTILES.map((rank) => percentile(values, rank));
    }
  }
  if (!known.length) return null;
  const [first, last] = [known[0], known.at(-1)];
  for (let i = 0; i < 3 * first; i++) {
    typical[i] = typical[3 * first + (i % 3)];
    low[i] = low[3 * first + (i % 3)];
  }
  for (let i = 3; i < typical.length; i++) typical[i] = Math.min(typical[i], typical[i - 3]);
  const profile = typical.map((value, i) => Math.min(value - typical[3 * last + (i % 3)], low[i]));
  for (let i = 3; i < profile.length; i++) profile[i] = Math.min(profile[i], profile[i - 3]);
  return gaussianBlur(picture(RINGS, 3, 1, profile), 0.01, 1.5).data;
}

/**
 * Finds a single small, round spot that is brighter than the rest of the sky.
 *
 * @param photo bytes, RGB
 * @param sky float in [0, 1]
 * @returns {Sun|null}
 */
export function findSun(photo, sky) {
  const small = downscale(photo, SIDE);
  const { height, width } = small;
  const above = resizeArea(sky, width, height).data.map((share) => share > 0.5);
  const grey = picture(height, width, 1, new Float32Array(rgbToGray(small).data));
  const light = gaussianBlur(grey, 1).data.map((value, i) => (above[i] ? value : 0));
  const most = light.reduce((a, b) => Math.max(a, b));
  const bright = Uint8Array.from(light, (value) => value > fround(most - MIN_CONTRAST / 2));
  const { labels, stats, centroids } = connectedComponents(picture(height, width, 1, bright), 8);
  const areas = stats.slice(1).map(({ area }) => area);
  const area = Math.max(0, ...areas);
  const share = area / bright.length;
  if (!areas.length || share < AREA[0] || share > AREA[1]) return null;
  const largest = areas.indexOf(area) + 1;
  // Blue sky may be as bright in the blue channel.
  const brightest = labels.reduce(
    (max, label, i) => (label === largest ? Math.max(max, small.data[3 * i], small.data[3 * i + 1]) : max),
    0,
  );
  if (brightest < MIN_BRIGHTNESS) return null;
  const sides = [stats[largest].width, stats[largest].height];
  const total = areas.reduce((a, b) => a + b);
  if (total > (1 + MAX_OTHERS) * area || Math.max(...sides) > MAX_ASPECT * Math.min(...sides)) return null;
  const [x, y] = centroids[largest];
  const sun = {
    x: (x + 0.5) / width,
    y: (y + 0.5) / height,
    radius: Math.max(1.5, Math.sqrt(area / Math.PI)) / width,
  };
  const radius = fround(sun.radius);
  const ring = distances(sun, height, width).map((distance) => fround(distance / radius));
  const around = light.filter((_, i) => ring[i] > 2 && ring[i] < 3 && above[i]);
  if (!around.length || percentile(around, 90) > fround(most - MIN_CONTRAST)) return null;
  return sun;
}

/** Reduces a picture to a longer side of at most `longest` pixels. */
export function downscale(photo, longest) {
  const scale = Math.min(1, longest / Math.max(photo.height, photo.width));
  const [width, height] = [photo.width, photo.height].map((side) => Math.max(1, roundToEven(side * scale)));
  return resizeArea(photo, width, height);
}
