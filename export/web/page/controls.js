// The settings of the motion: direction, speed and distance.

import { at } from './elements.js';

const PATIENCE = 150; // milliseconds without another change

export class Controls {
  #timer;

  /** @param {() => void} onchange is called when the visitor has changed a setting */
  constructor(onchange) {
    for (const name of ['speed', 'strength']) {
      at(name).addEventListener('input', () => {
        this.#label();
        clearTimeout(this.#timer);
        this.#timer = setTimeout(onchange, PATIENCE);
      });
    }
    for (const choice of at('controls').elements.direction) choice.addEventListener('change', onchange);
    at('controls').addEventListener('submit', (event) => event.preventDefault());
    this.#label();
  }

  /** The names and meanings are those of `ssagan_tf.animate`. */
  get settings() {
    return { direction: at('controls').elements.direction.value, speed: this.#factor('speed'), strength: this.#factor('strength') };
  }

  /** Sliders are logarithmic: their middle is 1, and each step changes as much. */
  #factor(name) {
    return 2 ** at(name).value;
  }

  #label() {
    for (const name of ['speed', 'strength']) {
      const factor = this.#factor(name);
      const text = `${factor.toFixed(factor < 1 ? 2 : 1)} ×`;
      at(`${name}-value`).textContent = text;
      at(name).setAttribute('aria-valuetext', `${text.slice(0, -2)} times`);
    }
  }
}
