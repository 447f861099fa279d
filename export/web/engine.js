// The page's side of the worker: loads the network, and returns motions and layers.

import { SiteError } from './download.js';

const SCRIPTS = new URL('.', import.meta.url);
const MEMORY = /memory|allocat/i; // as browsers and ONNX Runtime put it: bad_alloc, for one
// The smallest module with instructions on vectors.
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
];

export class Engine {
  #worker;
  #calls = new Map(); // number → what to do with the answer
  #number = 0;
  #photo = null; // the one that the worker has
  #motion = null; // the last one
  #stills = {}; // of the last motion, by direction

  /** Told how many bytes of how many have been loaded. */
  onprogress = () => {};

  /** @param {string|URL} site address of the folder with manifest.json; ends in a slash */
  constructor(site) {
    /** Resolves to the manifest. */
    this.manifest = manifestOf(new URL(site));
    /** Resolves when runtime and network are loaded. */
    this.ready = this.#load(new URL(site));
    for (const promise of [this.manifest, this.ready]) promise.catch(() => {}); // whoever waits for it is told
  }

  /**
   * Finds out how a photo moves.
   *
   * @param {object} photo picture, 8-bit RGB
   * @param {?object} mask picture of floats from 0 to 1: what moves, instead of what is found
   * @returns {Promise<object>} its motion (motion/transfer.js)
   */
  async estimate(photo, mask = null) {
    await this.ready;
    if (photo !== this.#photo) {
      await this.#ask('photo', photo);
      this.#photo = photo;
    }
    const motion = await this.#ask('estimate', mask);
    this.#motion = motion;
    this.#stills = {};
    return motion;
  }

  /**
   * Returns what the renderer needs for a loop.
   *
   * @param {object} photo
   * @param {object} motion the last one of `estimate`
   * @param {{direction: 'right'|'left', speed: number, strength: number, seconds: number, fps: number}} settings
   */
  async layers(photo, motion, settings) {
    if (photo !== this.#photo || motion !== this.#motion) throw new Error('the motion is not the last one');
    const stills = this.#stills;
    const { still, layers } = await this.#ask('layers', settings);
    stills[settings.direction] = still ?? stills[settings.direction];
    return { ...stills[settings.direction], ...layers };
  }

  /** Runs the network on values of one square photo, in [-1, 1]; returns its `data` and `dims`. */
  async run(values) {
    await this.ready;
    return this.#ask('run', values);
  }

  /** Ends the worker and frees its memory. */
  close() {
    this.#fail(new SiteError('the page has stopped this'));
  }

  async #load(site) {
    if (!globalThis.WebAssembly?.validate(new Uint8Array(SIMD))) {
      throw new SiteError('this browser is too old: it has no WebAssembly SIMD. Please use a current one');
    }
    const manifest = await this.manifest;
    this.#worker = startWorker();
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onmessageerror = () => this.#fail(inWords(new RangeError())); // there was no room for the message
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new SiteError(
        event.message
          ? `something went wrong (${event.message}). Please load the page again`
          : 'a part of this page could not be loaded. Please load the page again',
      ));
    };
    await this.#ask('load', { site: site.href, manifest });
    this.#ask('rehearse').catch(() => {}); // photos may come meanwhile, and wait
  }

  #ask(call, argument) {
    return new Promise((resolve, reject) => {
      if (!this.#worker) throw new SiteError('the page has stopped working. Please load it again');
      const number = ++this.#number;
      this.#calls.set(number, { resolve, reject });
      this.#worker.postMessage({ number, call, argument });
    }).catch((error) => {
      throw error instanceof SiteError ? error : inWords(error); // the photo could not be copied
    });
  }

  #receive({ number, result, error, progress }) {
    if (progress) {
      this.onprogress(...progress);
      return;
    }
    const { resolve, reject } = this.#calls.get(number);
    this.#calls.delete(number);
    if (error) reject(inWords(error));
    else resolve(result);
  }

  #fail(error) {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }
}

/** Starts worker.js through an object in memory: such a worker is bound by the policy of the page. */
function startWorker() {
  const script = `import ${JSON.stringify(new URL('worker.js', SCRIPTS))};`;
  return new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' });
}

async function manifestOf(site) {
  let manifest;
  try {
    const response = await fetch(new URL('manifest.json', site), { cache: 'no-cache' });
    if (!response.ok) throw new Error(`status ${response.status}`);
    manifest = await response.json();
  } catch (error) {
    throw new SiteError(
      `a part of this page could not be loaded (manifest.json): ${error.message}. Please check your ` +
        'connection, then load the page again',
      { cause: error },
    );
  }
  if (new URL(`${manifest.scripts}/`, site).href !== SCRIPTS.href) {
    throw new SiteError('there is a new version of this page. Please load it again');
  }
  return manifest;
}

function inWords({ name, message, reason, maskHelps }) {
  const tooLarge = name === 'RangeError' || MEMORY.test(message);
  const words = tooLarge
    ? 'there is not enough memory. Please close other tabs, or choose a smaller photo'
    : `something went wrong (${message}). Please load the page again`;
  return Object.assign(new SiteError(reason ?? words), { maskHelps });
}
