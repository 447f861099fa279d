// Saves one whole loop as a video: exactly `number` frames, encoded by the browser.

import { Problem } from './messages.js';
import { record } from './record.js';

const CODECS = ['avc', 'vp9', 'av1']; // H.264 plays everywhere
const BITS_PER_PIXEL = 0.2; // of each frame
const LEAST_BITS = 4e6; // per second: at lower rates, the loop jumps where it starts again
const LONGEST_SIDES = [Infinity, 4096, 3840, 2560, 1920, 1280]; // many encoders cannot do larger ones

/**
 * @param {HTMLCanvasElement} canvas
 * @param {(index: number) => void} draw draws a frame of the loop into the canvas
 * @param {object} options
 * @param {number} options.number of frames
 * @param {number} options.fps
 * @param {string} options.library address of the module that writes files; loaded only here
 * @param {(share: number) => void} options.onprogress
 * @param {AbortSignal} options.signal
 * @returns {Promise<{blob: Blob, ending: string, width: number, height: number, note: string}>}
 */
export async function saveVideo(canvas, draw, { library, ...options }) {
  if (typeof VideoEncoder === 'undefined') return record(new Frames(canvas, draw, sizeWithin(canvas, Infinity)), options);
  let media;
  try {
    media = await import(library);
  } catch {
    throw new Problem('The part of this page that writes videos could not be loaded. Please try again.');
  }
  const longest = Math.max(canvas.width, canvas.height);
  for (const codec of CODECS) {
    for (const side of LONGEST_SIDES.filter((each) => each === Infinity || each < longest)) {
      options.signal.throwIfAborted();
      const size = sizeWithin(canvas, side);
      const { width, height } = size;
      const bitrate = Math.max(LEAST_BITS, BITS_PER_PIXEL * width * height * options.fps);
      const quality = new media.Quality({ bitrate });
      if (!(await media.canEncodeVideo(codec, { width, height, quality, frameRate: options.fps }))) continue;
      try {
        return await encode(media, { codec, quality }, new Frames(canvas, draw, size), options);
      } catch (error) {
        options.signal.throwIfAborted();
        if (error instanceof Problem) throw error;
        console.warn(`${codec} at ${width}×${height}: ${error.message}`); // some only fail when they are used
      }
    }
  }
  throw new Problem('This browser cannot encode a video of this photo. Please try another browser.');
}

/**
 * Returns a size that encoders take: even, and not larger than they can. Where the width is no multiple of four,
 * Chromium stretches the picture by two columns.
 */
function sizeWithin({ width, height }, longestSide) {
  const scale = Math.min(1, longestSide / Math.max(width, height));
  const whole = (side, unit) => Math.max(unit, unit * Math.floor((side * scale) / unit));
  return { scale, width: whole(width, 4), height: whole(height, 2) };
}

/** Frames of the loop at the size of the video. */
class Frames {
  #source;
  #draw;
  #context;

  constructor(source, draw, { scale, width, height }) {
    this.#source = source;
    this.#draw = draw;
    this.canvas = document.createElement('canvas');
    [this.canvas.width, this.canvas.height] = [width, height];
    this.#context = this.canvas.getContext('2d', { alpha: false });
    this.#context.imageSmoothingQuality = 'high';
    // Other sizes lose a row or a few columns; enlarging by so little would blur everything.
    this.#context.setTransform(scale, 0, 0, scale, 0, 0);
    this.note = scale < 1 ? `Reduced to ${width} × ${height}, the largest size that this browser can encode.` : '';
  }

  draw(index) {
    this.#draw(index);
    this.#context.drawImage(this.#source, 0, 0);
  }
}

async function encode(media, { codec, quality }, frames, { number, fps, onprogress, signal }) {
  const mp4 = codec === 'avc';
  const output = new media.Output({
    format: mp4 ? new media.Mp4OutputFormat() : new media.WebMOutputFormat(),
    target: new media.BufferTarget(),
  });
  const source = new media.CanvasSource(frames.canvas, {
    codec,
    quality,
    keyFrameInterval: number / fps, // only the first: each is a small jump
  });
  output.addVideoTrack(source, { frameRate: fps });
  try {
    await output.start();
    for (let index = 0; index < number; index++) {
      signal.throwIfAborted();
      frames.draw(index);
      await source.add(index / fps, 1 / fps);
      onprogress((index + 1) / number);
    }
    await output.finalize();
  } catch (error) {
    await output.cancel().catch(() => {});
    throw error;
  }
  const { width, height } = frames.canvas;
  const type = mp4 ? 'video/mp4' : 'video/webm';
  return { blob: new Blob([output.target.buffer], { type }), ending: mp4 ? 'mp4' : 'webm', width, height, note: frames.note };
}
