// Records the loop in real time, for browsers that cannot encode frame by frame.

import { Problem } from './messages.js';

const TYPES = ['video/mp4;codecs=avc1', 'video/webm;codecs=vp9', 'video/webm;codecs=vp8', 'video/webm', 'video/mp4'];
const BITS_PER_PIXEL = 0.15; // of each frame
const NOTE = 'This browser can only record in real time: the video may stutter, and players may show a wrong duration.';

/** Records `number` frames, which `frames.draw(index)` draws into `frames.canvas`. */
export async function record(frames, { number, fps, onprogress, signal }) {
  const type = typeof MediaRecorder === 'undefined' ? null : TYPES.find((each) => MediaRecorder.isTypeSupported(each));
  if (!type || !frames.canvas.captureStream) {
    const secure = 'Browsers allow it only on pages that come by https or from this very computer (localhost).';
    throw new Problem(`This browser cannot make videos here. ${isSecureContext ? 'Please try another browser.' : secure}`);
  }
  const { width, height } = frames.canvas;
  frames.draw(0);
  const stream = frames.canvas.captureStream(fps);
  const recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: BITS_PER_PIXEL * width * height * fps });
  const chunks = [];
  recorder.addEventListener('dataavailable', ({ data }) => chunks.push(data));
  const stopped = new Promise((resolve, reject) => {
    recorder.addEventListener('stop', resolve);
    recorder.addEventListener('error', () => reject(new Problem('The browser could not record the video.')));
  });
  recorder.start();
  const start = performance.now();
  try {
    for (let index = 0; index < number; index = Math.floor(((performance.now() - start) / 1000) * fps)) {
      signal.throwIfAborted();
      frames.draw(index);
      onprogress(index / number);
      await new Promise(requestAnimationFrame);
    }
  } finally {
    recorder.stop();
    for (const track of stream.getTracks()) track.stop();
  }
  await stopped;
  const kind = type.split(';')[0];
  return { blob: new Blob(chunks, { type: kind }), ending: kind.split('/')[1], width, height, note: `${frames.note} ${NOTE}`.trim() };
}
