// Does all work once, on a small picture: browsers compile scripts when they are first used, which takes longer than
// the work itself.

import { picture } from './imaging/picture.js';
import { driftLayers, stillLayers } from './motion/loop.js';
import { estimateMotion } from './motion/transfer.js';

const [HEIGHT, WIDTH] = [120, 160];
const SETTINGS = { direction: 'right', speed: 1, strength: 1, seconds: 8, fps: 25 };

/** @param {import('./network.js').Network} network */
export async function rehearse(network) {
  const photo = clouds();
  const motion = estimateMotion(await network.clip(photo), photo);
  driftLayers(motion, SETTINGS, stillLayers(photo, motion));
}

/** White waves on blue, above dark ground. */
function clouds() {
  const result = picture(HEIGHT, WIDTH, 3, new Uint8Array(HEIGHT * WIDTH * 3));
  for (let row = 0, i = 0; row < HEIGHT; row++) {
    for (let column = 0; column < WIDTH; column++, i += 3) {
      const cloud = 0.5 + 0.5 * Math.sin(row / 7 + column / 31) * Math.sin(column / 9);
      const colour = row < 0.7 * HEIGHT ? [90 + 140 * cloud, 140 + 90 * cloud, 210 + 20 * cloud] : [30, 35, 25];
      result.data.set(colour, i);
    }
  }
  return result;
}
