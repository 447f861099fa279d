// Plays a loop in real time, at the display's own rate.

const LONGEST_STEP = 0.1; // seconds; after a pause of the browser the motion goes on where it was

export class Player {
  #renderer;
  #pace = 0; // phases per second
  #place = 0; // in the phase, in [0, 1)
  #request = 0;
  #last = 0;

  /** @param {Renderer} renderer */
  constructor(renderer) {
    this.#renderer = renderer;
    renderer.addEventListener('restored', () => this.draw());
  }

  get playing() {
    return this.#request !== 0;
  }

  /** Plays the renderer's layers at another pace, from the same place of the phase. */
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
    this.draw();
    this.#request = requestAnimationFrame((next) => this.#step(next));
  }
}
