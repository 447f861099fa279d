// Runs a function of an ES module for each line of the input; see javascript.py.

import readline from 'node:readline';

const TYPES = {
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float32: Float32Array,
  float64: Float64Array,
};

const nameOf = (array) => array.constructor.name.replace('Clamped', '').replace('Array', '').toLowerCase();

function unpacked(value) {
  if (Array.isArray(value)) return value.map(unpacked);
  if (value === null || typeof value !== 'object') return value;
  if ('$number' in value) return { inf: Infinity, '-inf': -Infinity, nan: NaN }[value.$number];
  if ('$array' in value) {
    const { type, shape, bytes } = value.$array;
    const data = new TYPES[type](new Uint8Array(Buffer.from(bytes, 'base64')).buffer);
    if (shape.length === 1) return data;
    const [height, width, channels = 1] = shape;
    return { height, width, channels, data };
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, unpacked(each)]));
}

function packedArray(array, shape) {
  const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');
  return { $array: { type: nameOf(array), shape, bytes } };
}

function packed(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value).replace('inity', '').toLowerCase() };
  if (typeof value === 'function') return null;
  if (typeof value !== 'object') return value;
  if (ArrayBuffer.isView(value)) return packedArray(value, [value.length]);
  if (Array.isArray(value)) return value.map(packed);
  const { height, width, channels, data } = value;
  if (ArrayBuffer.isView(data) && data.length === height * width * channels) {
    return packedArray(data, channels === 1 ? [height, width] : [height, width, channels]);
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, packed(each)]));
}

console.log = console.error; // the output is for answers
for await (const line of readline.createInterface({ input: process.stdin })) {
  let answer;
  try {
    const request = JSON.parse(line);
    const module = await import(request.module);
    answer = { result: packed(await module[request.function](...unpacked(request.arguments))) };
  } catch (error) {
    const { constructor, message } = error;
    answer = { error: { name: constructor.name, message, properties: packed({ ...error }) } };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
