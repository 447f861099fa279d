// The worker: loads ONNX Runtime and the network, and does what takes long. Talks to engine.js.

import { download } from './download.js';
import { picture } from './imaging/picture.js';
import { driftLayers, stillLayers } from './motion/loop.js';
import { estimateMotion, mirrored } from './motion/transfer.js';
import { Network } from './network.js';
import { rehearse } from './rehearsal.js';

const MOST_THREADS = 4; // more do not make so small a network faster

let network;
let photo;
let mask;
let clips; // of the photo and of its mirror image, by direction, as they are needed
let motions; // the same, of the photo and the mask
let stills; // the same, of the motions: what layers are made from, but for the pictures, which the page keeps

const calls = {
  async load({ site, manifest }) {
    const { model, runtime } = manifest;
    const files = [model.file, runtime.wasm];
    const total = files.reduce((bytes, file) => bytes + manifest.files[file].bytes, 0);
    let loaded = 0;
    const [weights, binary] = await Promise.all(files.map((file) =>
      download(new URL(file, site), manifest.files[file], (bytes) => {
        loaded += bytes;
        postMessage({ progress: [loaded, total] });
      })));
    const ort = await import(new URL(runtime.module, site));
    Object.assign(ort.env.wasm, {
      numThreads: self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1,
      wasmBinary: binary.buffer,
      wasmPaths: { mjs: new URL(runtime.loader, site).href, wasm: new URL(runtime.wasm, site).href },
    });
    const session = await ort.InferenceSession.create(weights, { executionProviders: ['wasm'] });
    network = new Network(ort, session, model.resolution);
  },

  rehearse: () => rehearse(network),

  photo(given) {
    photo = given;
    clips = {};
  },

  async estimate(given) {
    mask = given;
    motions = {};
    stills = {};
    return motion('right');
  },

  async layers(settings) {
    const { direction } = settings;
    const moving = await motion(direction);
    const { pictures, ...still } = stills[direction] ?? stillLayers(photo, moving);
    const layers = driftLayers(moving, settings, still);
    stills[direction] = still;
    return { still: pictures, layers };
  },

  run: (values) => network.run(values),
};

/** The network knows only motion to the right: for motion to the left, it gets the mirrored photo. */
async function motion(direction) {
  const turned = direction === 'left' ? flipped : (each) => each;
  clips[direction] ??= await network.clip(turned(photo));
  if (!motions[direction]) {
    const found = estimateMotion(clips[direction], turned(photo), mask && turned(mask));
    motions[direction] = direction === 'left' ? mirrored(found) : found;
  }
  return motions[direction];
}

/** Returns a horizontally mirrored picture. */
function flipped({ height, width, channels, data }) {
  const result = picture(height, width, channels, new data.constructor(data.length));
  for (let i = 0, row = 0; row < height; row++) {
    for (let column = width - 1; column >= 0; column--) {
      for (let channel = 0; channel < channels; channel++, i++) {
        result.data[i] = data[(row * width + column) * channels + channel];
      }
    }
  }
  return result;
}

let last = Promise.resolve();

addEventListener('message', ({ data: { number, call, argument } }) => {
  last = last.then(async () => {
    try {
      const result = await calls[call](argument);
      const pictures = Object.values(result?.still ?? {}).filter(ArrayBuffer.isView);
      postMessage({ number, result }, pictures.map(({ buffer }) => buffer)); // moved, not copied
    } catch (error) {
      const { name, message, reason, maskHelps } = error;
      postMessage({ number, error: { name, message: message ?? String(error), reason, maskHelps } });
    }
  });
});
