// How long the GPU takes for a frame.

import { median } from '../imaging/statistics.js';

const MEASUREMENTS = 9; // the first also compiles shaders

/** Measures one frame at a time, without waiting for it. */
export class Stopwatch {
  #last = []; // measurements
  #pending = null;

  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.gl = gl;
    this.timer = gl.getExtension('EXT_disjoint_timer_query_webgl2');
  }

  /** Milliseconds of a frame: median of the last few, NaN before the first. */
  get milliseconds() {
    return this.#last.length ? median(this.#last) : NaN;
  }

  /** Draws a frame, and measures it unless an earlier one is not done yet. */
  around(draw) {
    const { gl, timer } = this;
    if (this.#pending) return draw();
    if (timer) {
      this.#pending = gl.createQuery();
      gl.beginQuery(timer.TIME_ELAPSED_EXT, this.#pending);
      draw();
      gl.endQuery(timer.TIME_ELAPSED_EXT);
      setTimeout(() => this.#pollTimer(), 0);
    } else {
      const start = performance.now();
      draw();
      this.#pending = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
      gl.flush();
      setTimeout(() => this.#pollFence(start), 0);
    }
  }

  #pollTimer() {
    const { gl, timer } = this;
    if (!gl.isQuery(this.#pending)) return; // it went away with the GPU
    if (!gl.getQueryParameter(this.#pending, gl.QUERY_RESULT_AVAILABLE)) {
      setTimeout(() => this.#pollTimer(), 2);
      return;
    }
    const nanoseconds = gl.getQueryParameter(this.#pending, gl.QUERY_RESULT);
    gl.deleteQuery(this.#pending);
    this.#pending = null;
    if (!gl.getParameter(timer.GPU_DISJOINT_EXT)) this.#add(nanoseconds / 1e6);
  }

  #pollFence(start) {
    const { gl } = this;
    if (!gl.isSync(this.#pending)) return; // it went away with the GPU
    if (gl.getSyncParameter(this.#pending, gl.SYNC_STATUS) !== gl.SIGNALED) {
      setTimeout(() => this.#pollFence(start), 0);
      return;
    }
    gl.deleteSync(this.#pending);
    this.#pending = null;
    this.#add(performance.now() - start);
  }

  #add(milliseconds) {
    this.#last = [...this.#last, milliseconds].slice(-MEASUREMENTS);
  }
}
