// Draws the frames of the loop: `_Blend.frame` of ssagan_tf/motion/loop.py on the GPU.
//
// A frame takes seven passes, of which two cover the photo and one samples it (shaders.js). Nothing
// is read back: the factor that makes a frame as sharp as the photo is summed on the GPU.

import { BLUR, COVER, DETAIL, FRAME, MIX, REDUCE, SHARPNESS, SUM } from './shaders.js';
import { Pass, free, makeTarget, makeTexture } from './gpu.js';
import { Stopwatch } from './stopwatch.js';

const REDUCTION = 8; // of the picture in which light and shade are blurred
const PLACES = 4; // in that reduction, at which the picture is sampled; linear sampling takes all pixels
const DETAIL_SIGMA = 0.03; // in widths; separates details from light and shade
const CANVAS_PIXELS = 2 ** 24; // more than that stays blank on some phones

/**
 * Draws layers (`makeLayers` of motion/loop.js) into a canvas of the photo's size.
 *
 * Events: `lost` when the browser takes the GPU away, `restored` when frames can be drawn again.
 */
export class Renderer extends EventTarget {
  /** Largest width and height of a photo. */
  largestSide;
  /** Largest number of pixels of a photo. */
  largestPixels = CANVAS_PIXELS;
  #gl;
  #stopwatch;
  #passes;
  #layers = null;
  #textures = {};
  #targets = {};

