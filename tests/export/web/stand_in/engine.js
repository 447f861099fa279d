// Stands in for the engine: the upper half of a photo moves; dark photos have no sky.

import { picture } from './imaging/picture.js';

export class Engine {
  calls = [];
  onprogress = () => {};

  constructor(site) {
    this.site = site;
    globalThis.engine = this;
    this.manifest = fetch(new URL('manifest.json', site)).then((response) => response.json());
    this.ready = Promise.resolve().then(() => this.onprogress(1, 2));
  }

  async estimate(photo, mask) {
    this.photo = photo;
    this.calls.push({ painted: mask !== null });
    if (globalThis.outOfMemory) throw new RangeError('Array buffer allocation failed');
    const { height, width } = photo;
    if (!mask && photo.data.every((value) => value < 20)) {
      throw Object.assign(new Error(), { reason: 'no sky was found', maskHelps: true });
    }
    if (mask) return { mask };
    const found = picture(height, width, 1);
    found.data.fill(1, 0, width * Math.floor(height / 2));
    return { mask: found };
  }

  async layers(photo, motion, settings) {
    this.calls.push(settings);
    return { photo, mask: motion.mask, cycles: 4, sign: settings.direction === 'right' ? 1 : -1 };
  }
}
