// A picture or a plane of numbers: values row by row, channels last.

/**
 * @param {number} height
 * @param {number} width
 * @param {number} channels
 * @param {Uint8Array|Float32Array} [data] height · width · channels values; zeros (float) if left out
 */
export function picture(height, width, channels, data = new Float32Array(height * width * channels)) {
  if (data.length !== height * width * channels) {
    throw new RangeError(`expected ${height}×${width}×${channels} values, got ${data.length}`);
  }
  return { height, width, channels, data };
}
