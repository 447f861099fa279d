// Files -> photos: upright, in sRGB, not larger than browser and renderer can.

import { picture } from '../imaging/picture.js';
import { kindOf, whyNot } from './file_kinds.js';
import { Problem } from './messages.js';

const NEVER_PHOTOS = ['empty', 'video', 'PDF', 'archive'];
const STRIP = 256; // rows that are read at a time

/**
 * @param {Blob} file
 * @param {{largestSide: number, largestPixels: number}} limits of the renderer
 * @returns {Promise<{photo: object, still: ImageBitmap, width: number, height: number}>} the photo as an 8-bit RGB
 *   picture and as the browser decoded it, and the size of the file's picture
 */
export async function readPhoto(file, { largestSide, largestPixels }) {
  const kind = kindOf(new Uint8Array(await file.slice(0, 32).arrayBuffer()), file.name);
  if (NEVER_PHOTOS.includes(kind)) throw new Problem(whyNot(kind));
  let still;
  try {
    still = await createImageBitmap(file); // upright; older browsers refuse an option that says so
  } catch {
    throw new Problem(whyNot(kind));
  }
  const { width, height } = still;
  const scale = Math.min(1, largestSide / Math.max(width, height), Math.sqrt(largestPixels / (width * height)));
  const size = [width, height].map((side) => Math.max(1, Math.floor(side * scale)));
  return { photo: pixelsOf(still, ...size), still, width, height };
}

function pixelsOf(bitmap, width, height) {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  // Opaque: transparent parts become black, as in Python. The canvas is sRGB; drawing converts colours.
  const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  if (!context) throw new RangeError('no memory for a canvas');
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, width, height);
  const result = picture(height, width, 3, new Uint8Array(3 * width * height));
  let to = 0;
  for (let top = 0; top < height; top += STRIP) {
    const { data } = context.getImageData(0, top, width, Math.min(STRIP, height - top));
    for (let from = 0; from < data.length; from += 4) {
      result.data[to++] = data[from];
      result.data[to++] = data[from + 1];
      result.data[to++] = data[from + 2];
    }
  }
  canvas.width = canvas.height = 0; // Safari keeps the memory of canvases for a while
  return result;
}
