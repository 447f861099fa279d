// Stands in for the renderer, without WebGL: in a phase, what moves goes once around the photo.

export class Renderer extends EventTarget {
  largestSide = 640;
  largestPixels = 300_000;
  milliseconds = 1.5;
  isLost = false;

  constructor(canvas) {
    super();
    this.canvas = canvas;
    globalThis.renderer = this;
  }

  setLayers(layers) {
    this.layers = layers;
    this.canvas.width = layers.photo.width;
    this.canvas.height = layers.photo.height;
  }

  draw(time) {
    if (!this.layers) return;
    const { photo, mask, sign } = this.layers;
    const { width, height } = photo;
    const shift = sign * Math.round(time * width);
    const frame = new ImageData(width, height);
    for (let y = 0, to = 0; y < height; y++) {
      for (let x = 0; x < width; x++, to += 4) {
        const moves = mask.data[y * width + x] > 0.5;
        const from = 3 * (y * width + (moves ? (x - shift + width) % width : x));
        for (let channel = 0; channel < 3; channel++) frame.data[to + channel] = photo.data[from + channel];
        frame.data[to + 3] = 255;
      }
    }
    this.canvas.getContext('2d').putImageData(frame, 0, 0);
  }
}
