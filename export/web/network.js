// The network: a photo in, a short clip of 8-bit frames out, as in `make_animation` of
// ssagan_tf/animation.py.

import { picture } from './imaging/picture.js';
import { roundToEven } from './imaging/rounding.js';

const PRECISION = 22; // bits of a weight in Pillow's 8-bit resampling

export class Network {
  #runtime;
  #session;
  #side;

  /**
   * @param {object} runtime the module of ONNX Runtime Web
   * @param {object} session an inference session
   * @param {number} side height and width of its photos
   */
  constructor(runtime, session, side) {
    this.#runtime = runtime;
    this.#session = session;
    this.#side = side;
  }

  /** Returns the clip of a photo of any size, which is squeezed into a square: an array of pictures. */
  async clip(photo) {
    const { data, dims } = await this.run(toFloat(squeezed(photo, this.#side).data));
    const [, frames, height, width, channels] = dims;
    const size = height * width * channels;
    return Array.from({ length: frames }, (_, index) =>
      picture(height, width, channels, toBytes(data.subarray(index * size, (index + 1) * size))));
  }

  /** Runs the network on one square photo in [-1, 1]; returns values in [-1, 1] and their `dims`. */
  async run(values) {
    const image = new this.#runtime.Tensor('float32', values, [1, this.#side, this.#side, 3]);
    const { data, dims } = (await this.#session.run({ image })).clip;
    return { data, dims };
  }
}

/** 8-bit values to [-1, 1], as `to_float` of ssagan_tf/pixels.py. */
export function toFloat(bytes) {
  return Float32Array.from(bytes, (value) => Math.fround(value / 127.5) - 1);
}

/** Values in [-1, 1] to 8 bits, as `to_uint8` of ssagan_tf/pixels.py. */
export function toBytes(values) {
  return Uint8Array.from(values, (value) =>
    Math.min(Math.max(roundToEven(Math.fround(Math.fround(value + 1) * 127.5)), 0), 255));
}

/** Resizes a photo to a square as `video.fit(photo, side, 'stretch')`: Pillow's antialiased bilinear filter. */
export function squeezed(photo, side) {
  return resizedRows(resizedColumns(photo, side), side);
}

function resizedColumns(photo, size) {
  const { height, width, channels, data } = photo;
  if (width === size) return photo;
  const result = picture(height, size, channels, new Uint8Array(height * size * channels));
  filters(width, size).forEach(({ first, weights }, column) => {
    for (let row = 0; row < height; row++) {
      for (let channel = 0; channel < channels; channel++) {
        const start = (row * width + first) * channels + channel;
        result.data[(row * size + column) * channels + channel] = weighted(data, start, channels, weights);
      }
    }
  });
  return result;
}

function resizedRows(photo, size) {
  const { height, width, channels, data } = photo;
  if (height === size) return photo;
  const stride = width * channels;
  const result = picture(size, width, channels, new Uint8Array(size * stride));
  filters(height, size).forEach(({ first, weights }, row) => {
    for (let i = 0; i < stride; i++) {
      result.data[row * stride + i] = weighted(data, first * stride + i, stride, weights);
    }
  });
  return result;
}

/** Returns, for each of `size` results, the first of `length` values that it depends on, and their weights. */
function filters(length, size) {
  const scale = length / size;
  const support = Math.max(scale, 1);
  return Array.from({ length: size }, (_, index) => {
    const centre = (index + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), length);
    const weights = Array.from({ length: end - first }, (_, i) =>
      Math.max(1 - Math.abs((first + i - centre + 0.5) * (1 / support)), 0));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => Math.trunc((weight / total) * 2 ** PRECISION + 0.5)) };
  });
}

function weighted(data, start, stride, weights) {
  let sum = 1 << (PRECISION - 1);
  for (let i = 0; i < weights.length; i++) sum += data[start + i * stride] * weights[i];
  return sum >> PRECISION; // at most 255: sums are below 2³¹
}
