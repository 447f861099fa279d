// Connected components of a binary picture, labelled in the order of cv2.connectedComponentsWithStats.

/**
 * @param {{height: number, width: number, data: Uint8Array}} source what is not 0 is labelled from 1, the rest is 0
 * @param {4|8} connectivity
 * @returns {{number: number, labels: Int32Array, stats: object[], centroids: number[][]}} `number` counts the background,
 *   as `stats` ({left, top, width, height, area}) and `centroids` ([x, y]) do
 */
export function connectedComponents({ height, width, data }, connectivity = 8) {
  const labels = new Int32Array(height * width);
  const parents = [0];
  const root = (label) => {
    while (parents[label] !== label) label = parents[label] = parents[parents[label]];
    return label;
  };
  const join = (a, b) => {
    a = root(a);
    b = root(b);
    if (a < b) parents[b] = a;
    else parents[a] = b;
    return Math.min(a, b);
  };
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (!data[at]) continue;
      let label = 0;
      if (x > 0) label = labels[at - 1];
      if (y > 0) {
        const above = labels[at - width];
        if (above && above !== label) label = label ? join(label, above) : above;
        // Through a pixel above, its neighbours are joined already.
        if (connectivity === 8 && !above) {
          const left = x > 0 ? labels[at - width - 1] : 0;
          const right = x < width - 1 ? labels[at - width + 1] : 0;
          if (left && left !== label) label = label ? join(label, left) : left;
          if (right && right !== label) label = label ? join(label, right) : right;
        }
      }
      if (!label) {
        label = parents.length;
        parents.push(label);
      }
      labels[at] = label;
    }
  }
  return measured(labels, numbered(labels, parents, root, width, connectivity), height, width);
}

/** Returns the final number of each provisional label: by first pixel, or with 8 neighbours by first block of 2×2 pixels. */
function numbered(labels, parents, root, width, connectivity) {
  const finals = new Int32Array(parents.length);
  let number = 1;
  const visit = (at) => {
    const label = labels[at] && root(labels[at]);
    if (label && !finals[label]) finals[label] = number++;
  };
  const height = labels.length / width;
  if (connectivity === 4) {
    for (let at = 0; at < labels.length; at++) visit(at);
  } else {
    for (let y = 0; y < height; y += 2) {
      for (let x = 0; x < width; x++) {
        visit(y * width + x);
        if (y + 1 < height) visit((y + 1) * width + x);
      }
    }
  }
  for (let label = 1; label < parents.length; label++) finals[label] = finals[root(label)];
  return { finals, number };
}

function measured(labels, { finals, number }, height, width) {
  const left = new Int32Array(number).fill(width);
  const right = new Int32Array(number).fill(-1);
  const top = new Int32Array(number).fill(height);
  const bottom = new Int32Array(number).fill(-1);
  const area = new Int32Array(number);
  const sumX = new Float64Array(number);
  const sumY = new Float64Array(number);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const label = (labels[at] = finals[labels[at]]);
      if (x < left[label]) left[label] = x;
      if (x > right[label]) right[label] = x;
      if (y < top[label]) top[label] = y;
      bottom[label] = y;
      area[label]++;
      sumX[label] += x;
      sumY[label] += y;
    }
  }
  const all = Array.from({ length: number }, (_, label) => label);
  return {
    number,
    labels,
    stats: all.map((label) => ({
      left: left[label],
      top: top[label],
      width: right[label] - left[label] + 1,
      height: bottom[label] - top[label] + 1,
      area: area[label],
    })),
    centroids: all.map((label) => [sumX[label] / area[label], sumY[label] / area[label]]),
  };
}
