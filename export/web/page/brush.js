// A brush that frees regions or holds them still, on top of what was found to move.

import { picture } from '../imaging/picture.js';

const LONGEST_SIDE = 1024; // pixels of the painting
const TINT = [255, 46, 136]; // what moves
const OPACITY = 0.4;
const STRIP = 256; // rows that are enlarged at a time
const KEY_STEP = 0.02; // of the longer side
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Brush {
  #canvas; // shows what moves, and takes strokes
  // White: moves, black: stands still, transparent: not painted.
  #painting = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  #strokes = []; // {moves, width, points}
  #stroke = null; // being painted
  #pointer = null; // id of the pointer that paints; others, such as a second finger, do not
  #cursor = null; // of the keyboard
  #found = null; // mask at the photo's size: what moves where nothing is painted
  #small = null; // the same at the painting's size

  moves = false; // whether strokes free regions, or hold them still
  size = 0.08; // of the longer side
  onchange = () => {}; // after each stroke, undo and clear

  /** @param {HTMLCanvasElement} canvas on top of the photo */
  constructor(canvas) {
    this.#canvas = canvas;
    canvas.addEventListener('pointerdown', (event) => this.#press(event));
    canvas.addEventListener('pointermove', (event) => this.#drag(event));
    for (const end of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(end, ({ pointerId }) => pointerId === this.#pointer && this.#lift());
    }
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('blur', () => this.#leave());
  }

  /** Starts on a photo of this size. */
  reset(width, height) {
    const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
    for (const canvas of [this.#canvas, this.#painting.canvas]) {
      canvas.width = Math.max(1, Math.round(width * scale));
      canvas.height = Math.max(1, Math.round(height * scale));
    }
    this.#strokes = [];
    this.#stroke = this.#pointer = this.#cursor = null;
    this.#found = picture(height, width, 1);
    this.#small = null;
    this.#show();
  }

  /** Sets what moves where nothing is painted: a picture with one channel in [0, 1], as large as the photo. */
  set found(mask) {
    this.#found = mask;
    this.#small = null;
    this.#show();
  }

  get painted() {
    return this.#strokes.length > 0;
  }

  /** What moves, as large as the photo; null if nothing is painted. */
  mask() {
    if (!this.painted) return null;
    const { height, width, data } = this.#found;
    const result = picture(height, width, 1);
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [width, Math.min(STRIP, height)];
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.globalCompositeOperation = 'copy';
    for (let top = 0; top < height; top += STRIP) {
      context.drawImage(this.#painting.canvas, 0, -top, width, height);
      const rows = Math.min(STRIP, height - top);
      const painted = context.getImageData(0, 0, width, rows).data;
      for (let i = 0; i < width * rows; i++) {
        const share = painted[4 * i + 3] / 255;
        result.data[top * width + i] = share * (painted[4 * i] / 255) + (1 - share) * data[top * width + i];
      }
    }
    return result;
  }

  undo() {
    this.#strokes.pop();
    this.#repaint();
  }

  clear() {
    this.#strokes = [];
    this.#repaint();
  }

  #repaint() {
    this.#painting.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    for (const stroke of this.#strokes) draw(this.#painting, stroke, stroke.points);
    this.#show();
    this.onchange();
  }

  get #longerSide() {
    return Math.max(this.#canvas.width, this.#canvas.height);
  }

  #begin(point) {
    this.#stroke = { moves: this.moves, width: this.size * this.#longerSide, points: [] };
    this.#strokes.push(this.#stroke);
    this.#continue(point);
  }

  #continue(point) {
    const { points } = this.#stroke;
    points.push(point);
    draw(this.#painting, this.#stroke, points.slice(-2));
    this.#show();
  }

  #lift() {
    if (!this.#stroke) return;
    this.#stroke = this.#pointer = null;
    this.#show();
    this.onchange();
  }

  #press(event) {
    if (event.button !== 0 || this.#stroke) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#cursor = null;
    this.#pointer = event.pointerId;
    this.#begin(this.#point(event));
  }

  #drag(event) {
    if (event.pointerId === this.#pointer) this.#continue(this.#point(event));
  }

  #point(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * this.#canvas.width,
      ((event.clientY - box.top) / box.height) * this.#canvas.height,
    ];
  }

  #key(event) {
    if (event.key === 'z' && (event.ctrlKey || event.metaKey) && !this.#stroke) {
      event.preventDefault();
      this.undo();
      return;
    }
    const { width, height } = this.#canvas;
    const arrow = ARROWS[event.key];
    if (!arrow && event.key !== ' ') return;
    event.preventDefault();
    this.#cursor ??= [width / 2, height / 2];
    if (arrow) {
      const step = KEY_STEP * this.#longerSide * (event.shiftKey ? 5 : 1);
      const [x, y] = this.#cursor;
      this.#cursor = [clamp(x + arrow[0] * step, width), clamp(y + arrow[1] * step, height)];
      if (this.#stroke) this.#continue(this.#cursor);
    } else if (this.#stroke) {
      this.#lift();
    } else if (!event.repeat) {
      this.#begin(this.#cursor);
    }
    this.#show();
  }

  #leave() {
    if (this.#cursor) this.#lift();
    this.#cursor = null;
    this.#show();
  }

  #show() {
    if (this.#canvas.hidden) return;
    const { width, height } = this.#canvas;
    this.#small ??= reduced(this.#found, width, height);
    const painted = this.#painting.getImageData(0, 0, width, height);
    const { data } = painted;
    for (let i = 0; i < width * height; i++) {
      const share = data[4 * i + 3] / 255;
      const moves = share * (data[4 * i] / 255) + (1 - share) * this.#small[i];
      data[4 * i] = TINT[0];
      data[4 * i + 1] = TINT[1];
      data[4 * i + 2] = TINT[2];
      data[4 * i + 3] = 255 * OPACITY * moves;
    }
    const context = this.#canvas.getContext('2d');
    context.putImageData(painted, 0, 0);
    if (this.#cursor) ring(context, this.#cursor, this.size * this.#longerSide, this.#stroke !== null);
  }

  /** Shows or hides what moves. */
  set visible(visible) {
    this.#canvas.hidden = !visible;
    this.#show();
  }
}

function clamp(value, most) {
  return Math.min(Math.max(value, 0), most);
}

function draw(context, { moves, width }, points) {
  context.strokeStyle = context.fillStyle = moves ? 'white' : 'black';
  context.lineCap = context.lineJoin = 'round';
  context.lineWidth = width;
  // A line of length 0 has no caps in some browsers, and a tap should paint, too.
  context.beginPath();
  context.arc(...points[0], width / 2, 0, 2 * Math.PI);
  context.fill();
  context.beginPath();
  context.moveTo(...points[0]);
  for (const point of points) context.lineTo(...point);
  context.stroke();
}

/** Where the brush of the keyboard is; two colours, to be visible on everything. */
function ring(context, [x, y], diameter, down) {
  for (const [color, width] of [['black', 5], ['white', 2]]) {
    context.strokeStyle = color;
    context.lineWidth = width;
    context.setLineDash(down ? [] : [6, 6]);
    context.beginPath();
    context.arc(x, y, Math.max(diameter / 2, 2), 0, 2 * Math.PI);
    context.stroke();
  }
}

function reduced(mask, width, height) {
  const result = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * mask.height) / height) * mask.width;
    for (let x = 0; x < width; x++) {
      result[y * width + x] = mask.data[row + Math.floor(((x + 0.5) * mask.width) / width)];
    }
  }
  return result;
}
