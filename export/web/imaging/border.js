/**
 * Where the values beyond the border of a picture come from.
 *
 * @typedef {'reflect101'|'reflect'|'replicate'} Border cb|abc|ba, ba|abc|cb, aa|abc|cc
 */

/**
 * Returns the position from 0 to size - 1 whose value is taken for an integer position.
 *
 * @param {number} position
 * @param {number} size
 * @param {Border} border
 */
export function insideBorder(position, size, border) {
  if (position >= 0 && position < size) return position;
  if (border === 'replicate') return position < 0 ? 0 : size - 1;
  const overlap = border === 'reflect101' ? 1 : 0;
  const period = 2 * (size - overlap);
  if (period === 0) return 0;
  const phase = ((position % period) + period) % period;
  return phase < size ? phase : period - 1 + overlap - phase;
}
