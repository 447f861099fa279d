// Order statistics, as NumPy computes them.

/** Returns the mean of the two middle values, or the middle one. */
export function median(values) {
  const sorted = sortedCopy(values);
  const half = sorted.length >> 1;
  const middle = sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  return ofSamePrecision(values)(middle);
}

/** Returns a percentile from 0 to 100, interpolated linearly between neighbouring values. */
export function percentile(values, rank) {
  const sorted = sortedCopy(values);
  const rounded = ofSamePrecision(values);
  const position = (sorted.length - 1) * (rank / 100);
  const below = Math.floor(position);
  const [low, high] = [sorted[below], sorted[Math.min(below + 1, sorted.length - 1)]];
  const share = position - below;
  const step = rounded(high - low);
  return share < 0.5
    ? rounded(low + rounded(step * rounded(share)))
    : rounded(high - rounded(step * rounded(1 - share)));
}

/** Returns the first of the sorted values at which half of the weights, whose sum is 1, is reached. */
export function weightedMedian(values, weights) {
  const order = new Uint32Array(values.length).map((_, i) => i).sort((a, b) => values[a] - values[b]);
  let sum = 0;
  for (const i of order) {
    sum += weights[i];
    if (sum >= 0.5) return values[i];
  }
  return values[order.at(-1)];
}

const sortedCopy = (values) => (ArrayBuffer.isView(values) ? values.slice() : Float64Array.from(values)).sort();
const ofSamePrecision = (values) => (values instanceof Float32Array ? Math.fround : (value) => value);
