// The button that saves the loop, and the one that cancels that.

import { at } from './elements.js';
import { complain, inWords, note, progress, say } from './messages.js';
import { saveVideo } from './save.js';
import { FPS, SECONDS } from './studio.js';

const KEPT = 60_000; // milliseconds, by which the browser has read the file

export class SaveButton {
  #studio;
  #library;
  #saving = null; // AbortController

  /**
   * @param {Studio} studio
   * @param {string} library address of the module that writes video files
   */
  constructor(studio, library) {
    this.#studio = studio;
    this.#library = library;
    at('save').addEventListener('click', () => this.#save());
    at('cancel').addEventListener('click', () => this.#saving.abort());
    studio.onphoto = () => this.#saving?.abort();
    studio.onchange = () => this.#refresh();
    at('save-help').textContent = `An endless loop of ${SECONDS} seconds, without sound.`;
    this.#refresh();
  }

  async #save() {
    const { photo, name } = this.#studio;
    const { signal } = (this.#saving = new AbortController());
    complain('');
    note('');
    this.#refresh();
    at('cancel').focus();
    say('Saving the video…');
    try {
      const video = await this.#studio.lend((canvas, draw) => this.#encode(canvas, draw, signal));
      download(video.blob, `${name.replace(/\.[^.]*$/, '') || 'photo'}-moving.${video.ending}`);
      note(video.note);
      say(`Saved as a video of ${video.width} × ${video.height} pixels.`);
    } catch (error) {
      if (photo === this.#studio.photo) say(signal.aborted ? 'Saving was cancelled.' : '');
      if (!signal.aborted) complain(inWords(error));
    }
    const focused = document.activeElement === at('cancel');
    this.#saving = null;
    progress(null);
    this.#refresh();
    if (focused) at('save').focus();
  }

  #encode(canvas, draw, signal) {
    const number = SECONDS * FPS;
    return saveVideo(canvas, (index) => draw(index / number), {
      number,
      fps: FPS,
      library: this.#library,
      signal,
      onprogress: progress,
    });
  }

  #refresh() {
    at('save').disabled = !this.#studio.ready;
    at('save').hidden = this.#saving !== null;
    at('cancel').hidden = this.#saving === null;
  }
}

function download(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT);
}