  /** @param {HTMLCanvasElement|OffscreenCanvas} canvas */
  constructor(canvas) {
    super();
    this.canvas = canvas;
    this.#gl = canvas.getContext('webgl2', {
      alpha: false, antialias: false, depth: false, stencil: false, powerPreference: 'high-performance',
    });
    if (!this.#gl) throw new Error('This browser does not offer WebGL 2, which draws the moving photo.');
    const gl = this.#gl;
    this.largestSide = Math.min(gl.getParameter(gl.MAX_TEXTURE_SIZE), ...gl.getParameter(gl.MAX_VIEWPORT_DIMS));
    this.#start();
    canvas.addEventListener('webglcontextlost', (event) => {
      event.preventDefault(); // otherwise it is never restored
      this.dispatchEvent(new Event('lost'));
    });
    canvas.addEventListener('webglcontextrestored', () => {
      this.#start();
      this.#prepare();
      this.dispatchEvent(new Event('restored'));
    });
  }

  /** Milliseconds that the GPU takes for a frame; NaN before the first is done. */
  get milliseconds() {
    return this.#stopwatch.milliseconds;
  }

  /** Whether the browser has taken the GPU away for now. */
  get isLost() {
    return this.#gl.isContextLost();
  }

  /**
   * Sets what to draw. Photos that are the same as before are not uploaded again.
   *
   * @param {import('../motion/loop.js').Layers} layers
   */
  setLayers(layers) {
    const { height, width } = layers;
    const old = this.#layers;
    this.#layers = layers;
    if (Math.max(height, width) > this.largestSide || height * width > this.largestPixels) this.#refuse();
    if (this.isLost) return; // prepared once it is restored
    if (old?.photo === layers.photo && old?.moving === layers.moving) this.#prepareDrift();
    else this.#prepare();
  }

  /** Draws the frame at a time in [0, 1) of a phase. Draws nothing while the GPU is away. */
  draw(time) {
    if (!this.#layers || this.isLost) return;
    this.#stopwatch.around(() => this.#draw(time - Math.floor(time)));
  }

  /** Draws a frame and returns it: RGBA, row by row from the top. */
  frame(time) {
    if (this.isLost) throw new Error('The graphics card is busy elsewhere; try again in a moment.');
    const { height, width } = this.#layers, gl = this.#gl;
    this.draw(time);
    const upsideDown = new Uint8Array(height * width * 4), frame = new Uint8Array(height * width * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, upsideDown);
    for (let row = 0, line = width * 4; row < height; row++) {
      frame.set(upsideDown.subarray(row * line, (row + 1) * line), (height - 1 - row) * line);
    }
    return frame;
  }

  /** Frees what the GPU holds. */
  close() {
    for (const each of [...Object.values(this.#textures), ...Object.values(this.#targets)]) free(this.#gl, each);
    this.#textures = this.#targets = {};
    this.#layers = null;
  }

  #start() {
    const gl = this.#gl;
    this.#textures = {};
    this.#targets = {};
    this.#stopwatch = new Stopwatch(gl);
    this.#passes = {
      reduce: new Pass(gl, COVER, REDUCE),
      blur: new Pass(gl, COVER, BLUR),
      mix: new Pass(gl, COVER, MIX),
      detail: new Pass(gl, COVER, DETAIL),
      sum: new Pass(gl, COVER, SUM),
      frame: new Pass(gl, SHARPNESS, FRAME),
    };
    gl.disable(gl.DITHER);
  }

  #prepare() {
    if (!this.#layers) return;
    const gl = this.#gl, layers = this.#layers, { height, width, photo, moving, glow, box, stride } = layers;
    for (const each of [...Object.values(this.#textures), ...Object.values(this.#targets)]) free(gl, each);
    this.#textures = this.#targets = {};
    this.canvas.width = width;
    this.canvas.height = height;
    if (gl.drawingBufferWidth !== width || gl.drawingBufferHeight !== height) this.#refuse();
    this.#textures = {
      photo: makeTexture(gl, 'colour', width, height, photo),
      moving: makeTexture(gl, 'colour', width, height, moving, gl.LINEAR, gl.MIRRORED_REPEAT),
      glow: glow ? makeTexture(gl, 'light', width, height, glow) : makeTexture(gl, 'light', 1, 1, new Uint8Array(3)),
    };
    const part = (side) => [Math.ceil(box.width / side), Math.ceil(box.height / side)];
    this.#targets = {
      mixed: makeTarget(gl, 'tenBits', box.width, box.height, gl.LINEAR, gl.MIRRORED_REPEAT),
      reduced: makeTarget(gl, 'colour', ...part(REDUCTION), gl.LINEAR, gl.MIRRORED_REPEAT),
      blurred: makeTarget(gl, 'tenBits', ...part(REDUCTION), gl.LINEAR, gl.MIRRORED_REPEAT),
      smoothed: makeTarget(gl, 'colour', ...part(REDUCTION), gl.LINEAR),
      details: makeTarget(gl, 'sum', ...part(8 * stride)),
      sums: makeTarget(gl, 'sum', ...part(64 * stride)),
    };
    if (gl.getError() === gl.OUT_OF_MEMORY) this.#refuse();
    this.#prepareDrift();
  }

  #refuse() {
    const { height, width } = this.#layers;
    this.close();
    throw new RangeError(`A photo of ${width} × ${height} pixels is too large for this device.`);
  }

  #prepareDrift() {
    const gl = this.#gl, { width, height, data } = this.#layers.varianceLoss;
    if (this.#textures.loss) free(gl, this.#textures.loss);
    this.#textures.loss = makeTexture(gl, 'share', width, height, data, gl.LINEAR);
  }

  #draw(time) {
    const { height, width, box, drift, stride, sharpness } = this.#layers;
    const { reduced, blurred, smoothed, mixed, details, sums } = this.#targets;
    const [constant, across, away] = drift.coefficients.map(([x, y]) => [x * width, y * height]);
    const values = {
      ...this.#textures, ...this.#targets,
      size: [width, height], origin: [box.left, box.top], corner: [box.left, box.top],
      box: [box.width, box.height], height, stride, sharpness,
      constant, across, away, horizon: drift.horizon, shore: firstRowBelow(drift.horizon, height), time,
      scale: [box.width / reduced.width, box.height / reduced.height], places: PLACES,
      sigma: Math.max(DETAIL_SIGMA * width / REDUCTION, 0.3),
    };
    const { reduce, blur, mix, detail, sum, frame } = this.#passes;
    reduce.draw(reduced, values);
    blur.draw(blurred, { ...values, picture: reduced, direction: [1, 0] });
    blur.draw(smoothed, { ...values, picture: blurred, direction: [0, 1] });
    mix.draw(mixed, values);
    detail.draw(details, values);
    sum.draw(sums, { ...values, sums: details });
    frame.draw({ framebuffer: null, width, height }, values);
  }
}

/** Returns the first row of pixels whose centres are below the horizon, as float32 has it. */
function firstRowBelow(horizon, height) {
  const limit = Math.fround(horizon);
  for (let row = 0; row < height; row++) {
    if (Math.fround(Math.fround((row + 0.5) / height) - limit) > 0) return row;
  }
  return height;
}
