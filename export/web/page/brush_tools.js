// The buttons around the brush.

import { at } from './elements.js';

export class BrushTools {
  #brush;

  /** @param {Brush} brush */
  constructor(brush) {
    this.#brush = brush;
    at('brush').addEventListener('click', () => this.open(at('brush-tools').hidden));
    at('undo').addEventListener('click', () => brush.undo());
    at('clear').addEventListener('click', () => brush.clear());
    at('brush-size').addEventListener('input', () => this.#resize());
    for (const choice of at('controls').elements.stroke) {
      choice.addEventListener('change', () => this.choose(choice.value));
    }
    this.#resize();
  }

  /** Shows or hides the tools and what moves. */
  open(opened) {
    at('brush').setAttribute('aria-pressed', opened);
    at('brush-tools').hidden = !opened;
    this.#brush.visible = opened;
  }

  /** @param {'hold'|'move'} stroke what the brush does */
  choose(stroke) {
    at('controls').elements.stroke.value = stroke;
    this.#brush.moves = stroke === 'move';
  }

  /** Enables what can be done now. */
  refresh() {
    for (const id of ['undo', 'clear']) at(id).disabled = !this.#brush.painted;
  }

  #resize() {
    const { value } = at('brush-size');
    this.#brush.size = value / 100;
    at('brush-size-value').textContent = `${value} %`;
    at('brush-size').setAttribute('aria-valuetext', `${value} percent of the photo`);
  }
}
