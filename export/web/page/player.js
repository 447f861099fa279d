// Plays a loop in a canvas, in real time at the display's own rate.

const LONGEST_STEP = 0.1; // seconds; after a pause of the browser the motion goes on where it was
const MEASURED_EVERY = 1000; // milliseconds

export class Player {
  #renderer;
  #canvas;
  #pace = 0; // phases per second
  #place = 0; // in the phase, in [0, 1)
  #request = 0;
  #last = 0;
  #measured = 0;

  /**
   * @param {object} renderer
   * @param {HTMLCanvasElement} canvas of the renderer
   * @param {(milliseconds: number) => void} onmeasure is told how long a frame takes, about once a second
   */
  constructor(renderer, canvas, onmeasure) {
    this.#renderer = renderer;
    this.#canvas = canvas;
    this.onmeasure = onmeasure;
  }

  get playing() {
    return this.#request !== 0;
  }

  /** Plays other layers from now on, from the same place of the phase. */
  show(cycles, seconds) {
    this.#pace = cycles / seconds;
    this.draw();
  }

  play() {
    if (this.playing) return;
    this.#last = performance.now();
    this.#request = requestAnimationFrame((now) => this.#step(now));
  }

  pause() {
    cancelAnimationFrame(this.#request);
    this.#request = 0;
  }

  draw() {
    this.#renderer.draw(this.#place);
  }

  #step(now) {
    const passed = Math.min(Math.max(now - this.#last, 0) / 1000, LONGEST_STEP);
    this.#last = now;
    this.#place = (this.#place + passed * this.#pace) % 1;
    if (now - this.#measured < MEASURED_EVERY) this.draw();
    else this.#measure(now);
    this.#request = requestAnimationFrame((next) => this.#step(next));
  }

  #measure(now) {
    this.#measured = now;
    const start = performance.now();
    this.draw();
    // Drawing only queues commands; reading a pixel waits until they are done.
    const gl = this.#canvas.getContext('webgl2');
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    this.onmeasure(performance.now() - start);
  }
}
